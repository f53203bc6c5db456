#pragma once

// The rule at the end of a file of the tz database, by which a clock goes on after the last entry
// of its list: a TZ string of POSIX, with the wider hours of RFC 9636 3.3.1.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/image/format.h"

namespace meiguan::policy {

// A day of the year on which the clock changes, and when on that day.
struct TzDay {
  enum class Form : std::uint8_t {
    kWithoutLeapDay,  // Jn: 1 to 365, 29 February is never counted
    kWithLeapDay,     // n: 0 to 365
    kWeekday,         // Mm.w.d
  };
  Form form{};
  std::int32_t day{0};      // of the year, or of the week: 0 is Sunday
  std::int32_t month{0};    // 1 to 12
  std::int32_t week{0};     // 1 to 5, the last
  std::int32_t seconds{0};  // of that day, in the wall clock's time before the change
};

struct TzRule {
  std::int32_t standard{0};  // seconds east of UTC
  struct Saving {
    std::int32_t seconds{0};  // east of UTC while it lasts
    TzDay begins;
    TzDay ends;
  };
  std::optional<Saving> saving;
};

// Nothing where `text` is no such rule, or leaves open when daylight saving begins and ends.
[[nodiscard]] std::optional<TzRule> parse_tz_rule(std::string_view text);

// The changes that `rule` makes in the years `first` to `last`, ascending by instant, two at most a
// year. Years of the proleptic Gregorian calendar.
[[nodiscard]] std::vector<image::UtcOffset> changes(const TzRule& rule, std::int32_t first,
                                                    std::int32_t last);

}  // namespace meiguan::policy
