#include "controlplane/policy/wall_clock.h"

#include <algorithm>
#include <array>
#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "controlplane/policy/tz_rule.h"

namespace meiguan::policy {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kDay = 86'400;

// Seconds since 1970-01-01T00:00 at that time of that clock.
std::int64_t at(int year, int month, int day, int hour, int minute, int second = 0) {
  std::tm tm{};
  tm.tm_year = year - 1900;
  tm.tm_mon = month - 1;
  tm.tm_mday = day;
  tm.tm_hour = hour;
  tm.tm_min = minute;
  tm.tm_sec = second;
  return timegm(&tm);
}

std::int32_t offset_at(const WallClock& clock, std::int64_t instant) {
  return (std::ranges::upper_bound(clock.offsets, instant, {}, &image::UtcOffset::at) - 1)->seconds;
}

WallClock clock_of(std::string_view name) {
  auto clock = wall_clock_of(name);
  BOOST_TEST_REQUIRE(clock.has_value(), name);
  return *clock;
}

BOOST_AUTO_TEST_CASE(built_in_clocks_are_the_same_everywhere) {
  for (const auto& [name, seconds] : {std::pair{"Asia/Shanghai", 8 * 3600}, std::pair{"UTC", 0}}) {
    const auto clock = wall_clock_of(name, "/nowhere");
    BOOST_REQUIRE(clock.has_value());
    BOOST_TEST(clock->offsets.size() == 1U);
    BOOST_TEST(offset_at(*clock, at(1988, 7, 1, 0, 0)) == seconds);
    BOOST_TEST(!clock->known_until.has_value());
  }
}

struct Transition {
  std::string_view zone;
  std::int64_t instant;  // from which on `after` holds
  std::int32_t before;
  std::int32_t after;
};

BOOST_AUTO_TEST_CASE(known_changes_of_clocks) {
  const std::array cases{
      Transition{"Europe/Berlin", at(1980, 4, 6, 1, 0), 3600, 7200},
      Transition{"Europe/Berlin", at(2026, 3, 29, 1, 0), 3600, 7200},
      Transition{"Europe/Berlin", at(2026, 10, 25, 1, 0), 7200, 3600},
      Transition{"Europe/Berlin", at(2099, 3, 29, 1, 0), 3600, 7200},
      Transition{"Europe/Berlin", at(2099, 10, 25, 1, 0), 7200, 3600},
      Transition{"America/New_York", at(2006, 4, 2, 7, 0), -18000, -14400},
      Transition{"America/New_York", at(2026, 3, 8, 7, 0), -18000, -14400},
      Transition{"America/New_York", at(2026, 11, 1, 6, 0), -14400, -18000},
      Transition{"America/New_York", at(2100, 3, 14, 7, 0), -18000, -14400},
      // Half an hour, in the south, by a rule whose saving lasts over the new year.
      Transition{"Australia/Lord_Howe", at(2090, 9, 30, 15, 30), 37800, 39600},
      // Winter time is the saving, by a negative hour.
      Transition{"Europe/Dublin", at(2050, 10, 30, 1, 0), 3600, 0},
      Transition{"Asia/Kolkata", at(1945, 10, 14, 17, 30), 23400, 19800},
  };
  for (const Transition& c : cases) {
    const WallClock clock = clock_of(c.zone);
    BOOST_TEST(offset_at(clock, c.instant - 1) == c.before, c.zone << " before " << c.instant);
    BOOST_TEST(offset_at(clock, c.instant) == c.after, c.zone << " from " << c.instant);
  }
}

struct Local {
  std::string_view zone;
  std::int64_t local;
  std::int64_t want;
};

BOOST_AUTO_TEST_CASE(instants_of_wall_clock_times) {
  const std::array cases{
      Local{"Asia/Shanghai", at(2026, 1, 1, 0, 0), at(2025, 12, 31, 16, 0)},
      Local{"Europe/Berlin", at(2026, 7, 1, 12, 0), at(2026, 7, 1, 10, 0)},
      Local{"Europe/Berlin", at(2026, 12, 1, 12, 0), at(2026, 12, 1, 11, 0)},
      // The hour that is left out: the moment of the jump.
      Local{"Europe/Berlin", at(2026, 3, 29, 1, 59, 59), at(2026, 3, 29, 0, 59, 59)},
      Local{"Europe/Berlin", at(2026, 3, 29, 2, 0), at(2026, 3, 29, 1, 0)},
      Local{"Europe/Berlin", at(2026, 3, 29, 2, 30), at(2026, 3, 29, 1, 0)},
      Local{"Europe/Berlin", at(2026, 3, 29, 3, 0), at(2026, 3, 29, 1, 0)},
      Local{"Europe/Berlin", at(2026, 3, 29, 3, 0, 1), at(2026, 3, 29, 1, 0, 1)},
      // The hour that is shown twice: the first time.
      Local{"Europe/Berlin", at(2026, 10, 25, 2, 0), at(2026, 10, 25, 0, 0)},
      Local{"Europe/Berlin", at(2026, 10, 25, 2, 59, 59), at(2026, 10, 25, 0, 59, 59)},
      Local{"Europe/Berlin", at(2026, 10, 25, 3, 0), at(2026, 10, 25, 2, 0)},
      // A day that begins at one o'clock, and one that begins twice.
      Local{"Asia/Beirut", at(2026, 3, 29, 0, 0), at(2026, 3, 28, 22, 0)},
      Local{"America/Havana", at(2026, 11, 1, 0, 30), at(2026, 11, 1, 4, 30)},
      // A day that never was: Samoa went over the date line.
      Local{"Pacific/Apia", at(2011, 12, 30, 12, 0), at(2011, 12, 30, 10, 0)},
  };
  for (const Local& c : cases) {
    const WallClock clock = clock_of(c.zone);
    BOOST_TEST(instant_of(clock.offsets, c.local) == c.want,
               c.zone << " " << c.local << ": got " << instant_of(clock.offsets, c.local)
                      << ", want " << c.want);
  }
}

// The C library reads the same files by code of its own.
class LibcClock {
 public:
  explicit LibcClock(const std::string& name) {
    setenv("TZ", (":" + name).c_str(), 1);
    tzset();
  }
  ~LibcClock() {
    unsetenv("TZ");
    tzset();
  }
  LibcClock(const LibcClock&) = delete;
  LibcClock& operator=(const LibcClock&) = delete;
  LibcClock(LibcClock&&) = delete;
  LibcClock& operator=(LibcClock&&) = delete;

  static std::int32_t offset_at(std::int64_t instant) {
    std::tm tm{};
    const std::time_t time = instant;
    localtime_r(&time, &tm);
    return static_cast<std::int32_t>(tm.tm_gmtoff);
  }
};

std::vector<std::string> zone_names() {
  std::vector<std::string> names;
  std::ifstream list(fs::path{kTzDatabase} / "tzdata.zi");
  for (std::string line; std::getline(list, line);) {
    // Z NAME ...: a zone; L TARGET NAME: a link
    std::istringstream words(line);
    std::string kind;
    std::string first;
    std::string second;
    words >> kind >> first >> second;
    if (kind == "Z") names.push_back(first);
    if (kind == "L") names.push_back(second);
  }
  return names;
}

BOOST_AUTO_TEST_CASE(clocks_agree_with_those_of_the_c_library) {
  const std::vector<std::string> names = zone_names();
  BOOST_REQUIRE(names.size() > 400U);
  for (const std::string& name : names) {
    // Built in, and not as its history was.
    if (name == "Asia/Shanghai") continue;
    const WallClock clock = clock_of(name);
    const LibcClock libc{name};
    std::size_t wrong = 0;
    const auto compare = [&](std::int64_t instant) {
      wrong += offset_at(clock, instant) == LibcClock::offset_at(instant) ? 0U : 1U;
    };
    for (std::int64_t instant = at(1850, 1, 1, 0, 0); instant < at(2200, 1, 1, 0, 0);
         instant += 97 * kDay + 12'345) {
      compare(instant);
    }
    for (const image::UtcOffset& change : clock.offsets) {
      if (change.at < at(1850, 1, 1, 0, 0) || change.at > at(2200, 1, 1, 0, 0)) continue;
      compare(change.at - 1);
      compare(change.at);
    }
    BOOST_TEST(wrong == 0U, name << ": " << wrong << " instants differ");
  }
}

BOOST_AUTO_TEST_CASE(names_that_are_no_zones) {
  for (const std::string_view name :
       {"", "Asia", "Asia/", "/Asia/Tokyo", "Asia//Tokyo", "../zoneinfo/Asia/Tokyo",
        "Asia/Nanchang", "asia/tokyo", "tzdata.zi", "leapseconds", "localtime", "posixrules",
        "right/Europe/Berlin", "Europe/Berlin\n", "CST-8"}) {
    BOOST_TEST(!wall_clock_of(name).has_value(), name);
  }
  BOOST_TEST(!wall_clock_of("Europe/Berlin", "/nowhere").has_value());
}

struct RuleCase {
  std::string_view text;
  bool ok;
};

BOOST_AUTO_TEST_CASE(rules_that_are_read_and_that_are_not) {
  constexpr std::array kCases{
      RuleCase{"CET-1CEST,M3.5.0,M10.5.0/3", true},
      RuleCase{"<+0330>-3:30", true},
      RuleCase{"<-02>2<-01>,M3.5.0/-1,M10.5.0/0", true},
      RuleCase{"IST-1GMT0,M10.5.0,M3.5.0/1", true},
      RuleCase{"XXX3EDT4,0/0,J365/23", true},
      RuleCase{"AAA24:59:59", true},
      RuleCase{"", false},
      RuleCase{"CE-1", false},
      RuleCase{"<CET-1", false},
      RuleCase{"CET", false},
      RuleCase{"CET-25", false},
      RuleCase{"CET-1:60", false},
      RuleCase{"CET-1CEST", false},  // when it begins is left open
      RuleCase{"CET-1CEST,M3.5.0", false},
      RuleCase{"CET-1CEST,M13.5.0,M10.5.0", false},
      RuleCase{"CET-1CEST,M3.6.0,M10.5.0", false},
      RuleCase{"CET-1CEST,M3.5.7,M10.5.0", false},
      RuleCase{"CET-1CEST,M0.1.1,M10.5.0", false},
      RuleCase{"CET-1CEST,J0,J365", false},
      RuleCase{"CET-1CEST,366,1", false},
      RuleCase{"CET-1CEST,M3.5.0/168,M10.5.0", false},
      RuleCase{"CET-1CEST,M3.5.0,M10.5.0/3 ", false},
      RuleCase{"CET-1CEST,M3.5.0,M10.5.0/3,", false},
      RuleCase{"CET-99999999999999", false},
  };
  for (const RuleCase& c : kCases) {
    BOOST_TEST(parse_tz_rule(c.text).has_value() == c.ok, c.text);
  }
}

BOOST_AUTO_TEST_CASE(days_of_the_year_with_and_without_the_leap_day) {
  const auto rule = parse_tz_rule("AAA0BBB-1,J60/0,60/1");
  BOOST_REQUIRE(rule.has_value());
  const auto found = changes(*rule, 2027, 2028);
  BOOST_REQUIRE(found.size() == 4U);
  BOOST_TEST(found[0].at == at(2027, 3, 1, 0, 0));  // J60 is 1 March every year
  BOOST_TEST(found[1].at == at(2027, 3, 2, 0, 0));
  BOOST_TEST(found[2].at == at(2028, 3, 1, 0, 0));
  BOOST_TEST(found[3].at == at(2028, 3, 1, 0, 0));  // 60 days after New Year, at one by BBB
}

std::string file_of(std::string_view zone) {
  std::ifstream file(fs::path{kTzDatabase} / zone, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

BOOST_AUTO_TEST_CASE(a_file_cut_short_is_refused) {
  const std::string whole = file_of("Europe/Berlin");
  BOOST_REQUIRE(read_tz_file(whole).has_value());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    BOOST_TEST(!read_tz_file(std::string_view{whole}.substr(0, size)).has_value(), size);
  }
  BOOST_TEST(!read_tz_file(whole + "x").has_value());
  BOOST_TEST(!read_tz_file(whole + "\n").has_value());
}

// Whatever is in a file, it is read or refused: and what is read can be asked.
BOOST_AUTO_TEST_CASE(damaged_files_do_no_harm) {
  const std::string whole = file_of("America/New_York");
  BOOST_REQUIRE(!whole.empty());
  std::uint32_t random = 1;
  for (int round = 0; round < 20'000; ++round) {
    std::string bytes = whole;
    for (int i = 0; i < 1 + round % 3; ++i) {
      random = random * 1'664'525 + 1'013'904'223;
      bytes[random / 256 % bytes.size()] = static_cast<char>(random);
    }
    const auto clock = read_tz_file(bytes);
    if (!clock) continue;
    BOOST_REQUIRE(!clock->offsets.empty());
    for (std::size_t i = 1; i < clock->offsets.size(); ++i) {
      BOOST_REQUIRE(clock->offsets[i - 1].at < clock->offsets[i].at);
    }
    for (const image::UtcOffset& offset : clock->offsets) {
      BOOST_REQUIRE(std::abs(offset.seconds) <= image::kMostUtcOffset);
    }
    static_cast<void>(instant_of(clock->offsets, at(2026, 1, 1, 0, 0)));
  }
}

}  // namespace
}  // namespace meiguan::policy
