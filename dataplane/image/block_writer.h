#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/image/block_list.h"
#include "dataplane/image/bytes.h"

namespace meiguan::image {

struct BlockedPrefix {
  std::uint64_t space{0};  // its key
  net::Prefix prefix;
  std::int64_t ends{kBlockForEver};
};

// The file of a block list, its records in the order of `prefixes`, which ascend by (place of their
// space in `spaces`, prefix) without two alike; `spaces` are the keys, unique. Nothing where that
// is too much for a list, or where the hash fits no table of reasonable size: then another `seed`.
[[nodiscard]] std::optional<AlignedBytes> write_block_list(
    const std::vector<std::uint64_t>& spaces, const std::vector<BlockedPrefix>& prefixes,
    std::uint64_t seed);

}  // namespace meiguan::image
