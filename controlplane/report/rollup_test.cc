#include "controlplane/report/rollup.h"

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>
#include <random>

namespace meiguan::report {
namespace {

using fastpath::Event;
using fastpath::EventKind;
using fastpath::Reason;
using store::Dimension;

constexpr WallMs kNow = 1'795'276'800'000;  // at a full minute

policy::Catalog catalog() {
  policy::Catalog catalog;
  catalog.units = {{true, "czj", "", {}}, {true, "mzj", "", {}}};
  catalog.services = {{true, "budget", "", {}}};
  catalog.rules.resize(2);
  catalog.rules[0].full_name = "360000/a";
  catalog.rules[1].full_name = "360000/b";
  for (auto& rule : catalog.rules) rule.in_use = true;
  catalog.ports = {{"lan", "extranet"}, {"wan", "internet"}};
  return catalog;
}

Sums counters() {
  Sums sums;
  sums.reasons.resize(fastpath::kReasonCodes);
  sums.rules.resize(2);
  return sums;
}

Rollup rollup(std::size_t keys = 1000) {
  RollupOptions options;
  options.node = "360121";
  options.keys = keys;
  Rollup result{options};
  result.set_catalog(catalog());
  result.attach(counters());
  return result;
}

Event flow(EventKind kind, std::uint16_t port, std::uint64_t start, std::uint64_t time,
           std::uint64_t packets, std::uint64_t replies) {
  Event event;
  event.kind = kind;
  event.reason = Reason::kAllowed;
  event.protocol = 6;
  event.source = net::Address::v4(0x0a000001);
  event.destination = net::Address::v4(0x0a000002);
  event.source_port = port;
  event.start = start;
  event.time = time;
  event.in_port = PortId{0};
  event.out_port = PortId{1};
  event.unit = UnitId{0};
  event.service = ServiceId{0};
  event.rule = RuleId{0};
  event.packets = packets;
  event.bytes = packets * 100;
  event.reply_packets = replies;
  event.reply_bytes = replies * 1000;
  return event;
}

Event denial(UnitId unit, std::uint64_t packets, Reason reason = Reason::kDenied) {
  Event event;
  event.kind = EventKind::kDenial;
  event.reason = reason;
  event.source = net::Address::v4(0x0a000003);
  event.unit = unit;
  event.packets = packets;
  event.bytes = packets * 60;
  return event;
}

std::int64_t sum(const std::vector<store::Batch>& batches, Dimension d, std::string_view name,
                 std::int64_t store::Sums::*part = &store::Sums::packets) {
  std::int64_t total = 0;
  for (const auto& batch : batches) {
    for (const auto& row : batch.rows) {
      if (row.key[d] == name) total += row.sums.*part;
    }
  }
  return total;
}

std::string by_minute(const std::vector<store::Batch>& batches) {
  std::string text;
  for (const auto& batch : batches) {
    std::int64_t packets = 0;
    for (const auto& row : batch.rows) packets += row.sums.packets;
    text += fmt::format("{}:{} ", batch.minute - kNow / 1000, packets);
  }
  return text;
}

BOOST_AUTO_TEST_CASE(a_flow_counts_once_however_often_it_tells) {
  auto r = rollup();
  r.take(flow(EventKind::kFlowStart, 1, 1000, 1000, 1, 0), 0, kNow);
  r.take(flow(EventKind::kFlowPeriodic, 1, 1000, 31'000, 10, 5), 0, kNow + 30'000);
  r.take(flow(EventKind::kFlowPeriodic, 1, 1000, 91'000, 30, 5), 0, kNow + 90'000);
  r.take(flow(EventKind::kFlowEnd, 1, 1000, 101'000, 31, 7), 0, kNow + 100'000);
  // Another behind it by the same addresses, and one that never told before its end.
  r.take(flow(EventKind::kFlowEnd, 1, 102'000, 103'000, 4, 4), 0, kNow + 102'000);
  r.take(flow(EventKind::kFlowEnd, 2, 102'000, 103'000, 1, 0), 1, kNow + 102'000);
  const auto all = r.take_all();
  BOOST_TEST(sum(all, Dimension::kDirection, "request") == 36);
  BOOST_TEST(sum(all, Dimension::kDirection, "reply") == 11);
  BOOST_TEST(sum(all, Dimension::kDirection, "request", &store::Sums::bytes) == 3600);
  BOOST_TEST(sum(all, Dimension::kDirection, "reply", &store::Sums::bytes) == 11'000);
  BOOST_TEST(sum(all, Dimension::kRule, "360000/a", &store::Sums::started) == 1);
  BOOST_TEST(sum(all, Dimension::kRule, "360000/a", &store::Sums::ended) == 3);
  BOOST_TEST(sum(all, Dimension::kService, "budget") == 47);
  BOOST_TEST(sum(all, Dimension::kFromZone, "extranet") == 47);
  BOOST_TEST(sum(all, Dimension::kToZone, "internet") == 47);
  BOOST_TEST(sum(all, Dimension::kFamily, "ipv4") == 47);
}

BOOST_AUTO_TEST_CASE(traffic_lies_in_the_minutes_in_which_it_was) {
  auto r = rollup();
  r.take(flow(EventKind::kFlowPeriodic, 1, 0, 60'000, 600, 0), 0, kNow + 90'000);
  const auto all = r.take_all();
  BOOST_TEST(by_minute(all) == "0:300 60:300 ");
  for (const auto& batch : all) {
    BOOST_TEST(batch.rows.at(0).sums.peak_packets == 10);
    BOOST_TEST(batch.rows.at(0).sums.peak_bytes == 1000);
  }
}

BOOST_AUTO_TEST_CASE(flows_of_before_count_from_their_next_event) {
  auto r = rollup();
  auto before = counters();
  before.packets = 100;
  r.attach(before);
  r.take(flow(EventKind::kFlowStart, 9, 50'000, 50'000, 0, 0), 0, kNow);
  r.take(flow(EventKind::kFlowPeriodic, 1, 1000, 60'000, 100, 0), 0, kNow);
  r.take(flow(EventKind::kFlowPeriodic, 1, 1000, 70'000, 103, 0), 0, kNow);
  r.take(flow(EventKind::kFlowEnd, 2, 1000, 70'000, 100, 0), 0, kNow);
  r.take(flow(EventKind::kFlowEnd, 9, 50'000, 70'000, 4, 0), 0, kNow);
  BOOST_TEST(sum(r.take_all(), Dimension::kDirection, "request") == 7);
}

BOOST_AUTO_TEST_CASE(flows_that_are_too_many_count_when_they_end) {
  RollupOptions options;
  options.flows = 1;
  Rollup r{options};
  r.attach(counters());
  for (std::uint16_t port = 1; port <= 3; ++port) {
    r.take(flow(EventKind::kFlowPeriodic, port, 0, 60'000, 10, 0), 0, kNow);
  }
  BOOST_TEST(r.unfollowed() == 2U);
  for (std::uint16_t port = 1; port <= 3; ++port) {
    r.take(flow(EventKind::kFlowEnd, port, 0, 70'000, 11, 0), 0, kNow);
  }
  BOOST_TEST(sum(r.take_all(), Dimension::kDirection, "request") == 33);
}

BOOST_AUTO_TEST_CASE(rows_of_a_reason_add_up_to_its_counter) {
  auto r = rollup();
  auto now = counters();
  const auto at = [&](Reason reason) -> std::uint64_t& {
    return now.reasons[static_cast<std::size_t>(reason)][0];
  };
  r.take(denial(UnitId{0}, 1), 0, kNow);
  r.take(denial(UnitId{1}, 40), 0, kNow);  // and 39 of whom only the reason is known
  r.take(flow(EventKind::kFlowEnd, 1, 0, 1000, 10, 5), 0, kNow);
  at(Reason::kDenied) = 50;     // 9 were lost
  at(Reason::kForGateway) = 7;  // no event ever tells of these
  at(Reason::kAllowed) = 20;    // 5 more, of flows that live, or lost
  now.flows_created = 2;
  now.flows_ended = 1;
  now.events_lost = 3;
  r.count(now, kNow, 1000);
  r.count(now, kNow + 60'000, 1000);
  BOOST_TEST(r.untold_packets() == 5);
  const auto open = r.open_minutes();
  BOOST_TEST(sum(open, Dimension::kReason, "denied") == 50);
  BOOST_TEST(sum(open, Dimension::kUnit, "czj", &store::Sums::packets) == 1 + 15);
  BOOST_TEST(sum(open, Dimension::kUnit, "mzj") == 1);
  BOOST_TEST(sum(open, Dimension::kReason, "for-gateway") == 7);
  BOOST_TEST(sum(open, Dimension::kReason, "allowed") == 15);
  BOOST_TEST(sum(open, Dimension::kUnit, "(untold)", &store::Sums::started) == 2);
  std::int64_t lost = 0;
  for (const auto& batch : open) lost += batch.watch.events_lost;
  BOOST_TEST(lost == 3);
  // No flow lives any more: what is left was lost.
  now.flows_ended = 2;
  r.count(now, kNow + 61'000, 1000);
  r.count(now, kNow + 120'000, 1000);
  BOOST_TEST(r.untold_packets() == 0);
  BOOST_TEST(sum(r.open_minutes(), Dimension::kReason, "allowed") == 20);
}

BOOST_AUTO_TEST_CASE(what_was_only_late_is_taken_back) {
  auto r = rollup();
  auto now = counters();
  now.reasons[static_cast<std::size_t>(Reason::kDenied)][0] = 5;
  r.count(now, kNow, 1000);
  r.count(now, kNow + 60'000, 1000);  // thought to be lost
  r.take(denial(UnitId{0}, 1), 0, kNow + 61'000);
  r.count(now, kNow + 61'000, 1000);
  r.count(now, kNow + 120'000, 1000);
  const auto all = r.take_all();
  BOOST_TEST(sum(all, Dimension::kReason, "denied") == 5);
  BOOST_TEST(sum(all, Dimension::kUnit, "czj") == 1);
}

BOOST_AUTO_TEST_CASE(a_data_plane_that_ends_leaves_nothing_open) {
  auto r = rollup();
  auto now = counters();
  now.reasons[static_cast<std::size_t>(Reason::kAllowed)][0] = 12;
  now.flows_created = 1;
  r.take(flow(EventKind::kFlowPeriodic, 1, 0, 1000, 10, 0), 0, kNow);
  r.count(now, kNow, 1000);
  r.detach(kNow);
  BOOST_TEST(sum(r.take_all(), Dimension::kReason, "allowed") == 12);
}

BOOST_AUTO_TEST_CASE(keys_beyond_the_cap_are_one_row_and_counted) {
  auto r = rollup(3);
  for (int i = 0; i < 10; ++i) {
    auto event = denial(UnitId{0}, 1, static_cast<Reason>(3 + i % 6));
    r.take(event, 0, kNow);
  }
  const auto all = r.take_all();
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_TEST(all[0].watch.folded == 4);
  BOOST_TEST(sum(all, Dimension::kUnit, "(other)") == 4);
  BOOST_TEST(sum(all, Dimension::kUnit, "czj") == 6);
}

BOOST_AUTO_TEST_CASE(names_last_over_a_reload) {
  auto r = rollup();
  r.take(denial(UnitId{0}, 1), 0, kNow);
  auto other = catalog();
  other.units = {{true, "new", "", {}}, {true, "czj", "", {}}};  // not that ids ever change
  r.set_catalog(other);
  r.take(denial(UnitId{0}, 1), 0, kNow);
  r.take(denial(UnitId{1}, 1), 0, kNow);
  const auto all = r.take_all();
  BOOST_TEST(sum(all, Dimension::kUnit, "czj") == 2);
  BOOST_TEST(sum(all, Dimension::kUnit, "new") == 1);
}

// A clock that goes any way it likes: each packet lies in one minute, that of the clock.
BOOST_AUTO_TEST_CASE(a_clock_that_jumps_loses_and_doubles_nothing) {
  struct Case {
    const char* name;
    std::vector<WallMs> clock;  // a packet at each, then minutes that are over are taken
    const char* want;           // all that was handed out, parts of one minute added up
  };
  const Case kCases[] = {
      {"on", {0, 60'000, 120'000, 240'000}, "0:1 60:1 120:1 240:1 "},
      {"back an hour", {0, 60'000, -3'600'000, -3'540'000, 0}, "-3600:1 -3540:1 0:2 60:1 "},
      {"back, and there again", {0, 60'000, 200'000, 0, 60'000, 200'000}, "0:2 60:2 180:2 "},
      {"ahead a year, and back", {0, 31'536'000'000, 1000, 61'000}, "0:2 60:1 31536000:1 "},
  };
  for (const auto& test : kCases) {
    auto r = rollup();
    std::map<std::int64_t, std::int64_t> minutes;
    std::int64_t watched = 0;
    std::uint64_t dropped = 0;
    const auto keep = [&](const std::vector<store::Batch>& batches) {
      for (const auto& batch : batches) {
        watched += batch.watch.watched_ms;
        for (const auto& row : batch.rows) {
          minutes[batch.minute - kNow / 1000] += row.sums.packets;
        }
      }
    };
    for (const auto at : test.clock) {
      r.take(denial(UnitId{0}, 1), 0, kNow + at);
      auto now = counters();
      now.reasons[static_cast<std::size_t>(Reason::kDenied)][0] = ++dropped;
      r.count(now, kNow + at, 1000);
      keep(r.take_over(kNow + at));
    }
    keep(r.take_all());
    std::string text;
    for (const auto& [minute, packets] : minutes) {
      if (packets != 0) text += fmt::format("{}:{} ", minute, packets);
    }
    BOOST_TEST(watched == static_cast<std::int64_t>(test.clock.size()) * 1000, test.name);
    BOOST_TEST_CONTEXT(test.name) { BOOST_TEST(text == test.want); }
  }
}

BOOST_AUTO_TEST_CASE(rules_with_hits_are_told_and_the_list_of_all_is_beside) {
  auto r = rollup();
  auto now = counters();
  now.rules[1] = {0, 0, 4, 2};
  r.count(now, kNow, 60'000);
  const auto all = r.take_all();
  BOOST_REQUIRE(all.size() == 1U);
  BOOST_REQUIRE(all[0].hits.size() == 1U);
  BOOST_TEST(all[0].hits[0].rule == "360000/b");
  BOOST_TEST(all[0].hits[0].hits == 4);
  BOOST_TEST(all[0].hits[0].audited == 2);
  BOOST_REQUIRE(all[0].list);
  BOOST_TEST(*all[0].list == (store::RuleList{"360000/a", "360000/b"}),
             boost::test_tools::per_element());
  BOOST_TEST(all[0].rules == store::fingerprint_of(*all[0].list));
}

// Random flows that tell at random times: what comes out is what went in.
BOOST_AUTO_TEST_CASE(random_flows_add_up) {
  const auto seed = std::random_device{}();
  BOOST_TEST_INFO("seed " << seed);
  std::mt19937 engine{seed};
  const auto below = [&](std::uint64_t n) { return std::uint64_t{engine()} % n; };
  auto r = rollup();
  std::int64_t packets = 0;
  std::vector<store::Batch> all;
  WallMs now = kNow;
  for (std::uint16_t port = 0; port < 500; ++port) {
    const std::uint64_t start = below(100'000);
    std::uint64_t time = start;
    std::uint64_t sent = 0;
    for (std::uint64_t i = below(5); i > 0; --i) {
      time += below(60'000);
      sent += below(1000);
      r.take(flow(EventKind::kFlowPeriodic, port, start, time, sent, 0), port % 3, now);
      now += static_cast<WallMs>(below(20'000));
    }
    r.take(flow(EventKind::kFlowEnd, port, start, time + 5, sent + 1, 0), port % 3, now);
    packets += static_cast<std::int64_t>(sent) + 1;
    for (auto& batch : r.take_over(now)) all.push_back(std::move(batch));
  }
  for (auto& batch : r.take_all()) all.push_back(std::move(batch));
  BOOST_TEST(sum(all, Dimension::kReason, "allowed") == packets);
  BOOST_TEST(sum(all, Dimension::kReason, "allowed", &store::Sums::bytes) == packets * 100);
  BOOST_TEST(sum(all, Dimension::kReason, "allowed", &store::Sums::ended) == 500);
}

}  // namespace
}  // namespace meiguan::report
