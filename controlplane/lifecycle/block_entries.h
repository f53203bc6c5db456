#pragma once

// The block list as people keep it: which addresses, why, by whom and until when; and what the data
// plane is given of it.

#include <cstdint>
#include <limits>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/bytes.h"
#include "dataplane/net/address.h"

namespace meiguan::lifecycle {

// What is remembered of a block beside its address; entries of one command share it.
struct BlockNote {
  std::string reason;
  std::string ticket;
  std::string by;
  bool operator==(const BlockNote&) const = default;
};

struct BlockEntry {
  std::string zone;  // the id of a private zone; empty: the shared address space
  net::Prefix prefix;
  std::int64_t since{0};  // seconds since 1970-01-01T00:00Z
  std::int64_t ends{image::kBlockForEver};
  std::shared_ptr<const BlockNote> note;  // never null
};

// "198.51.100.7/32", "10.1.1.0/24@vpn-hrss": as it is typed and read.
[[nodiscard]] std::string to_string(const BlockEntry& entry);
[[nodiscard]] std::string block_text(const std::string& zone, const net::Prefix& prefix);

// What a change did, by entries.
struct BlockChange {
  std::size_t added{0};
  std::size_t merged{0};  // were there already
  std::size_t removed{0};
  std::size_t ended{0};  // left out because their time had come
};

// Ascending by zone and prefix, each once. An address is blocked while any entry that holds it is
// there: a longer prefix beside a shorter one stays an entry of its own, with its own end.
class BlockEntries {
 public:
  [[nodiscard]] const std::vector<BlockEntry>& all() const noexcept { return entries_; }
  [[nodiscard]] std::size_t size() const noexcept { return entries_.size(); }
  // The entry of exactly that prefix, or null.
  [[nodiscard]] const BlockEntry* find(const std::string& zone, const net::Prefix& prefix) const;

  // With `added`; an entry that is there already keeps its beginning, has the later of both ends,
  // and of the note what the new one gives.
  [[nodiscard]] BlockEntries with(std::vector<BlockEntry> added, BlockChange& change) const;
  // Without the entries of these zones and prefixes.
  [[nodiscard]] BlockEntries without(const std::vector<BlockEntry>& removed,
                                     BlockChange& change) const;
  // Without those whose end has come at `now`.
  [[nodiscard]] BlockEntries at(std::int64_t now, BlockChange& change) const;

  // For the data plane; the records are in the order of the entries. Errors: too many.
  [[nodiscard]] Result<image::AlignedBytes> image(std::uint64_t seed) const;

 private:
  std::vector<BlockEntry> entries_;
};

}  // namespace meiguan::lifecycle
