#include "dataplane/fastpath/flow_limits.h"

#include <boost/test/unit_test.hpp>

#include <map>
#include <random>
#include <vector>

#include "dataplane/fastpath/rate.h"
#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

constexpr CounterCapacity kSmall{.ports = 8, .units = 8, .services = 8, .rules = 8};

FlowKey key_of(std::uint32_t source, std::uint32_t destination, std::uint16_t port = 1) {
  FlowKey key;
  key.source = net::Address::v4(source);
  key.destination = net::Address::v4(destination);
  key.source_port = port;
  key.destination_port = 443;
  key.protocol = net::protocol::kTcp;
  return key;
}

// How many of so many a millisecond pass in ten seconds, once the first second's burst is spent.
BOOST_AUTO_TEST_CASE(a_flow_rate_is_what_it_says) {
  for (const std::uint32_t wanted : {1U, 7U, 200U, 3000U, 99'999U, 3'000'000U}) {
    for (const std::uint32_t workers : {1U, 2U, 7U}) {
      const FlowRate rate = FlowRate::of(wanted, workers);
      RateTime next = 0;
      std::uint64_t passed = 0;
      std::uint64_t burst = 0;
      // It begins at rest, an hour after the clock did; each millisecond brings more than it lets.
      const std::uint64_t tries = wanted / 1000 * 3 + 3;
      for (std::uint64_t ms = 3'600'000; ms < 3'600'000 + 11'000; ++ms) {
        const RateTime now = rate_time(ms);
        const bool first = ms == 3'600'000;
        for (std::uint64_t i = 0; i < (first ? wanted + 5 : tries); ++i) {
          if (!rate.has_room(next, now)) break;
          next = rate.after_one(next, now);
          if (first) ++burst;
          if (ms >= 3'601'000) ++passed;
        }
      }
      const double share = static_cast<double>(wanted) / workers;
      BOOST_TEST_CONTEXT(wanted << " by " << workers << ": burst " << burst << ", then "
                                << passed) {
        BOOST_TEST(static_cast<double>(burst) <= std::max(share * 1.02, share + 1));
        BOOST_TEST(static_cast<double>(burst) >= std::min(share * 0.98, share - 1));
        BOOST_TEST(static_cast<double>(passed) <= std::max(share * 10 * 1.02, share * 10 + 1));
        BOOST_TEST(static_cast<double>(passed) >= std::min(share * 10 * 0.98, share * 10 - 1));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_bandwidth_is_what_it_says) {
  struct Case {
    std::uint64_t bits;
    std::uint32_t packet;
  };
  for (const auto& [bits, packet] : {Case{64'000, 100}, Case{1'000'000, 1500}, Case{20'000'000, 64},
                                     Case{1'000'000'000, 1500}, Case{100'000'000'000, 9000}}) {
    const ByteRate rate = ByteRate::of(bits, 1);
    RateTime next = 0;
    std::uint64_t bytes = 0;
    for (std::uint64_t ms = 1000; ms < 1000 + 20'000; ++ms) {
      const RateTime now = rate_time(ms);
      while (conforms(next, now, rate.burst)) {
        next = charged(next, now, rate.cost_of(packet), rate.burst);
        if (ms >= 11'000) bytes += packet;
      }
    }
    const double wanted = static_cast<double>(bits) / 8 * 10;
    BOOST_TEST_CONTEXT(bits << " bits a second in packets of " << packet << ": " << bytes) {
      BOOST_TEST(static_cast<double>(bytes) < wanted * 1.02 + packet);
      BOOST_TEST(static_cast<double>(bytes) > wanted * 0.98 - packet);
    }
  }
}

// A clock that stands still lets a burst pass and no more; one that jumps lets another pass.
BOOST_AUTO_TEST_CASE(a_rate_bears_any_clock) {
  const FlowRate rate = FlowRate::of(10, 1);
  RateTime next = 0;
  const auto burst_at = [&](std::uint64_t ms) {
    unsigned passed = 0;
    for (unsigned i = 0; i < 1000; ++i) {
      if (!rate.has_room(next, rate_time(ms))) continue;
      next = rate.after_one(next, rate_time(ms));
      ++passed;
    }
    return passed;
  };
  BOOST_TEST(burst_at(5'000) == 10U);
  BOOST_TEST(burst_at(5'000) == 0U);
  BOOST_TEST(burst_at(5'100) == 1U);
  BOOST_TEST(burst_at(std::uint64_t{10} * 365 * 86'400'000) == 10U);
  // A replay counts from 1970, and begins there.
  next = 0;
  constexpr std::uint64_t kJune2026 = 1'780'300'800'000;
  BOOST_TEST(burst_at(kJune2026) == 10U);
  BOOST_TEST(burst_at(kJune2026) == 0U);
  BOOST_TEST(burst_at(kJune2026 + 100) == 1U);
}

// What many put on a shared clock is paid back within one burst.
BOOST_AUTO_TEST_CASE(a_shared_clock_does_not_run_away) {
  const FlowRate rate = FlowRate::of(10, 1);
  RateTime next = 0;
  for (unsigned i = 0; i < 100'000; ++i) next = rate.after_one(next, rate_time(1000));
  BOOST_TEST(!rate.has_room(next, rate_time(1000)));
  BOOST_TEST(rate.has_room(next, rate_time(1200)));
}

BOOST_AUTO_TEST_CASE(shares_of_workers_are_never_nothing) {
  BOOST_TEST(Allowance::share(0, 4) == Allowance::kUnlimited);
  BOOST_TEST(Allowance::share(1, 4) == 1U);
  BOOST_TEST(Allowance::share(2000, 4) == 500U);
  BOOST_TEST(Allowance::share(2001, 4) == 501U);
}

// Random openings, establishings, changes of owners and ends: what is counted is what a recount of
// the live flows gives; of addresses it is never less, and with few addresses no more.
BOOST_AUTO_TEST_CASE(counts_are_those_of_the_live_flows) {
  struct Flow {
    FlowKey key;
    Owners owners;
    bool half_open;
  };
  const auto seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  const auto pick = [&](std::uint32_t n) { return static_cast<std::uint32_t>(random() % n); };
  const auto owners = [&] {
    Owners o;
    if (pick(4) != 0) o.unit = UnitId{pick(8)};
    if (pick(3) != 0) o.service = ServiceId{pick(8)};
    if (pick(5) != 0) o.rule = RuleId{pick(8)};
    o.in = PortId{static_cast<std::uint16_t>(pick(4))};
    return o;
  };
  Limits limits{{.flow_capacity = 1 << 16, .seed = seed}, kSmall};
  std::vector<Flow> flows;
  for (unsigned step = 0; step < 20'000; ++step) {
    const unsigned what = pick(10);
    if (what < 5 || flows.empty()) {
      Flow flow{key_of(pick(20), pick(20), static_cast<std::uint16_t>(step)), owners(),
                pick(2) == 0};
      limits.open(limits.claim(flow.key), flow.owners, flow.half_open, rate_time(step));
      flows.push_back(flow);
    } else {
      const std::size_t at = pick(static_cast<std::uint32_t>(flows.size()));
      Flow& flow = flows[at];
      if (what == 5 && flow.half_open) {
        flow.half_open = false;
        limits.set_half_open(flow.key, flow.owners, false);
      } else if (what == 6) {
        const Owners to = owners();
        limits.move(flow.owners, to, flow.half_open);
        flow.owners = to;
      } else if (what > 6) {
        limits.end(flow.key, flow.owners, flow.half_open);
        flow = flows.back();
        flows.pop_back();
      }
    }
    if (step % 500 != 0) continue;
    BOOST_TEST_CONTEXT("seed " << seed << " step " << step) {
      std::map<std::uint32_t, std::uint32_t> units, services, rules, from, towards, half;
      std::map<std::uint32_t, std::uint32_t> strangers;
      for (const Flow& flow : flows) {
        if (flow.owners.unit.is_some()) {
          ++units[flow.owners.unit.value()];
          half[flow.owners.unit.value()] += flow.half_open ? 1 : 0;
        } else {
          ++strangers[flow.owners.in.value()];
        }
        if (flow.owners.service.is_some()) ++services[flow.owners.service.value()];
        if (flow.owners.rule.is_some()) ++rules[flow.owners.rule.value()];
        ++from[flow.key.source.v4_value()];
        towards[flow.key.destination.v4_value()] += flow.half_open ? 1 : 0;
      }
      for (std::uint32_t i = 0; i < 8; ++i) {
        BOOST_TEST(limits.of(UnitId{i}).flows == units[i]);
        BOOST_TEST(limits.of(UnitId{i}).half_open == half[i]);
        BOOST_TEST(limits.of(ServiceId{i}).flows == services[i]);
        BOOST_TEST(limits.of(RuleId{i}).flows == rules[i]);
      }
      std::size_t parties = strangers.size();
      for (const auto& [unit, count] : units) parties += count != 0 ? 1 : 0;
      BOOST_TEST(limits.parties() == parties);
      for (std::uint32_t i = 0; i < 20; ++i) {
        BOOST_TEST(limits.flows_from(key_of(i, 0)) == from[i]);
        BOOST_TEST(limits.half_open_towards(key_of(0, i)) == towards[i]);
      }
    }
  }
}

// A flood of made-up sources, one flow each, does not count for an honest one.
BOOST_AUTO_TEST_CASE(made_up_sources_do_not_count_for_others) {
  constexpr std::uint32_t kFlows = 100'000;
  Limits limits{{.flow_capacity = kFlows, .seed = 7}, kSmall};
  const Owners owners{UnitId{1}, {}, RuleId{1}, PortId{0}};
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    limits.open(limits.claim(key_of(0x0a00'0000 + i, 1)), owners, true, rate_time(1));
  }
  std::uint32_t most = 0;
  for (std::uint32_t i = 0; i < 1000; ++i) {
    most = std::max(most, limits.flows_from(key_of(0xc000'0000 + i, 1)));
  }
  BOOST_TEST(most < 30U);
  BOOST_TEST(limits.flows_from(key_of(0x0a00'0000, 1)) >= 1U);
  for (std::uint32_t i = 0; i < kFlows; ++i) {
    limits.end(key_of(0x0a00'0000 + i, 1), owners, true);
  }
  BOOST_TEST(limits.flows_from(key_of(0x0a00'0000, 1)) == 0U);
  BOOST_TEST(limits.half_open_towards(key_of(0, 1)) == 0U);
  BOOST_TEST(limits.parties() == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
