#pragma once

// How fine statistics are kept, and for how long.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string_view>

namespace meiguan::store {

inline constexpr std::int64_t kMinute = 60;
inline constexpr std::int64_t kHour = 3600;
inline constexpr std::int64_t kDay = 86400;

struct Resolution {
  std::string_view name;
  std::int64_t step;    // seconds of a row
  std::int64_t period;  // seconds of a file or partition: what is dropped at once
};
inline constexpr std::size_t kResolutions = 5;
// The coarsest holds sums of sums, so that a year is some fifty of them and not 365: for questions
// about one long time. It is kept as long as days are, and nobody asks for its steps.
inline constexpr std::size_t kLongest = kResolutions - 1;
inline constexpr std::array<Resolution, kResolutions> kResolution{{
    {"1m", kMinute, 6 * kHour},
    {"5m", 5 * kMinute, kDay},
    {"1h", kHour, 30 * kDay},
    {"1d", kDay, 365 * kDay},
    {"16d", 16 * kDay, 365 * kDay},
}};

// Seconds that each resolution is kept for.
using Retention = std::array<std::int64_t, kResolutions>;
inline constexpr Retention kDefaultRetention{48 * kHour, 14 * kDay, 400 * kDay, 5 * 365 * kDay,
                                             5 * 365 * kDay};

// Seconds that the wall clock is ahead of UTC at an instant.
using OffsetAt = std::function<std::int64_t(std::int64_t)>;

// The largest multiple of `step` that is not after `time`, by the wall clock: days begin at its
// midnight. Seconds since 1970.
[[nodiscard]] inline std::int64_t bucket_of(std::int64_t time, std::int64_t step,
                                            const OffsetAt& offset) {
  const std::int64_t ahead = step > kMinute && offset ? offset(time) : 0;
  const std::int64_t local = time + ahead;
  const std::int64_t rest = local % step;
  return time - (rest < 0 ? rest + step : rest);
}

// The period that a row's time lies in, in UTC.
[[nodiscard]] constexpr std::int64_t period_of(std::int64_t time, std::int64_t period) {
  const std::int64_t rest = time % period;
  return time - (rest < 0 ? rest + period : rest);
}

}  // namespace meiguan::store
