#pragma once

// The packs of one resolution and one period, in a file of their own that needs no other: a
// dictionary, a pack for each time and node, and for each time what all have together.

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <utility>

#include "controlplane/store/gather.h"
#include "controlplane/store/placed.h"
#include "controlplane/store/row.h"
#include "controlplane/store/sqlite.h"

namespace meiguan::store {

class SqliteFile {
 public:
  // Makes it where there is none. Errors: among others that it is no such file, see `damaged`.
  [[nodiscard]] static Result<SqliteFile> open(const std::filesystem::path& path, bool& damaged);

  // Adds the batches' rows, of each at its time, unless it did so before; all in one transaction.
  [[nodiscard]] Result<void> apply(std::span<const PlacedBatch> batches, bool& damaged);
  // Reads what lies in that time into `gather`, by a connection of its own.
  [[nodiscard]] static Result<void> read(const std::filesystem::path& path, const Part& part,
                                         Gather& gather, bool& damaged);

 private:
  // Batches of one source within a transaction: the last that it has.
  using Latest = std::map<std::pair<std::int64_t, std::int64_t>, std::int64_t>;

  explicit SqliteFile(Connection connection);
  [[nodiscard]] bool prepare();
  [[nodiscard]] bool put(std::span<const PlacedBatch> batches);
  [[nodiscard]] bool is_new(const Batch& batch, Latest& latest, bool& result);
  [[nodiscard]] bool put_packs(PlacedPacks packs);
  [[nodiscard]] bool put_dictionary();

  Connection connection_;
  Numbering numbering_;
  Statement add_names_;
  Statement add_groups_;
  Statement pack_;
  Statement set_pack_;
  Statement time_;
  Statement set_time_;
  Statement applied_;
  Statement set_applied_;
};

}  // namespace meiguan::store
