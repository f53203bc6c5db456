#include "dataplane/image/trie_builder.h"

#include <boost/test/unit_test.hpp>

#include <random>
#include <string>
#include <vector>

namespace meiguan::image {
namespace {

// The trie as Image::find walks it.
std::uint32_t find(const TrieBuilder& tries, TrieEntry root, const net::Address& address) {
  const std::uint8_t* key = address.wire();
  TrieEntry entry = root;
  while ((entry & kLeafBit) == 0) {
    const TrieNode& node = tries.nodes()[entry];
    for (std::uint8_t i = node.skip; i < node.depth; ++i) {
      if (key[i] != node.path[i]) return node.miss & ~kLeafBit;
    }
    entry = tries.entries()[node.entries + key[node.depth]];
  }
  return entry & ~kLeafBit;
}

// The naive twin: the longest of all prefixes that hold the address, the last of equals.
std::uint32_t find_naively(const std::vector<PrefixValue>& prefixes, std::uint32_t missing,
                           const net::Address& address) {
  int best = -1;
  std::uint32_t value = missing;
  for (const PrefixValue& p : prefixes) {
    if (p.prefix.contains(address) && static_cast<int>(p.prefix.length()) >= best) {
      best = p.prefix.length();
      value = p.value;
    }
  }
  return value;
}

BOOST_AUTO_TEST_CASE(an_empty_trie_is_its_missing_value) {
  TrieBuilder tries;
  const TrieEntry root = tries.add({}, 7);
  BOOST_TEST(find(tries, root, net::Address::v4(0x0a000001)) == 7U);
  BOOST_TEST(tries.nodes().empty());
}

BOOST_AUTO_TEST_CASE(the_trie_agrees_with_a_linear_search) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 200; ++round) {
    const bool v4 = round % 2 == 0;
    // Few different bytes, so that prefixes nest and share paths.
    const auto address = [&] {
      std::array<std::uint8_t, 16> bytes{};
      for (std::uint8_t& b : bytes)
        b = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 2);
      bytes[0] = 0x20;
      if (!v4) return net::Address::v6(bytes);
      return net::Address::v4(std::uint32_t{bytes[1]} << 24 | std::uint32_t{bytes[2]} << 16 |
                              std::uint32_t{bytes[3]} << 8 | bytes[4]);
    };
    std::vector<PrefixValue> prefixes;
    const std::size_t count = random() % 40;
    for (std::uint32_t i = 0; i < count; ++i) {
      const auto length = static_cast<std::uint8_t>(random() % (v4 ? 33 : 129));
      prefixes.push_back({net::Prefix::around(address(), length), i});
    }
    TrieBuilder tries;
    (void)tries.add({{net::Prefix::around(address(), 9), 1}}, 0);  // another trie in front
    const TrieEntry root = tries.add(prefixes, 1000);
    for (int i = 0; i < 500; ++i) {
      const net::Address a = i % 2 == 0 || prefixes.empty()
                                 ? address()
                                 : prefixes[random() % prefixes.size()].prefix.address();
      BOOST_TEST(find(tries, root, a) == find_naively(prefixes, 1000, a),
                 "seed " << seed << " round " << round << " address " << net::to_string(a));
    }
  }
}

}  // namespace
}  // namespace meiguan::image
