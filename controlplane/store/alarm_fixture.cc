// What every store must do with alarms.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "controlplane/store/store_fixture.h"

namespace meiguan::store {
namespace {

Applied append(Store& store, const Batch& batch) {
  const auto done = store.append(batch);
  BOOST_REQUIRE_MESSAGE(done.has_value(), (done ? "" : done.error().message.english));
  return *done;
}

// "360121 syn-flood 10.0.0.1 0-60 5": with seconds since the test's day, open where it stands.
std::string test_alarms(Store& store, std::int64_t since) {
  const auto rows = store.alarms(since);
  if (!rows) return "error: " + rows.error().message.english;
  std::string text;
  for (const auto& row : *rows) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} {} {} {}-{} {}", row.node, row.alarm.name, row.alarm.about,
                        row.alarm.since - kTestDay,
                        row.until ? fmt::format("{}", *row.until - kTestDay) : "",
                        row.alarm.packets);
  }
  return text;
}

}  // namespace

void alarms_stand_until_they_are_told_no_more(Store& store) {
  std::uint64_t sequence = 0;
  const auto told = [&](const char* node, std::int64_t at, std::vector<Alarm> alarms) {
    auto batch = test_batch(node, ++sequence, kTestDay, {});
    batch.stream = Stream::kAlarms;
    batch.told = kTestDay + at;
    batch.alarms = std::move(alarms);
    return batch;
  };
  const Alarm flood{"syn-flood", "attack", "10.0.0.1", kTestDay, 5};
  const Alarm full{"flow-table-full", "limit", "", kTestDay + 30, 7};
  auto more = flood;
  more.packets = 9;
  append(store, told("360121", 0, {flood}));
  const auto second = told("360121", 40, {full, more});
  append(store, second);
  BOOST_TEST((append(store, second) == Applied::kBefore));
  sequence = 0;
  append(store, told("360122", 50, {full}));
  const auto standing = kTestDay + kDay;
  BOOST_TEST(test_alarms(store, standing) ==
             "360121 syn-flood 10.0.0.1 0- 9; 360121 flow-table-full  30- 7; "
             "360122 flow-table-full  30- 7");
  sequence = 2;
  append(store, told("360121", 90, {full}));
  BOOST_TEST(test_alarms(store, standing) ==
             "360121 flow-table-full  30- 7; 360122 flow-table-full  30- 7");
  BOOST_TEST(test_alarms(store, kTestDay + 91) == test_alarms(store, standing));
  BOOST_TEST(test_alarms(store, kTestDay + 90) ==
             "360121 syn-flood 10.0.0.1 0-90 9; 360121 flow-table-full  30- 7; "
             "360122 flow-table-full  30- 7");
  // They are no rows of traffic, and no time that was watched.
  Query query{.since = kTestDay,
              .until = kTestDay + kDay,
              .step = 60,
              .now = kTestDay,
              .by = {},
              .filter = {}};
  const auto answer = store.query(query);
  BOOST_REQUIRE(answer.has_value());
  BOOST_TEST(answer->rows.empty());
  BOOST_TEST(answer->watched.steps.empty());
  // A node that makes many is remembered by the latest of them.
  for (std::int64_t i = 0; i < 12; ++i) {
    std::vector<Alarm> many(100, flood);
    for (std::size_t k = 0; k < many.size(); ++k) {
      many[k].about = fmt::format("{}-{}", i, k);
      many[k].since = kTestDay + 100 + i;
    }
    append(store, told("360121", 100 + i, std::move(many)));
  }
  append(store, told("360121", 200, {}));
  std::size_t kept = 0;
  const auto all = store.alarms(0);
  BOOST_REQUIRE(all.has_value());
  for (const auto& row : *all) kept += row.node == "360121" ? 1U : 0U;
  BOOST_TEST(kept <= kMostPastAlarms);
  BOOST_TEST(kept >= kMostPastAlarms - 100);
  // What stands is kept for good, the rest for a time.
  BOOST_REQUIRE(store.drop_old(kTestDay + kAlarmsKept + kDay).has_value());
  BOOST_TEST(test_alarms(store, 0) == "360122 flow-table-full  30- 7");
}

}  // namespace meiguan::store
