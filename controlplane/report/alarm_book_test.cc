#include "controlplane/report/alarm_book.h"

#include <boost/test/unit_test.hpp>

namespace meiguan::report {
namespace {

constexpr std::int64_t kNow = 1'795'276'800;

SeenAlarm limit(std::int64_t packets) { return {"flow-table-full", "limit", "", packets, true}; }
SeenAlarm attack(const std::string& about, std::int64_t packets) {
  return {"syn-flood", "attack", about, packets, false};
}
SeenAlarm filling(const std::string& about) {
  return {"flow-table-nearly-full", "capacity", about, 0, false};
}

// "name about since packets; …", with seconds since the test's begin; "-" where nothing is news.
std::string told(const std::optional<std::vector<store::Alarm>>& alarms) {
  if (!alarms) return "-";
  std::string text;
  for (const auto& alarm : *alarms) {
    if (!text.empty()) text += "; ";
    text += alarm.name + " " + alarm.about + " " + std::to_string(alarm.since - kNow) + " " +
            std::to_string(alarm.packets);
  }
  return text;
}

BOOST_AUTO_TEST_CASE(what_comes_and_goes_is_news) {
  struct Step {
    std::int64_t at;
    std::vector<SeenAlarm> seen;
    const char* want;
  };
  const Step kSteps[] = {
      {0, {}, ""},  // what stood before this daemon started is over
      {2, {}, "-"},
      {12, {limit(3)}, "flow-table-full  12 3"},
      {14, {attack("10.0.0.1", 50)}, "-"},  // not before ten seconds are over
      {16, {limit(2), attack("10.0.0.1", 60)}, "-"},
      {22, {attack("10.0.0.1", 60)}, "syn-flood 10.0.0.1 14 60; flow-table-full  12 5"},
      {30, {attack("10.0.0.1", 70)}, "-"},  // only more of the same
      {75, {attack("10.0.0.1", 80)}, "-"},
      {76, {attack("10.0.0.1", 80)}, "syn-flood 10.0.0.1 14 80"},  // a minute without the other
      {136, {attack("10.0.0.1", 90)}, "syn-flood 10.0.0.1 14 90"},
      {146, {attack("10.0.0.2", 1)}, "syn-flood 10.0.0.1 14 90; syn-flood 10.0.0.2 146 1"},
      {206, {}, ""},
      {220, {filling("81 / 100")}, "flow-table-nearly-full 81 / 100 220 0"},
      {240, {filling("82 / 100")}, "-"},  // the same one, whatever is said of it now
      {100, {filling("82 / 100")}, "-"},  // the clock went back
      {110,
       {filling("82 / 100"), limit(1)},
       "flow-table-nearly-full 81 / 100 110 0; "
       "flow-table-full  110 1"},
      {50, {}, "-"},  // and again: what was seen then is as if it were seen now
      {120, {}, ""},
  };
  AlarmBook book;
  for (const auto& step : kSteps) {
    BOOST_TEST(told(book.take(step.seen, kNow + step.at)) == step.want, step.at);
  }
}

BOOST_AUTO_TEST_CASE(there_is_room_for_so_many) {
  AlarmBook book;
  std::vector<SeenAlarm> many;
  for (std::size_t i = 0; i < 5 * AlarmBook::kMost; ++i) {
    many.push_back(attack("10.0.0." + std::to_string(i), 1));
  }
  const auto first = book.take(many, kNow);
  BOOST_REQUIRE(first.has_value());
  BOOST_TEST(first->size() == AlarmBook::kMost + 1);
  BOOST_TEST(first->front().name == "more-alarms");
  many.resize(AlarmBook::kMost / 2);
  const auto later = book.take(many, kNow + AlarmBook::kQuietSeconds);
  BOOST_REQUIRE(later.has_value());
  BOOST_TEST(later->size() == AlarmBook::kMost / 2);
}

BOOST_AUTO_TEST_CASE(what_is_said_at_length_is_cut_between_characters) {
  AlarmBook book;
  std::string text;
  for (int i = 0; i < 100; ++i) text += "告警";
  const std::vector<SeenAlarm> seen{filling(text)};
  const auto alarms = book.take(seen, kNow);
  BOOST_REQUIRE(alarms.has_value());
  BOOST_REQUIRE(alarms->size() == 1U);
  BOOST_TEST(alarms->front().about == text.substr(0, 198));
}

}  // namespace
}  // namespace meiguan::report
