// What every store must do with lists of rules.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include "controlplane/store/store_fixture.h"

namespace meiguan::store {
namespace {

// "a 2 0-60 120": hits, first and last minute watched, seconds watched.
std::string known(Store& store, const std::string& node) {
  const auto rows = store.hits(node);
  if (!rows) return "error: " + rows.error().message.english;
  std::string text;
  for (const auto& row : *rows) {
    if (!text.empty()) text += "; ";
    text += fmt::format("{} {} {}-{} {}", row.rule, row.hits, row.watched_since - kTestDay,
                        row.watched_until - kTestDay, row.watched_ms / 1000);
  }
  return text;
}

}  // namespace

void rules_are_watched_while_they_are_listed(Store& store) {
  struct Step {
    const char* name;
    RuleList in_force;
    bool tells;
    std::vector<RuleHits> hits;
    const char* want;
  };
  const Step kSteps[] = {
      {"all are new", {"a", "b"}, true, {{"b", 2, 0}}, "a 0 0-0 60; b 2 0-0 60"},
      {"no news", {"a", "b"}, false, {}, "a 0 0-60 120; b 2 0-60 120"},
      {"told once more", {"a", "b"}, true, {}, "a 0 0-120 180; b 2 0-120 180"},
      {"another", {"b", "c"}, true, {{"c", 1, 0}}, "a 0 0-120 180; b 2 0-180 240; c 1 180-180 60"},
      {"one that was lost",
       {"c", "d"},
       false,
       {{"c", 1, 0}},
       "a 0 0-120 180; b 2 0-180 240; c 2 180-240 60"},
      {"it comes after all",
       {"c", "d"},
       true,
       {},
       "a 0 0-120 180; b 2 0-180 240; c 2 180-300 120; d 0 300-300 60"},
      {"none at all",
       {},
       true,
       {},
       "a 0 0-120 180; b 2 0-180 240; c 2 180-300 120; d 0 300-300 60"},
      {"the first again",
       {"a", "b"},
       true,
       {{"a", 5, 0}},
       "a 5 0-420 240; b 2 0-420 300; c 2 180-300 120; d 0 300-300 60"},
  };
  std::uint64_t sequence = 0;
  std::vector<Batch> all;
  for (const auto& step : kSteps) {
    auto batch = test_batch("360121", sequence + 1,
                            kTestDay + static_cast<std::int64_t>(sequence) * kMinute, {});
    ++sequence;
    batch.hits = step.hits;
    batch.rules = fingerprint_of(step.in_force);
    if (step.tells) batch.list = std::make_shared<RuleList>(step.in_force);
    all.push_back(batch);
    BOOST_TEST((store.append(batch).value() == Applied::kNow));
    BOOST_TEST((store.append(batch).value() == Applied::kBefore));
    BOOST_TEST(known(store, "360121") == step.want, step.name);
  }
  // The same of another node as one group, and nothing of it is the first one's.
  const auto want = known(store, "360121");
  for (auto& batch : all) batch.node = "360122";
  BOOST_REQUIRE(store.append(all).has_value());
  BOOST_TEST(known(store, "360122") == want);
  BOOST_TEST(known(store, "360121") == want);
  // A node of an earlier version lists every rule with each batch.
  auto before = test_batch("360123", 1, kTestDay, {});
  before.hits = {{"a", 0, 0}, {"b", 1, 0}};
  BOOST_REQUIRE(store.append(before).has_value());
  BOOST_TEST(known(store, "360123") == "a 0 0-0 60; b 1 0-0 60");
}

}  // namespace meiguan::store
