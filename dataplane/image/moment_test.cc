// Moments against a calendar that looks at one instant alone: the standard library's.

#include "dataplane/image/moment.h"

#include <fmt/core.h>

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <chrono>
#include <random>

#include "dataplane/image/reader.h"
#include "dataplane/image/small_image.h"

namespace meiguan::image {
namespace {

using test::dated;
using test::kEarliest;
using test::kLatest;
using test::SmallImage;
using test::weekly;

constexpr std::int64_t kHour = 3600;
constexpr std::int64_t kDay = 24 * kHour;
constexpr std::int64_t kMonday = 1'772'409'600;  // 2026-03-02T00:00Z
constexpr std::int32_t kMondaysDay = kMonday / kDay;

bool naive_holds(const SmallImage& parts, const ConditionRecord& condition, std::int64_t at) {
  if (at < condition.not_before || at >= condition.expires) return false;
  if (condition.schedule == kNone) return true;
  std::int64_t offset = 0;
  for (const UtcOffset& entry : parts.offsets) {
    if (entry.at <= at) offset = entry.seconds;
  }
  const ScheduleRecord& schedule = parts.schedules[condition.schedule];
  const std::chrono::sys_seconds local{std::chrono::seconds{at + offset}};
  const auto today = std::chrono::floor<std::chrono::days>(local);
  const auto time = (local - today).count();
  const auto has = [&](std::chrono::sys_days day) {
    const auto first = parts.dates.begin() + schedule.first_date;
    if (schedule.dates != 0) {
      return std::find(first, first + schedule.dates, day.time_since_epoch().count()) !=
             first + schedule.dates;
    }
    return (schedule.weekdays >> (std::chrono::weekday{day}.iso_encoding() - 1) & 1) != 0;
  };
  if (schedule.start < schedule.end) {
    return has(today) && schedule.start <= time && time < schedule.end;
  }
  return (has(today) && time >= schedule.start) ||
         (has(today - std::chrono::days{1}) && time < schedule.end);
}

// Schedules of every kind, and conditions of them with and without dates.
SmallImage calendar() {
  SmallImage parts;
  // Clocks go forward an hour in the second week and back in the fourth, and once by 15 minutes.
  parts.offsets = {{kEarliest, 8 * 3600, 0},
                   {kMonday + 9 * kDay + 18 * kHour, 9 * 3600, 0},
                   {kMonday + 20 * kDay + 90, 9 * 3600 + 900, 0},
                   {kMonday + 24 * kDay + 18 * kHour, 8 * 3600, 0}};
  for (const std::int32_t day : {-400, 0, 1, 5, 6, 7, 20, 3000}) {
    parts.dates.push_back(kMondaysDay + day);
  }
  parts.schedules = {weekly(0x1f, 8 * 3600 + 1800, 18 * 3600),
                     weekly(0x7f, 22 * 3600, 6 * 3600),
                     weekly(0x40, 23 * 3600, 23 * 3600 - 1),  // Sunday's runs all but a day
                     weekly(0x01, 0, kSecondsOfDay),
                     weekly(0x60, 0, kSecondsOfDay),
                     weekly(0x04, 0, 1),
                     weekly(0x7f, kSecondsOfDay - 1, kSecondsOfDay),
                     weekly(0x08, 12 * 3600, 0),
                     weekly(0, 8 * 3600, 9 * 3600),  // of no day: never
                     dated(0, 8, 0, kSecondsOfDay),
                     dated(0, 8, 20 * 3600, 4 * 3600),
                     dated(1, 2, 8 * 3600, 9 * 3600),
                     dated(0, 1, 8 * 3600, 9 * 3600),
                     dated(7, 1, 8 * 3600, 9 * 3600)};
  for (std::uint32_t s = 0; s < parts.schedules.size(); ++s) {
    parts.conditions.push_back({kEarliest, kLatest, s, 0});
    parts.conditions.push_back({kMonday + s * kDay + 7, kMonday + (s + 3) * kDay + 61, s, 0});
  }
  parts.conditions.push_back({kEarliest, kMonday + 3 * kDay, kNone, 0});
  parts.conditions.push_back({kMonday + 30, kLatest, kNone, 0});
  parts.conditions.push_back({kMonday + 100, kMonday + 100, kNone, 0});  // empty
  parts.conditions.push_back({kMonday + 200, kMonday + 100, kNone, 0});  // turned round
  return parts;
}

struct World {
  SmallImage parts;
  AlignedBytes bytes;
  Image image;
  explicit World(SmallImage from)
      : parts{std::move(from)}, bytes{parts.bytes()}, image{*Image::open(bytes.span())} {}

  // The first condition in which a moment is wrong at an instant, or none.
  [[nodiscard]] std::uint32_t wrong(const Moment& moment, std::int64_t at) const {
    for (std::uint32_t c = 0; c < parts.conditions.size(); ++c) {
      if (moment.holds(c) != naive_holds(parts, parts.conditions[c], at)) return c;
    }
    return kNone;
  }
  void check(const Moment& moment, std::int64_t at) const {
    const std::uint32_t c = wrong(moment, at);
    BOOST_REQUIRE_MESSAGE(c == kNone,
                          fmt::format("condition {} at {} (Monday + {} s)", c, at, at - kMonday));
  }
};

struct Walk {
  std::size_t moments{0};
  std::size_t changes{0};
};

// Minute by minute over six weeks, from end to end, so that no span is jumped over; each moment is
// right to its last second.
Walk walk(const World& world) {
  Walk walked;
  Moment moment{world.image, kMonday - 3 * kDay};
  for (std::int64_t at = kMonday - 3 * kDay; at < kMonday + 40 * kDay; at += 60) {
    while (!moment.covers(at)) {
      const std::int64_t end = moment.ends();
      BOOST_REQUIRE_LE(end, at);
      world.check(moment, end - 1);
      const Moment next{world.image, end};
      world.check(next, end);
      BOOST_REQUIRE_EQUAL(next.begins(), end);
      if (!next.same_conditions(moment)) ++walked.changes;
      moment = next;
      ++walked.moments;
    }
    world.check(moment, at);
  }
  return walked;
}

BOOST_AUTO_TEST_CASE(moments_say_for_every_minute_what_the_calendar_says) {
  const World all{calendar()};
  const Walk walked = walk(all);
  BOOST_TEST(walked.changes > 200U);
  // It may look where nothing changed after all (a schedule outside its dates), not all the time.
  BOOST_TEST(walked.moments < 5 * walked.changes);
  // Each condition alone: the borders of others do not help it on.
  for (const ConditionRecord& condition : all.parts.conditions) {
    SmallImage parts = calendar();
    parts.conditions = {condition};
    const World one{parts};
    (void)walk(one);
    for (std::int64_t at = kMonday - 3 * kDay; at < kMonday + 40 * kDay; at += 1800) {
      const ConditionState state = condition_at(one.image, 0, at);
      BOOST_REQUIRE_EQUAL(state.holds, naive_holds(parts, condition, at));
      const Moment moment{one.image, at};
      BOOST_REQUIRE_EQUAL(state.begins, moment.begins());
      BOOST_REQUIRE_EQUAL(state.ends, moment.ends());
      for (const std::int64_t days : {-30, -7, -6, -1, 1, 6, 7, 30}) {
        if (moment.covers(at + days * kDay)) one.check(moment, at + days * kDay);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(moments_hold_wherever_the_clock_jumps_to) {
  const World world{calendar()};
  std::mt19937_64 random{20260302};
  Moment moment{world.image, 0};
  for (int i = 0; i < 100'000; ++i) {
    const bool near = random() % 4 != 0;
    const auto at = near ? kMonday + static_cast<std::int64_t>(random() % (30 * kDay))
                         : static_cast<std::int64_t>(random() % (400'000 * kDay)) - 100'000 * kDay;
    if (!moment.covers(at)) moment = Moment{world.image, at};
    BOOST_REQUIRE(moment.covers(at));
    world.check(moment, at);
    // Nor may it claim more than it knows, on either side.
    for (const std::int64_t border : {moment.begins(), moment.ends() - 1}) {
      if (border != kEarliest && border != kLatest - 1) world.check(moment, border);
    }
  }
}

BOOST_AUTO_TEST_CASE(moments_of_all_instants_that_there_are_move_on) {
  const World world{calendar()};
  constexpr std::int64_t kSoon = 1'000'000'000'000;
  for (const std::int64_t at : {kEarliest, kEarliest + 1, -kSoon, std::int64_t{-1}, std::int64_t{0},
                                kMonday, kSoon, kLatest - 1, kLatest}) {
    const Moment moment{world.image, at};
    BOOST_TEST(moment.begins() <= at, at);
    BOOST_TEST((moment.ends() > at || at == kLatest), at);
  }
  // Behind the last date nothing changes any more; before the first one nothing has.
  SmallImage parts;
  parts.conditions = {{kMonday, kMonday + 10, kNone, 0}};
  const World dates{parts};
  BOOST_TEST((Moment{dates.image, kMonday + 10}.ends() == kLatest));
  BOOST_TEST((Moment{dates.image, kMonday - 1}.begins() == kEarliest));
  BOOST_TEST((Moment{dates.image, kMonday}.begins() == kMonday));
  BOOST_TEST((Moment{dates.image, kMonday}.ends() == kMonday + 10));
}

BOOST_AUTO_TEST_CASE(an_image_without_conditions_has_one_moment) {
  const World world{SmallImage{}};
  const Moment moment{world.image, kMonday};
  BOOST_TEST(moment.begins() == kEarliest);
  BOOST_TEST(moment.ends() == kLatest);
  BOOST_TEST(moment.holds(kNone));
  BOOST_TEST(moment.same_conditions(Moment{}));
}

BOOST_AUTO_TEST_CASE(what_is_supposed_holds_until_it_is_not) {
  const World world{calendar()};
  Moment moment{world.image, kMonday};
  for (const std::uint32_t c : {0U, 5U, 31U}) {
    moment.suppose(c, true);
    BOOST_TEST(moment.holds(c));
    moment.suppose(c, false);
    BOOST_TEST(!moment.holds(c));
  }
}

BOOST_AUTO_TEST_CASE(a_branch_leads_by_its_condition) {
  SmallImage parts;
  parts.conditions = {{kMonday, kMonday + 10, kNone, 0}, {kMonday + 5, kLatest, kNone, 0}};
  parts.branches = {{1, 1, 2, 0}, {0, kBranchBit | 0, 0, 0}};
  parts.cell = kBranchBit | 1;
  const World world{parts};
  struct Case {
    std::int64_t at;
    std::uint32_t rule;
  };
  for (const Case& c : {Case{kMonday - 1, kNone}, Case{kMonday, 1}, Case{kMonday + 4, 1},
                        Case{kMonday + 5, 0}, Case{kMonday + 9, 0}, Case{kMonday + 10, kNone}}) {
    const Moment moment{world.image, c.at};
    BOOST_TEST(world.image.outcome(world.image.cell(0, 0), moment).rule[0] == c.rule, c.at);
  }
}

}  // namespace
}  // namespace meiguan::image
