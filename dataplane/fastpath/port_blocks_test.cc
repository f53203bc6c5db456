#include "dataplane/fastpath/port_blocks.h"

#include <boost/test/unit_test.hpp>

#include <map>
#include <set>
#include <utility>
#include <vector>

#include "dataplane/fastpath/mapping_table.h"
#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using test::address;

constexpr std::uint32_t kNone = PortBlocks::kNone;

// Each block of an address is another span, inside the range, and of the worker whose ports they
// are.
BOOST_AUTO_TEST_CASE(blocks_of_an_address_share_no_port) {
  struct Case {
    const char* name;
    BlockShape shape;
    std::uint32_t workers;
    std::size_t want;  // blocks of worker 0
  };
  const Case cases[] = {
      {"the default range", {512, 8, 1024, 65535}, 1, 126},
      {"small blocks", {64, 8, 1024, 65535}, 1, 1008},
      {"every port", {64, 8, 1, 65535}, 1, 1008},  // those below 1024 are a range of their own
      {"a range that no block fits evenly", {512, 8, 1500, 3000}, 1, 4},
      {"two workers", {512, 8, 1024, 65535}, 2, 63},
      {"small blocks of three workers", {128, 8, 1024, 65535}, 3, 168},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      PortBlocks blocks{{2048, 16, 0, c.workers}, HashSeed::from(3)};
      std::set<std::pair<std::uint32_t, std::uint32_t>> spans;
      for (std::uint32_t host = 1;; ++host) {
        const std::uint32_t number = blocks.take(net::Address::v4(host), 0, address("203.0.113.33"),
                                                 c.shape, false);
        if (number == kNone) break;
        const PortBlock& block = blocks[number];
        BOOST_REQUIRE(owner_of_port(block.first_port, c.workers) == 0U);
        BOOST_REQUIRE(owner_of_port(static_cast<std::uint16_t>(block.first_port + block.ports - 1),
                                    c.workers) == 0U);
        BOOST_REQUIRE(block.first_port % block.ports == 0);
        BOOST_REQUIRE(spans.insert({block.first_port, block.first_port + block.ports}).second);
      }
      BOOST_TEST(spans.size() == c.want);
    }
  }
}

// All ports of a block are given out once, none outside the range, whatever was given back before.
BOOST_AUTO_TEST_CASE(ports_of_a_block_are_given_out_once) {
  const BlockShape shape{512, 8, 1500, 3000};
  PortBlocks blocks{{64, 16, 0, 1}, HashSeed::from(3)};
  std::set<std::uint16_t> ports;
  for (std::uint32_t host = 1; host <= 4; ++host) {
    const std::uint32_t number = blocks.take(net::Address::v4(host), 0, address("203.0.113.33"),
                                             shape, false);
    BOOST_REQUIRE(number != kNone);
    while (const auto port = blocks.take_port(number, PortKind::kUdp, 7, false)) {
      BOOST_REQUIRE((*port >= 1500 && *port <= 3000));
      BOOST_REQUIRE(ports.insert(*port).second);
    }
    BOOST_TEST(blocks.take_port(number, PortKind::kTcp, 7, false).has_value());
  }
  BOOST_TEST(ports.size() == 1501U);
}

BOOST_AUTO_TEST_CASE(parity_is_kept_while_it_can_be) {
  PortBlocks blocks{{64, 16, 0, 1}, HashSeed::from(3)};
  const std::uint32_t number = blocks.take(net::Address::v4(1), 0, address("203.0.113.33"),
                                           {64, 8, 1024, 65535}, false);
  for (int i = 0; i < 32; ++i) {
    const auto port = blocks.take_port(number, PortKind::kUdp, 5001, true);
    BOOST_REQUIRE((port && *port % 2 == 1));
  }
  BOOST_TEST(!blocks.take_port(number, PortKind::kUdp, 5001, true).has_value());
  BOOST_TEST(blocks.take_port(number, PortKind::kUdp, 5000, true).has_value());
  BOOST_TEST(blocks[number].used[1] == 33U);
}

// Blocks, pool addresses and their ports come back: nothing is lost over many rounds.
BOOST_AUTO_TEST_CASE(what_is_given_back_is_there_again) {
  const BlockShape shape{512, 8, 1024, 65535};
  PortBlocks blocks{{16, 2, 0, 1}, HashSeed::from(3)};
  for (std::uint32_t round = 0; round < 200; ++round) {
    const net::Address pool = net::Address::v4(0xcb007120U + round);
    std::vector<std::uint32_t> taken;
    for (std::uint32_t i = 0; i < 17; ++i) {
      const std::uint32_t n = blocks.take(net::Address::v4(i % 3), 0, pool, shape, false);
      if (n != kNone) taken.push_back(n);
    }
    BOOST_REQUIRE(taken.size() == 16U);
    std::size_t of_host_1 = 0;
    for (std::uint32_t b = blocks.first_of(net::Address::v4(1), 0); b != kNone;
         b = blocks.next_of(b)) {
      ++of_host_1;
    }
    BOOST_REQUIRE(of_host_1 == 5U);
    for (const std::uint32_t n : taken) blocks.give_back(n);
    BOOST_REQUIRE(blocks.live() == 0U);
  }
}

Mapping ends(std::uint32_t inside, std::uint16_t port, std::uint16_t outside) {
  Mapping m;
  m.inside = net::Address::v4(inside);
  m.inside_port = port;
  m.outside = address("203.0.113.33");
  m.outside_port = outside;
  m.kind = PortKind::kUdp;
  return m;
}

// RFC 6888 REQ-8: an unused mapping rests before its port is free, and one that is used again
// stays.
BOOST_AUTO_TEST_CASE(a_mapping_rests_before_it_is_forgotten) {
  MappingTable table{8, HashSeed::from(3)};
  const std::uint32_t a = table.add(ends(1, 1000, 4000), 0);
  const std::uint32_t b = table.add(ends(2, 1000, 4001), 0);
  table.use(a);
  table.use(b);
  table.unuse(a, 100);
  table.unuse(b, 150);
  std::vector<std::uint16_t> gone;
  const auto expire = [&](FlowTime now) {
    gone.clear();
    table.expire(now, 1000, 16, [&](const Mapping& m) { gone.push_back(m.outside_port); });
  };
  expire(1099);
  BOOST_TEST(gone.empty());
  table.use(a);  // and again, for a moment
  table.unuse(a, 1099);
  expire(1150);
  BOOST_TEST((gone == std::vector<std::uint16_t>{4001}));
  BOOST_TEST(table.find_inside(net::Address::v4(1), 1000, 0, PortKind::kUdp) == a);
  BOOST_TEST(table.find_outside(address("203.0.113.33"), 4000, PortKind::kUdp) == a);
  BOOST_TEST(table.find_inside(net::Address::v4(2), 1000, 0, PortKind::kUdp) == kNone);
  BOOST_TEST(table.find_inside(net::Address::v4(1), 1000, 0, PortKind::kTcp) == kNone);
  BOOST_TEST(table.find_inside(net::Address::v4(1), 1000, 1, PortKind::kUdp) == kNone);
  expire(2099);
  BOOST_TEST((gone == std::vector<std::uint16_t>{4000}));
  BOOST_TEST(table.live() == 0U);
}

BOOST_AUTO_TEST_CASE(a_retired_mapping_is_found_from_outside_only) {
  MappingTable table{8, HashSeed::from(3)};
  const std::uint32_t old = table.add(ends(1, 1000, 4000), 0);
  table.use(old);
  table.retire(old);
  table.retire(old);
  BOOST_TEST(table.find_inside(net::Address::v4(1), 1000, 0, PortKind::kUdp) == kNone);
  const std::uint32_t next = table.add(ends(1, 1000, 5000), 0);
  BOOST_TEST(table.find_inside(net::Address::v4(1), 1000, 0, PortKind::kUdp) == next);
  BOOST_TEST(table.find_outside(address("203.0.113.33"), 4000, PortKind::kUdp) == old);
  table.unuse(old, 0);
  table.expire(5000, 1000, 16, [](const Mapping&) {});
  BOOST_TEST(table.live() == 0U);
  for (std::uint32_t i = 0; i < 8; ++i) {
    BOOST_TEST(table.add(ends(i, 1, static_cast<std::uint16_t>(i)), 0) != kNone);
  }
  BOOST_TEST(table.full());
  BOOST_TEST(table.add(ends(9, 1, 9), 0) == kNone);
}

}  // namespace
}  // namespace meiguan::fastpath
