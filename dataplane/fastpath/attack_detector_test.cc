#include "dataplane/fastpath/attack_detector.h"

#include <boost/test/unit_test.hpp>

#include <functional>
#include <map>
#include <random>
#include <string>
#include <vector>

namespace meiguan::fastpath {
namespace {

FlowKey key_of(std::uint32_t source, std::uint32_t destination, std::uint16_t port,
               std::uint8_t protocol = 6) {
  FlowKey key;
  key.source = net::Address::v4(source);
  key.destination = net::Address::v4(destination);
  key.source_port = 4000;
  key.destination_port = port;
  key.protocol = protocol;
  return key;
}

struct Seen {
  std::uint32_t times{0};
  std::uint64_t packets{0};
  std::uint32_t distinct{0};
};

struct Watch {
  AttackDetector detector{1U << 16, 5};
  std::map<AttackType, Seen> seen;
  void note(const Sighting& sighting) {
    if (sighting.type == AttackType::kNone) return;
    Seen& s = seen[sighting.type];
    ++s.times;
    s.packets += sighting.packets;
    s.distinct = sighting.distinct;
  }
};

struct Case {
  std::string name;
  std::function<void(Watch&)> play;
  std::vector<AttackType> wanted;
};

const std::vector<Case> kCases{
    {"nothing", [](Watch&) {}, {}},
    {"a SYN flood of one second",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 5000; ++i) {
         w.note(w.detector.flood(AttackType::kSynFlood, key_of(i, 1, 443), 100'000 + i / 5));
       }
     },
     {AttackType::kSynFlood}},
    {"SYNs below the threshold",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 9000; ++i) {
         w.note(w.detector.flood(AttackType::kSynFlood, key_of(i, 1, 443), 100'000 + i * 10 / 9));
       }
     },
     {}},
    {"SYNs to very many destinations",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 200'000; ++i) {
         w.note(w.detector.flood(AttackType::kSynFlood, key_of(i, i, 443), 100'000));
       }
     },
     {}},
    {"an ICMP flood, and UDP as many",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 3000; ++i) {
         w.note(w.detector.flood(AttackType::kIcmpFlood, key_of(i, 1, 0, 1), 5'000));
         w.note(w.detector.flood(AttackType::kUdpFlood, key_of(i, 1, 53, 17), 5'000));
       }
     },
     {AttackType::kIcmpFlood}},
    {"a vertical scan",
     [](Watch& w) {
       for (std::uint16_t port = 1; port < 1000; ++port) {
         w.note(w.detector.failed(key_of(9, 1, port), 1'000 + port * 10U));
       }
     },
     {AttackType::kVerticalScan}},
    {"two vertical scans that take turns",
     [](Watch& w) {
       for (std::uint16_t port = 1; port < 1000; ++port) {
         w.note(w.detector.failed(key_of(9, 1 + port % 2, port), 1'000 + port * 10U));
       }
     },
     {AttackType::kVerticalScan}},
    {"a horizontal scan of one port",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 1000; ++i) {
         w.note(w.detector.failed(key_of(9, 100 + i, 22), 1'000 + i));
       }
     },
     {AttackType::kHorizontalScan}},
    {"a resolver that fails at one in ten",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 60'000; ++i) {
         const FlowKey key = key_of(9, i * 7919 % 30'000, 53, 17);
         w.detector.turned(key, 1'000 + i * 10);
         if (i % 10 == 0) w.note(w.detector.failed(key, 1'000 + i * 10));
       }
       // What it asked at last fails when nothing new is asked.
       for (std::uint32_t i = 0; i < 1'000; ++i) {
         w.note(w.detector.failed(key_of(9, i * 7919 % 30'000, 53, 17), 601'000 + i * 200));
       }
     },
     {}},
    {"a scanner that turns to one server as well",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 10'000; ++i) {
         w.detector.turned(key_of(9, 1, 53, 17), 1'000 + i * 10);
         if (i % 10 == 0) w.note(w.detector.failed(key_of(9, 100 + i, 22), 1'000 + i * 10));
       }
     },
     {AttackType::kHorizontalScan}},
    {"a scanner that fails at every other target that it may ask",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 10'000; ++i) {
         w.detector.turned(key_of(9, 100 + i, 53, 17), 1'000 + i * 10);
         if (i % 2 == 0) w.note(w.detector.failed(key_of(9, 100 + i, 53, 17), 1'000 + i * 10));
       }
     },
     {AttackType::kHorizontalScan}},
    {"a sweep by echo requests",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 1000; ++i) {
         FlowKey key = key_of(9, 100 + i, 77, 1);
         key.query = 8;
         w.note(w.detector.failed(key, 1'000 + i));
       }
     },
     {AttackType::kHorizontalScan}},
    {"one target and port, tried for ever",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 100'000; ++i) w.note(w.detector.failed(key_of(9, 1, 22), i));
     },
     {}},
    {"a slow client that fails here and there",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 1000; ++i) {
         w.note(w.detector.failed(key_of(9, i, static_cast<std::uint16_t>(i)), i * 1000ULL));
       }
     },
     {}},
    {"a worm",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 100; ++i) w.note(w.detector.spread(key_of(9, i, 445), i));
     },
     {AttackType::kFanOut}},
    {"a file server's clients",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 100'000; ++i) w.note(w.detector.spread(key_of(i, 9, 445), i));
     },
     {}},
    // A million sources that fail once do not drive out the one that scans.
    {"a scan under a flood of made-up sources",
     [](Watch& w) {
       for (std::uint32_t i = 0; i < 1'000'000; ++i) {
         w.note(w.detector.failed(key_of(0x1000'0000 + i, 1, 80), 1'000 + i / 100));
         if (i % 1000 == 0) {
           w.note(w.detector.failed(key_of(9, i / 1000 + 50, 22), 1'000 + i / 100));
         }
       }
     },
     {AttackType::kHorizontalScan}},
};

BOOST_AUTO_TEST_CASE(what_is_an_attack_is_told_of_and_nothing_else) {
  for (const Case& c : kCases) {
    Watch watch;
    c.play(watch);
    std::vector<AttackType> got;
    for (const auto& [type, seen] : watch.seen) got.push_back(type);
    std::vector<unsigned> got_numbers, wanted_numbers;
    for (const AttackType type : got) got_numbers.push_back(static_cast<unsigned>(type));
    for (const AttackType type : c.wanted) wanted_numbers.push_back(static_cast<unsigned>(type));
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_TEST(got_numbers == wanted_numbers, boost::test_tools::per_element());
    }
  }
}

// Told of once a second while it lasts, and the numbers add up.
BOOST_AUTO_TEST_CASE(an_attack_that_lasts_is_told_of_once_a_second) {
  Watch watch;
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    watch.note(watch.detector.flood(AttackType::kSynFlood, key_of(i, 1, 443), 50'000 + i / 10));
  }
  const Seen& flood = watch.seen[AttackType::kSynFlood];
  BOOST_TEST(flood.times <= 21U);  // at most twice a second: as it begins, and what was left
  BOOST_TEST(flood.packets >= 90'000U);
  BOOST_TEST(flood.packets <= 100'000U);

  for (std::uint32_t i = 0; i < 10'000; ++i) {
    watch.note(
        watch.detector.failed(key_of(9, 1, static_cast<std::uint16_t>(i % 250 + 1)), 200'000 + i));
  }
  const Seen& scan = watch.seen[AttackType::kVerticalScan];
  BOOST_TEST(scan.times <= 11U);
  BOOST_TEST(scan.packets >= 8000U);
  BOOST_TEST(scan.packets <= 10'000U);
  BOOST_TEST(scan.distinct > 180U);
  BOOST_TEST(scan.distinct < 330U);
}

BOOST_AUTO_TEST_CASE(thresholds_and_workers_are_heeded) {
  Watch watch;
  watch.detector.begin({.syn_flood = 0, .vertical_scan = 20}, 2);
  for (std::uint16_t i = 1; i <= 8; ++i) watch.note(watch.detector.failed(key_of(9, 1, i), 10));
  BOOST_TEST(watch.seen.empty());
  for (std::uint16_t i = 1; i <= 12; ++i) watch.note(watch.detector.failed(key_of(9, 1, i), 10));
  BOOST_TEST(watch.seen.count(AttackType::kVerticalScan) == 1U);
  for (std::uint32_t i = 0; i < 100'000; ++i) {
    watch.note(watch.detector.flood(AttackType::kSynFlood, key_of(i, 1, 443), 10));
  }
  BOOST_TEST(watch.seen.count(AttackType::kSynFlood) == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
