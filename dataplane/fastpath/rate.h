#pragma once

// A rate as a clock that runs ahead (the generic cell rate algorithm, ITU-T I.371): every admitted
// unit moves `next` on by its cost, and one is refused where `next` is further ahead of now than
// the burst. The same as a token bucket that holds one burst, in one word and without a division.

#include <algorithm>
#include <cstdint>

namespace meiguan::fastpath {

// Milliseconds in units of 2^-24 ms (60 ps): one byte at 100 Gbit/s is more than one unit, and the
// clock goes round in 34 years.
using RateTime = std::uint64_t;
inline constexpr unsigned kRateShift = 24;
inline constexpr RateTime kRateSecond = RateTime{1000} << kRateShift;

[[nodiscard]] constexpr RateTime rate_time(std::uint64_t milliseconds) noexcept {
  return milliseconds << kRateShift;
}

// Whether one more may pass now; `burst` is how far ahead the clock may run. A clock that never ran
// is 0, which may lie as if ahead of a now that counts from 1970, as that of a replay does.
[[nodiscard]] constexpr bool conforms(RateTime next, RateTime now, RateTime burst) noexcept {
  return next == 0 || static_cast<std::int64_t>(next - now) <= static_cast<std::int64_t>(burst);
}

// The clock after one more has passed. It never runs further ahead than the burst and one cost, so
// that what is charged to a clock shared by many is paid back within one burst.
[[nodiscard]] constexpr RateTime charged(RateTime next, RateTime now, RateTime cost,
                                         RateTime burst) noexcept {
  const RateTime from = next != 0 && static_cast<std::int64_t>(next - now) > 0 ? next : now;
  const RateTime to = from + cost;
  const RateTime most = now + burst + cost;
  return static_cast<std::int64_t>(to - most) > 0 ? most : to;
}

// New flows: a burst of one second's worth. 0 flows a second: no limit, and no cost.
struct FlowRate {
  RateTime cost{0};

  // One of `workers` equal shares of so many a second.
  [[nodiscard]] static constexpr FlowRate of(std::uint32_t per_second,
                                             std::uint32_t workers) noexcept {
    if (per_second == 0) return {};
    return {std::max<RateTime>(kRateSecond * workers / per_second, 1)};
  }
  [[nodiscard]] constexpr bool limited() const noexcept { return cost != 0; }
  [[nodiscard]] constexpr bool has_room(RateTime next, RateTime now) const noexcept {
    return conforms(next, now, burst());
  }
  [[nodiscard]] constexpr RateTime after_one(RateTime next, RateTime now) const noexcept {
    return charged(next, now, cost, burst());
  }

  [[nodiscard]] constexpr RateTime burst() const noexcept {
    return cost < kRateSecond ? kRateSecond - cost : 0;
  }
};

// Bytes: a burst of a tenth of a second, and never less than two of the largest packets, or a slow
// rate would let none of these pass. 0 bits a second: no limit.
struct ByteRate {
  static constexpr unsigned kFraction = 16;  // bits of a unit, so that fast rates are exact
  std::uint64_t cost{0};                     // of one byte, in units times 2^kFraction
  RateTime burst{0};

  [[nodiscard]] static constexpr ByteRate of(std::uint64_t bits_per_second,
                                             std::uint32_t workers) noexcept {
    if (bits_per_second == 0) return {};
    // Below this a packet would take minutes, and the numbers would leave their words.
    const std::uint64_t bits = std::max<std::uint64_t>(bits_per_second, 8000);
    ByteRate rate;
    // 2^40 * 8000 * workers: 63 bits hold up to a thousand workers.
    rate.cost =
        std::max<std::uint64_t>(((RateTime{8000} << kRateShift) << kFraction) * workers / bits, 1);
    constexpr RateTime kTenth = kRateSecond / 10;
    rate.burst = std::max(kTenth, rate.cost_of(2 * 9000));
    return rate;
  }
  [[nodiscard]] constexpr bool limited() const noexcept { return cost != 0; }
  [[nodiscard]] constexpr RateTime cost_of(std::uint32_t bytes) const noexcept {
    return (cost * bytes) >> kFraction;
  }
};

}  // namespace meiguan::fastpath
