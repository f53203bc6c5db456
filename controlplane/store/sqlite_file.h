#pragma once

// The rows of one resolution and one period, in a file of their own that needs no other: names and
// groups of names have numbers, and a row is a time, a group and its sums.

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>

#include "controlplane/store/row.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"

namespace meiguan::store {

class SqliteFile {
 public:
  // Makes it where there is none. Errors: among others that it is no such file, see `damaged`.
  [[nodiscard]] static Result<SqliteFile> open(const std::filesystem::path& path, bool& damaged);

  // Adds the batch's rows at `time`, unless it did so before.
  [[nodiscard]] Result<void> apply(const Batch& batch, std::int64_t time, bool& damaged);
  // Reads what lies in the plan's time into `gather`, by a connection of its own.
  [[nodiscard]] static Result<void> read(const std::filesystem::path& path, const Plan& plan,
                                         Gather& gather, bool& damaged);

 private:
  explicit SqliteFile(Connection connection);
  [[nodiscard]] bool load_groups();
  [[nodiscard]] bool prepare();
  [[nodiscard]] bool put(const Batch& batch, std::int64_t time);
  [[nodiscard]] bool name_id(const std::string& name, std::int64_t& id);
  [[nodiscard]] bool group_id(const Key& key, std::int64_t& id);

  Connection connection_;
  std::map<std::string, std::int64_t> names_;
  std::map<Key, std::int64_t> groups_;
  Statement add_name_;
  Statement add_group_;
  Statement add_row_;
  Statement add_watch_;
  Statement applied_;
  Statement set_applied_;
};

}  // namespace meiguan::store
