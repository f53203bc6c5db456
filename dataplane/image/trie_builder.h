#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/image/format.h"
#include "dataplane/net/address.h"

namespace meiguan::image {

struct PrefixValue {
  net::Prefix prefix;
  std::uint32_t value{0};  // below 2^31
};

// Builds the longest-prefix tries of an image. All tries share one table of nodes.
class TrieBuilder {
 public:
  // Adds a trie over prefixes of one family and answers its root. `missing` is the value of every
  // address that no prefix holds. Of equal prefixes the last one given counts.
  [[nodiscard]] TrieEntry add(std::vector<PrefixValue> prefixes, std::uint32_t missing);

  [[nodiscard]] std::span<const TrieNode> nodes() const noexcept { return nodes_; }
  [[nodiscard]] std::span<const TrieEntry> entries() const noexcept { return entries_; }

 private:
  [[nodiscard]] TrieEntry build(std::span<const PrefixValue> prefixes, std::uint8_t depth,
                                TrieEntry inherited);

  std::vector<TrieNode> nodes_;
  std::vector<TrieEntry> entries_;
};

}  // namespace meiguan::image
