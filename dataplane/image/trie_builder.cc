#include "dataplane/image/trie_builder.h"

#include <algorithm>
#include <array>

namespace meiguan::image {
namespace {

TrieEntry leaf(std::uint32_t value) { return value | kLeafBit; }

// The byte of the key in which a prefix longer than 0 ends.
std::uint8_t last_byte(const net::Prefix& prefix) {
  return static_cast<std::uint8_t>((prefix.length() - 1) / 8);
}

std::uint8_t byte_of(const net::Prefix& prefix, std::uint8_t index) {
  return prefix.address().wire()[index];
}

}  // namespace

TrieEntry TrieBuilder::add(std::vector<PrefixValue> prefixes, std::uint32_t missing) {
  std::ranges::stable_sort(prefixes, {}, &PrefixValue::prefix);
  // Of equal prefixes keep the last.
  std::vector<PrefixValue> unique;
  for (const PrefixValue& p : prefixes) {
    if (!unique.empty() && unique.back().prefix == p.prefix) {
      unique.back() = p;
    } else {
      unique.push_back(p);
    }
  }
  return build(unique, 0, leaf(missing));
}

// `prefixes` are sorted (so a prefix stands before those inside it), are equal in their first
// `depth` bytes, and none is shorter than that.
TrieEntry TrieBuilder::build(std::span<const PrefixValue> prefixes, std::uint8_t depth,
                             TrieEntry inherited) {
  if (!prefixes.empty() && prefixes.front().prefix.length() == depth * 8) {
    inherited = leaf(prefixes.front().value);
    prefixes = prefixes.subspan(1);
  }
  if (prefixes.empty()) return inherited;

  // The first byte in which they differ or in which one of them ends decides; those before it are
  // skipped over.
  std::uint8_t decisive = last_byte(prefixes.front().prefix);
  for (const PrefixValue& p : prefixes) decisive = std::min(decisive, last_byte(p.prefix));
  const net::Prefix& first = prefixes.front().prefix;
  const net::Prefix& last = prefixes.back().prefix;
  for (std::uint8_t i = depth; i < decisive; ++i) {
    if (byte_of(first, i) != byte_of(last, i)) decisive = i;
  }

  const auto number = static_cast<std::uint32_t>(nodes_.size());
  TrieNode node{};
  for (std::uint8_t i = depth; i < decisive; ++i) node.path[i] = byte_of(first, i);
  node.skip = depth;
  node.depth = decisive;
  node.miss = inherited;
  node.entries = number * kTrieFanout;
  nodes_.push_back(node);
  entries_.resize(entries_.size() + kTrieFanout, inherited);

  // Prefixes that end in this byte, the short ones first so that the longer overwrite them.
  std::array<TrieEntry, kTrieFanout> entries;
  entries.fill(inherited);
  for (unsigned length = decisive * 8U + 1; length <= decisive * 8U + 8; ++length) {
    for (const PrefixValue& p : prefixes) {
      if (p.prefix.length() != length) continue;
      const unsigned from = byte_of(p.prefix, decisive);
      const unsigned count = 1U << (decisive * 8U + 8 - length);
      std::fill_n(entries.begin() + from, count, leaf(p.value));
    }
  }
  // Longer ones, by this byte.
  for (std::size_t i = 0; i < prefixes.size();) {
    const std::uint8_t byte = byte_of(prefixes[i].prefix, decisive);
    std::size_t end = i;
    while (end < prefixes.size() && byte_of(prefixes[end].prefix, decisive) == byte) ++end;
    std::vector<PrefixValue> longer;
    for (const PrefixValue& p : prefixes.subspan(i, end - i)) {
      if (p.prefix.length() > decisive * 8 + 8) longer.push_back(p);
    }
    if (!longer.empty()) {
      entries[byte] = build(longer, static_cast<std::uint8_t>(decisive + 1), entries[byte]);
    }
    i = end;
  }
  std::ranges::copy(entries, entries_.begin() + node.entries);
  return number;
}

}  // namespace meiguan::image
