#pragma once

// The rows of one resolution and one period, in a file of their own that needs no other: names and
// groups of names have numbers, and a row is a time, a group and its sums.

#include <array>
#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/store/merge.h"
#include "controlplane/store/row.h"
#include "controlplane/store/sqlite.h"
#include "controlplane/store/store.h"

namespace meiguan::store {

class SqliteFile {
 public:
  // Makes it where there is none. Errors: among others that it is no such file, see `damaged`.
  [[nodiscard]] static Result<SqliteFile> open(const std::filesystem::path& path, bool& damaged);

  // Adds the batches' rows, of each at its time, unless it did so before; all in one transaction.
  [[nodiscard]] Result<void> apply(std::span<const PlacedBatch> batches, bool& damaged);
  // Reads what lies in the plan's time into `gather`, by a connection of its own.
  [[nodiscard]] static Result<void> read(const std::filesystem::path& path, const Plan& plan,
                                         Gather& gather, bool& damaged);

 private:
  // A group by the numbers of its names.
  using GroupKey = std::array<std::uint32_t, kKeyNames>;
  struct GroupHash {
    [[nodiscard]] std::size_t operator()(const GroupKey& key) const noexcept;
  };
  struct TextHash {
    using is_transparent = void;
    [[nodiscard]] std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>{}(text);
    }
  };
  // Batches of one source within a transaction: the last that it has.
  using Latest = std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>;

  explicit SqliteFile(Connection connection);
  [[nodiscard]] bool load_groups();
  [[nodiscard]] bool prepare();
  [[nodiscard]] bool put(std::span<const PlacedBatch> batches);
  [[nodiscard]] bool is_new(const Batch& batch, Latest& latest, bool& result);
  [[nodiscard]] bool put_rows(std::vector<PlacedRow> rows);
  [[nodiscard]] bool put_watches(const PlacedWatches& watches);
  [[nodiscard]] bool name_id(std::string_view name, std::int64_t& id);
  [[nodiscard]] bool group_id(const Key& key, std::int64_t& id);

  Connection connection_;
  std::unordered_map<std::string, std::int64_t, TextHash, std::equal_to<>> names_;
  std::unordered_map<GroupKey, std::int64_t, GroupHash> groups_;
  Statement add_name_;
  Statement add_group_;
  Statement add_row_;
  Statement add_watch_;
  Statement applied_;
  Statement set_applied_;
};

}  // namespace meiguan::store
