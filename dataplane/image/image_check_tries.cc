#include "dataplane/image/image_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace meiguan::image {

const char* ImageCheck::tries() const {
  if (nodes_.size() * kTrieFanout != entries_.size()) return "number of trie entries";
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const TrieNode& node = nodes_[i];
    if (node.skip > node.depth || node.depth >= 16) return "depth of a trie node";
    if ((node.miss & kLeafBit) == 0) return "miss of a trie node";
    if (node.entries != i * kTrieFanout) return "entries of a trie node";
    for (const TrieEntry entry : entries_.subspan(node.entries, kTrieFanout)) {
      if ((entry & kLeafBit) != 0) continue;
      // Later in the table and later in the key: no cycle, no reading past the key.
      if (entry <= i || entry >= nodes_.size() || nodes_[entry].skip != node.depth + 1) {
        return "child of a trie node";
      }
    }
  }
  // Which values a root may lead to depends on the root, so each reachable leaf is visited once
  // for each kind. A node may be reached from one root only.
  std::vector<std::uint8_t> seen(nodes_.size(), 0);
  for (const SpaceRecord& space : image_.spaces()) {
    const std::size_t atoms = image_.atoms().size();
    const std::size_t routes = image_.routes().size();
    if (!walk(space.objects_v4, 4, atoms, false, seen) ||
        !walk(space.objects_v6, 16, atoms, false, seen) ||
        !walk(space.routes_v4, 4, routes, true, seen) ||
        !walk(space.routes_v6, 16, routes, true, seen)) {
      return "a trie";
    }
  }
  return nullptr;
}

// Depth is at most the key's bytes, so that recursion is bounded.
bool ImageCheck::walk(TrieEntry entry, std::uint8_t key_bytes, std::size_t values, bool may_be_none,
                      std::vector<std::uint8_t>& seen) const {
  if ((entry & kLeafBit) != 0) return is_value(entry, values, may_be_none);
  if (entry >= nodes_.size() || nodes_[entry].depth >= key_bytes || seen[entry] != 0) {
    return false;
  }
  seen[entry] = 1;
  const TrieNode& node = nodes_[entry];
  if (!is_value(node.miss, values, may_be_none)) return false;
  return std::ranges::all_of(entries_.subspan(node.entries, kTrieFanout), [&](TrieEntry child) {
    return walk(child, key_bytes, values, may_be_none, seen);
  });
}
bool ImageCheck::is_value(TrieEntry leaf, std::size_t values, bool may_be_none) {
  const std::uint32_t value = leaf & ~kLeafBit;
  return value < values || (may_be_none && value == kNoRoute);
}

}  // namespace meiguan::image
