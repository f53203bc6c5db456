// The helpers' tables by themselves: what a party may have of them, and who waits for the same.

#include "dataplane/fastpath/helper_table.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>
#include <vector>

#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

constexpr std::uint32_t kNone = HelperTable::kNone;
constexpr FlowTime kUntil = 1000;

Expected towards(std::uint32_t control, std::uint16_t port) {
  Expected expected;
  expected.control = control;
  expected.key.source = net::Address::v4(0x0a40'2509);
  expected.key.destination = net::Address::v4(0x3bcd'100a);
  expected.key.protocol = net::protocol::kUdp;
  expected.key.destination_port = port;
  expected.until = kUntil;
  return expected;
}

std::uint32_t take_call(HelperTable& table, std::uint32_t party) {
  const std::uint32_t number = table.take_control(party);
  if (number != kNone) table.control(number).helper = image::Helper::kSip;
  return number;
}

BOOST_AUTO_TEST_CASE(a_party_leaves_control_flows_to_others) {
  HelperTable table{64, 3, HashSeed::from(1)};
  std::vector<std::uint32_t> greedy;
  for (std::uint32_t n; (n = table.take_control(0)) != kNone;) greedy.push_back(n);
  BOOST_TEST(greedy.size() == 56U);
  for (int i = 0; i < 4; ++i) {
    BOOST_TEST(table.take_control(1) != kNone);
    BOOST_TEST(table.take_control(2) != kNone);
  }
  BOOST_TEST(table.controls() == 64U);
  BOOST_TEST(table.take_control(2) == kNone);
  // What it gives back is for those who have less, until there is enough again.
  table.give_back_control(greedy.back());
  BOOST_TEST(table.take_control(0) == kNone);
  BOOST_TEST(table.take_control(2) != kNone);
  for (std::size_t i = 1; i <= 9; ++i) table.give_back_control(greedy[greedy.size() - 1 - i]);
  BOOST_TEST(table.take_control(0) != kNone);
}

// What is not forgotten yet may be much, all of one end: a packet's walk over it has an end.
BOOST_AUTO_TEST_CASE(a_packet_looks_at_few_that_are_late) {
  HelperTable table{64, 1, HashSeed::from(1)};
  const std::uint32_t first = take_call(table, 0);
  const std::uint32_t second = take_call(table, 0);
  Expected waiting = towards(first, 5000);
  waiting.until = kUntil * 2;
  const std::uint32_t live = table.expect(waiting);
  BOOST_TEST(table.find(waiting.key, kUntil + 1) == live);
  for (std::uint32_t i = 0; i < 63; ++i) BOOST_REQUIRE(table.expect(towards(first, 5000)) != kNone);
  BOOST_TEST(table.find(waiting.key, kUntil + 1) == live);
  BOOST_REQUIRE(table.expect(towards(second, 5000)) != kNone);
  BOOST_TEST(table.find(waiting.key, kUntil + 1) == kNone);
  for (int i = 0; i < 64; ++i) {
    table.expire(kUntil + 1, [&](std::uint32_t number) { table.forget(number); });
  }
  BOOST_TEST(table.find(waiting.key, kUntil + 1) == live);
}

BOOST_AUTO_TEST_CASE(a_party_leaves_expected_flows_to_others) {
  HelperTable table{64, 2, HashSeed::from(1)};
  std::vector<std::uint32_t> greedy;
  for (int i = 0; i < 5; ++i) {
    const std::uint32_t control = take_call(table, 0);
    for (std::uint16_t port = 2000;; ++port) {
      const std::uint32_t number = table.expect(towards(control, port));
      if (number == kNone) break;
      greedy.push_back(number);
    }
  }
  BOOST_TEST(greedy.size() == 224U);  // of 256; one control flow may have 64
  const std::uint32_t other = take_call(table, 1);
  for (std::uint16_t i = 0; i < 32; ++i) {
    BOOST_TEST(table.expect(towards(other, static_cast<std::uint16_t>(3000 + i))) != kNone);
  }
  BOOST_TEST(table.expect(towards(other, 4000)) == kNone);
  for (const std::uint32_t number : greedy) table.forget(number);
  BOOST_TEST(table.live() == 32U);
  BOOST_TEST(table.expect(towards(other, 4000)) != kNone);
}

// As a list would have it.
BOOST_AUTO_TEST_CASE(many_that_wait_for_the_same_flow) {
  HelperTable table{64, 1, HashSeed::from(1)};
  std::mt19937 dice{7};
  std::vector<std::uint32_t> waiting;
  std::vector<std::uint32_t> opened;
  std::vector<std::uint32_t> controls;
  for (int i = 0; i < 4; ++i) controls.push_back(take_call(table, 0));
  FlowKey packet = towards(0, 6000).key;
  packet.source_port = 7000;
  const auto take = [&](std::vector<std::uint32_t>& from) {
    std::swap(from[dice() % from.size()], from.back());
    const std::uint32_t number = from.back();
    from.pop_back();
    return number;
  };
  for (int step = 0; step < 5000; ++step) {
    switch (dice() % 4) {
      case 0: {
        const std::uint32_t number = table.expect(towards(controls[dice() % 4], 6000));
        if (number != kNone) waiting.push_back(number);
        break;
      }
      case 1:
        if (!waiting.empty()) table.forget(take(waiting));
        break;
      case 2:
        if (!waiting.empty()) table.open(opened.emplace_back(take(waiting)), 1);
        break;
      default:
        if (!opened.empty()) table.wait_again(waiting.emplace_back(take(opened)), kUntil);
        break;
    }
    const std::uint32_t found = table.find(packet, kUntil);
    BOOST_TEST((found == kNone) == waiting.empty());
    BOOST_TEST((found == kNone || std::ranges::find(waiting, found) != waiting.end()));
    BOOST_TEST(table.find(packet, kUntil + 1) == kNone);
    BOOST_TEST(table.waiting() == waiting.size());
    BOOST_TEST(table.live() == waiting.size() + opened.size());
  }
}

}  // namespace
}  // namespace meiguan::fastpath
