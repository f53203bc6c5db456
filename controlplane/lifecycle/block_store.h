#pragma once

// The block list on disk: `blocks.csv` in the state directory and, beside it, the one before. Both
// begin with a line that holds the checksum of the rest; written whole or not at all.

#include <cstdint>
#include <filesystem>
#include <string_view>
#include <vector>

#include "controlplane/lifecycle/block_entries.h"
#include "dataplane/base/text.h"

namespace meiguan::lifecycle {

class BlockStore {
 public:
  struct Loaded {
    BlockEntries entries;
    // Of the data plane's hash; lasts, so that equal lists have equal images.
    std::uint64_t seed{0};
    // False: there was a list, and nothing of it can be read. Nobody knows what it blocked.
    bool known{true};
    bool fresh{false};         // there has never been one
    std::vector<Text> alarms;  // what is wrong on disk, and what is in force instead
  };

  explicit BlockStore(std::filesystem::path state_dir) : state_dir_{std::move(state_dir)} {}

  // The list; where it is damaged, the one before. What is damaged stays for whoever looks into it,
  // as `blocks.csv.damaged`. Entries that have ended at `now` are left out.
  [[nodiscard]] Loaded load(std::int64_t now) const;
  // Replaces the list and keeps what was there as the one before. Errors: cannot be written.
  [[nodiscard]] Result<void> save(const BlockEntries& entries, std::uint64_t seed) const;

  [[nodiscard]] std::filesystem::path file() const { return state_dir_ / "blocks.csv"; }
  [[nodiscard]] std::filesystem::path file_before() const { return state_dir_ / "blocks.csv.1"; }

 private:
  std::filesystem::path state_dir_;
};

}  // namespace meiguan::lifecycle
