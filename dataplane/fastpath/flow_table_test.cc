#include "dataplane/fastpath/flow_table.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>
#include <vector>

#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using test::address;

FlowKey random_key(std::mt19937& random) {
  FlowKey key;
  const auto end = [&] {
    return random() % 2 == 0
               ? net::Address::v4(0x0a000000U + static_cast<std::uint32_t>(random() % 4))
               : address(random() % 2 == 0 ? "2001:db8::1" : "2001:db8::2");
  };
  key.source = end();
  do key.destination = end();
  while (key.destination == key.source);
  key.source_port = static_cast<std::uint16_t>(random() % 8);
  key.destination_port = static_cast<std::uint16_t>(random() % 8);
  key.space = static_cast<std::uint16_t>(random() % 2);
  key.protocol = random() % 2 == 0 ? 6 : 17;
  return key;
}

BOOST_AUTO_TEST_CASE(large_tables_begin_at_a_huge_page) {
  for (const std::size_t bytes : {std::size_t{64}, kHugePage - 64, kHugePage, kHugePage * 3 + 64}) {
    HugeVector<Translation> records(bytes / sizeof(Translation));
    const auto at = reinterpret_cast<std::uintptr_t>(records.data());
    BOOST_TEST(at % (bytes < kHugePage ? alignof(Translation) : kHugePage) == 0U, bytes);
    BOOST_TEST((records.front().helper == Translation::kNone));
    BOOST_TEST((records.back().helper == Translation::kNone));
  }
}

BOOST_AUTO_TEST_CASE(keys_match_in_both_directions) {
  std::mt19937 random{1};
  const HashSeed seed = HashSeed::from(42);
  for (int round = 0; round < 1000; ++round) {
    const FlowKey key = random_key(random);
    BOOST_TEST(int{matches(key, key)} == int{match::kInitiator});
    BOOST_TEST(int{matches(turned(key), key)} == int{match::kResponder});
    BOOST_TEST(flow_hash(key, seed) == flow_hash(turned(key), seed));
    const FlowKey other = random_key(random);
    const auto tie = [](const FlowKey& k) {
      return std::tie(k.source, k.destination, k.source_port, k.destination_port, k.space,
                      k.protocol, k.query);
    };
    const int want = (tie(other) == tie(key) ? 1 : 0) | (tie(turned(other)) == tie(key) ? 2 : 0);
    BOOST_TEST(int{matches(other, key)} == want);
  }
}

// A key that differs in one field only has another hash, and ports do not cancel addresses.
BOOST_AUTO_TEST_CASE(every_field_takes_part_in_the_hash) {
  const HashSeed seed = HashSeed::from(42);
  std::set<std::uint64_t> hashes;
  FlowKey key;
  key.source = address("2001:db8::1");
  key.destination = address("2001:db8::2");
  const auto add = [&](const FlowKey& k) { hashes.insert(flow_hash(k, seed)); };
  add(key);
  std::size_t count = 1;
  for (std::uint16_t i = 1; i < 1000; ++i) {
    FlowKey k = key;
    k.source_port = i;
    add(k);
    k = key;
    k.destination_port = i;
    add(k);
    k = key;
    k.space = i;
    add(k);
    count += 3;
  }
  for (unsigned i = 1; i < 256; ++i) {
    FlowKey k = key;
    k.protocol = static_cast<std::uint8_t>(i);
    add(k);
    k.query = 1;
    add(k);
    count += 2;
  }
  BOOST_TEST(hashes.size() == count);
}

// The twin is a map from the initiator's key.
BOOST_AUTO_TEST_CASE(flows_agree_with_a_map) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  FlowTable table{200, HashSeed::from(seed)};
  using Twin = std::map<FlowKey::Words, std::uint32_t>;
  Twin twin;
  for (std::uint32_t round = 1; round < 60'000; ++round) {
    const FlowKey key = random_key(random);
    auto same = twin.find(key.words());
    auto opposite = twin.find(turned(key).words());
    unsigned direction = 9;
    FlowRecord* const record = table.find(key, table.hash(key), match::kEither, direction);
    const bool expected = same != twin.end() || opposite != twin.end();
    BOOST_REQUIRE_MESSAGE((record != nullptr) == expected, "seed " << seed << " round " << round);
    if (record != nullptr) {
      const auto& entry = same != twin.end() ? same : opposite;
      BOOST_REQUIRE_MESSAGE(record->generation == entry->second, "seed " << seed);
      BOOST_REQUIRE_MESSAGE(direction == (same != twin.end() ? 0U : 1U), "seed " << seed);
      unsigned other = 9;
      const std::uint8_t wrong = direction == 0 ? match::kResponder : match::kInitiator;
      BOOST_REQUIRE_MESSAGE(table.find(key, table.hash(key), wrong, other) == nullptr,
                            "seed " << seed);
      if (random() % 2 == 0) {
        table.erase(*record);
        twin.erase(entry);
      }
    } else if (FlowRecord* const made = table.insert(key, table.hash(key))) {
      BOOST_REQUIRE_MESSAGE((made->live() && made->sides[0].packets() == 0), "seed " << seed);
      made->generation = round;
      twin.emplace(key.words(), round);
    } else {
      BOOST_REQUIRE_MESSAGE(twin.size() > 150, "seed " << seed << ": full at " << twin.size());
    }
    BOOST_REQUIRE_MESSAGE(table.live() == twin.size(), "seed " << seed);
  }
}

// Two keys lead to a translated flow; the twin is a list that is searched for both.
BOOST_AUTO_TEST_CASE(translated_flows_agree_with_a_list) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  FlowTable table{400, HashSeed::from(seed), 200};
  struct Flow {
    FlowKey key;
    FlowKey reply;
    bool translated;
    std::uint32_t number;
  };
  std::vector<Flow> twin;
  const auto direction_in = [](const Flow& flow, const FlowKey& packet) {
    return equal(packet, flow.key) ? 0 : equal(packet, flow.reply) ? 1 : 2;
  };
  const auto direction_behind = [](const Flow& flow, const FlowKey& packet) {
    return equal(turned(packet), flow.reply) ? 0 : equal(turned(packet), flow.key) ? 1 : 2;
  };
  for (std::uint32_t round = 1; round < 40'000; ++round) {
    const FlowKey key = random_key(random);
    const std::uint64_t hash = table.hash(key);
    Flow* expected = nullptr;
    bool touched = false;  // by any of a flow's packets, on either side of the gateway
    for (Flow& flow : twin) {
      if (direction_in(flow, key) != 2) expected = &flow;
      touched = touched || direction_in(flow, key) != 2 || direction_behind(flow, key) != 2;
      if (const int want = direction_behind(flow, key); want != 2) {
        unsigned direction = 9;
        const FlowRecord* const quoted = table.find_quoted(key, hash, match::kEither, direction);
        BOOST_REQUIRE_MESSAGE(quoted != nullptr && quoted->generation == flow.number, seed);
        BOOST_REQUIRE_MESSAGE(direction == static_cast<unsigned>(want), "seed " << seed);
      }
    }
    unsigned direction = 9;
    FlowRecord* const record = table.find(key, hash, match::kEither, direction);
    BOOST_REQUIRE_MESSAGE((record != nullptr) == (expected != nullptr), "seed " << seed);
    if (expected != nullptr) {
      BOOST_REQUIRE_MESSAGE(record->generation == expected->number, "seed " << seed);
      BOOST_REQUIRE_MESSAGE(direction == static_cast<unsigned>(direction_in(*expected, key)),
                            "seed " << seed);
      unsigned other = 9;
      const std::uint8_t wrong = direction == 0 ? match::kResponder : match::kInitiator;
      BOOST_REQUIRE_MESSAGE(table.find(key, hash, wrong, other) == nullptr, "seed " << seed);
      if (random() % 2 == 0) {
        table.erase(*record);
        twin.erase(twin.begin() + (expected - twin.data()));
      }
      continue;
    }
    if (touched) continue;
    FlowKey reply = random() % 3 == 0 ? turned(key) : random_key(random);
    bool clash = equal(reply, key) || equal(turned(reply), reply);
    for (const Flow& flow : twin) {
      clash = clash || direction_in(flow, reply) != 2 || direction_behind(flow, reply) != 2;
    }
    if (clash) continue;
    FlowRecord* const made = table.insert(key, hash);
    if (made == nullptr) continue;
    made->generation = round;
    bool translated = random() % 2 == 0 || !equal(reply, turned(key));
    if (translated && table.translate(*made, reply) == nullptr) {
      table.erase(*made);
      continue;
    }
    twin.push_back({key, reply, translated, round});
    std::size_t with = 0;
    for (const Flow& flow : twin) with += flow.translated ? 1 : 0;
    BOOST_REQUIRE_MESSAGE(table.live() == twin.size(), "seed " << seed);
    BOOST_REQUIRE_MESSAGE(table.translations().live() == with, "seed " << seed);
  }
  BOOST_TEST(twin.size() > 20U);
}

BOOST_AUTO_TEST_CASE(translations_run_out_by_themselves) {
  FlowTable table{64, HashSeed::from(7), 16};
  FlowKey key;
  key.destination = net::Address::v4(1);
  std::vector<FlowRecord*> records;
  unsigned refused = 0;
  for (std::uint32_t i = 10; i < 42; ++i) {
    key.source = net::Address::v4(i);
    records.push_back(table.insert(key, table.hash(key)));
    BOOST_REQUIRE(records.back() != nullptr);
    FlowKey reply = turned(key);
    reply.destination = net::Address::v4(1000 + i);
    if (table.translate(*records.back(), reply) == nullptr) ++refused;
  }
  BOOST_TEST(refused == 16U);
  BOOST_TEST(table.translations().live() == 16U);
  for (FlowRecord* record : records) table.erase(*record);
  BOOST_TEST(table.translations().live() == 0U);
  BOOST_TEST(table.live() == 0U);
}

// The bucket arithmetic leaves room for all, at the sizes that the header promises.
BOOST_AUTO_TEST_CASE(a_table_can_be_filled) {
  for (const std::uint32_t capacity : {16U, 1000U, 100'000U}) {
    FlowTable table{capacity, HashSeed::from(7)};
    std::uint32_t refused = 0;
    FlowKey key;
    for (std::uint32_t i = 0; i < capacity; ++i) {
      key.source = net::Address::v4(i);
      if (table.insert(key, table.hash(key)) == nullptr) ++refused;
    }
    // One in 15 000 of a table that is full anyway; small tables have small numbers.
    BOOST_TEST(refused <= 3 + capacity / 5000, capacity);
    key.source = net::Address::v4(capacity);
    if (refused == 0) BOOST_TEST(table.insert(key, table.hash(key)) == nullptr);
  }
}

BOOST_AUTO_TEST_CASE(the_rotation_visits_what_is_due_and_only_once) {
  FlowTable table{64, HashSeed::from(7)};
  std::vector<FlowRecord*> records;
  FlowKey key;
  for (std::uint32_t i = 0; i < 40; ++i) {
    key.source = net::Address::v4(i);
    records.push_back(table.insert(key, table.hash(key)));
    BOOST_REQUIRE(records.back() != nullptr);
    table.look_at(*records.back(), 100 + i);
  }
  std::vector<std::uint32_t> seen;
  const auto visit = [&](FlowRecord& record) {
    seen.push_back(record.key.source.v4_value());
    table.erase(record);
  };
  std::size_t prepared = 0;
  const auto prepare = [&](const FlowRecord& record) { prepared += record.live() ? 1U : 0U; };
  table.rotate(1000, 99, prepare, visit);
  BOOST_TEST(seen.empty());
  table.rotate(1000, 109, prepare, visit);
  BOOST_TEST(seen.size() == 10U);
  seen.clear();
  // Times wrap.
  table.look_at(*records[20], 5);
  table.rotate(1000, 0xffff'fff0, prepare, visit);
  BOOST_TEST(seen.empty());
  table.rotate(1000, 6, prepare, visit);
  BOOST_TEST((seen == std::vector<std::uint32_t>{20}));
  BOOST_TEST(prepared == 11U);
  BOOST_TEST(table.live() == 29U);
}

}  // namespace
}  // namespace meiguan::fastpath
