#include "controlplane/policy/prefix_index.h"

#include <boost/test/unit_test.hpp>
#include <map>
#include <random>

namespace meiguan::policy {
namespace {

net::Address address_of(std::uint32_t value) { return net::Address::v4(value); }

// The naive twin looks at every prefix for every address of a /26.
struct Naive {
  std::vector<PrefixIndex::Entry> entries;

  [[nodiscard]] const PrefixIndex::Entry* longest(const net::Prefix& prefix) const {
    const PrefixIndex::Entry* best = nullptr;
    for (const auto& e : entries) {
      if (!e.prefix.contains(prefix)) continue;
      if (best == nullptr || e.prefix.length() > best->prefix.length()) best = &e;
    }
    return best;
  }

  [[nodiscard]] bool is_owned_outside(const net::Prefix& prefix, NodeId first,
                                      std::uint32_t end) const {
    const std::uint32_t from = prefix.address().v4_value();
    for (std::uint32_t a = from; a <= prefix.last().v4_value(); ++a) {
      const auto* owner = longest(net::Prefix::around(address_of(a), 32));
      if (owner != nullptr && (owner->node < first || owner->node.value() >= end)) return true;
    }
    return false;
  }
};

BOOST_AUTO_TEST_CASE(agrees_with_its_naive_twin) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random(seed);
  const auto below = [&](std::uint32_t limit) {
    return static_cast<std::uint32_t>(random() % limit);
  };
  constexpr std::uint32_t kBase = 0x0a000000;
  BOOST_TEST_CONTEXT("seed " << seed) {
    for (int round = 0; round < 400; ++round) {
      PrefixIndex index;
      Naive naive;
      std::map<net::Prefix, std::uint32_t> first_with;
      std::size_t duplicates = 0;
      const std::uint32_t count = below(12);
      for (std::uint32_t u = 0; u < count; ++u) {
        const auto prefix = net::Prefix::around(address_of(kBase + below(64)),
                                                static_cast<std::uint8_t>(24 + below(9)));
        index.add(kSharedSpace, prefix, UnitId{u}, NodeId{below(8)}, 0);
        // The same addresses in another space and family must not be seen.
        index.add(SpaceId{1}, prefix, UnitId{u}, NodeId{7}, 1);
        if (!first_with.try_emplace(prefix, u).second) duplicates += 2;
      }
      BOOST_REQUIRE(index.build().size() == duplicates);
      for (const auto& e : index.entries()) {
        if (e.space == kSharedSpace) {
          BOOST_REQUIRE(first_with.at(e.prefix) == e.unit.value());
          naive.entries.push_back(e);
        }
      }
      for (int probe = 0; probe < 40; ++probe) {
        const auto prefix = net::Prefix::around(address_of(kBase + below(80)),
                                                static_cast<std::uint8_t>(26 + below(7)));
        const auto* want = naive.longest(prefix);
        const std::uint32_t got = index.longest_cover(kSharedSpace, prefix);
        BOOST_REQUIRE((got == PrefixIndex::kNone) == (want == nullptr));
        if (want != nullptr) BOOST_REQUIRE(index.entries()[got].prefix == want->prefix);

        const NodeId first{below(8)};
        const std::uint32_t end = first.value() + 1 + below(4);
        const auto outside = index.owner_outside(kSharedSpace, prefix, first, end);
        BOOST_REQUIRE(outside.has_value() == naive.is_owned_outside(prefix, first, end));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(the_last_addresses_of_both_families) {
  PrefixIndex index;
  const auto all4 = net::Prefix::around(address_of(0), 0);
  const auto last4 = net::Prefix::around(address_of(0xffffffff), 32);
  const auto all6 = net::Prefix::around(*net::parse_address("::"), 0);
  const auto last6 = net::Prefix::around(all6.last(), 128);
  index.add(kSharedSpace, all4, UnitId{0}, NodeId{1}, 0);
  index.add(kSharedSpace, last4, UnitId{1}, NodeId{2}, 0);
  index.add(kSharedSpace, last6, UnitId{2}, NodeId{3}, 0);
  BOOST_TEST(index.build().empty());
  BOOST_TEST(index.owner_outside(kSharedSpace, last4, NodeId{1}, 2).has_value());
  BOOST_TEST(!index.owner_outside(kSharedSpace, last4, NodeId{2}, 3).has_value());
  BOOST_TEST(index.owner_outside(kSharedSpace, all4, NodeId{2}, 3).has_value());
  BOOST_TEST(index.owner_outside(kSharedSpace, all6, NodeId{1}, 3).has_value());
  // ::/0 holds the mapped form of IPv4 as bytes, but no IPv4 address.
  BOOST_TEST(!index.owner_outside(kSharedSpace, all6, NodeId{3}, 4).has_value());
}

}  // namespace
}  // namespace meiguan::policy
