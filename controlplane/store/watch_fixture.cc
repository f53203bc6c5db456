// What every store must know of who was watched when.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "controlplane/store/store_fixture.h"
#include "controlplane/store/unwatched.h"

namespace meiguan::store {
namespace {

// "360121: 0-5 10-15; 360122: ": minutes of the test's day, of each node.
std::string spans(Store& store, const std::set<std::string>& nodes, std::int64_t since,
                  std::int64_t until, std::int64_t now) {
  const auto query = watch_query(nodes, kTestDay + since * kMinute, kTestDay + until * kMinute,
                                 5 * kMinute, now);
  const auto answer = store.query(query);
  if (!answer) return "error: " + answer.error().message.english;
  std::string text;
  for (const auto& [node, found] : unwatched(*answer, nodes, query)) {
    if (!text.empty()) text += "; ";
    text += node + ":";
    for (const auto& span : found) {
      text += fmt::format(" {}-{}", (span.since - kTestDay) / kMinute,
                          (span.until - kTestDay) / kMinute);
    }
  }
  return text;
}

}  // namespace

void fill_days(Store& store, int from, int until) {
  std::vector<Batch> batches;
  for (int day = from; day < until; ++day) {
    batches.push_back(test_batch("360121", static_cast<std::uint64_t>(day) + 1,
                                 kTestDay + day * kDay, {test_row("czj", "allowed", 1)}));
  }
  BOOST_REQUIRE(store.append(batches).has_value());
}

void days_are_enough(Store& store) {
  const auto all = [&](int days) {
    return test_sums(store, Dimension::kUnit, {}, kTestDay, kTestDay + days * kDay);
  };
  BOOST_TEST(all(100) == "czj=60");
  fill_days(store, 60, 150);
  BOOST_TEST(all(60) == "czj=60");
  BOOST_TEST(all(100) == "czj=100");
  BOOST_TEST(all(160) == "czj=150");
}

// As `nodes --down --since` asks.
void what_nobody_watched_is_told_in_spans(Store& store) {
  std::uint64_t sequence = 0;
  for (const std::int64_t minute : {0, 1, 4, 7, 20, 21, 39}) {
    auto batch = test_batch("360121", ++sequence, kTestDay + minute * kMinute, {});
    if (minute == 39) batch.watch.watched_ms = 0;  // it reported, and had nobody to watch
    BOOST_REQUIRE(store.append(batch).has_value());
  }
  BOOST_REQUIRE(
      store
          .append(test_batch("360122", 1, kTestDay + 12 * kMinute, {test_row("czj", "allowed", 5)}))
          .has_value());
  const auto now = kTestDay + kHour;
  const std::set<std::string> both{"360121", "360122"};
  BOOST_TEST(spans(store, both, 0, 40, now) == "360121: 10-20 25-40; 360122: 0-10 15-40");
  // Whole steps: what began within one is all of it, what ends within one is none.
  BOOST_TEST(spans(store, both, 3, 23, now) == "360121: 10-20; 360122: 0-10 15-20");
  BOOST_TEST(spans(store, {"360121"}, 0, 25, now) == "360121: 10-20");
  BOOST_TEST(spans(store, {"360199"}, 0, 25, now) == "360199: 0-25");
  BOOST_TEST(spans(store, both, 20, 20, now) == "360121:; 360122:");
  // By hours, when the five minutes are kept no more: what was watched for a part of one was.
  BOOST_TEST(spans(store, both, 0, 180, kTestDay + 30 * kDay) == "360121: 60-180; 360122: 60-180");
}

}  // namespace meiguan::store
