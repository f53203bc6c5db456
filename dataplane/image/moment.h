#pragma once

// Which of an image's conditions (schedules, dates) hold at an instant. Pure functions of the image
// and of seconds since 1970-01-01T00:00Z; who asks has the clock.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "dataplane/image/format.h"

namespace meiguan::image {

class Image;

class Moment {
 public:
  // No condition holds: for images without any.
  Moment() noexcept = default;
  Moment(const Image& image, std::int64_t seconds) noexcept;

  [[nodiscard]] bool holds(std::uint32_t condition) const noexcept {
    return condition == kNone || (words_[condition / 64] >> (condition % 64) & 1) != 0;
  }
  // From this instant on (which is later than the asked one) something may differ; the end of time
  // where nothing does any more. Until then, and from `begins` on, all holds as it does now.
  [[nodiscard]] std::int64_t ends() const noexcept { return ends_; }
  [[nodiscard]] std::int64_t begins() const noexcept { return begins_; }
  [[nodiscard]] bool covers(std::int64_t seconds) const noexcept {
    return begins_ <= seconds && seconds < ends_;
  }
  [[nodiscard]] bool same_conditions(const Moment& other) const noexcept {
    return words_ == other.words_;
  }
  // As if `condition` held or did not, for who asks what would be.
  void suppose(std::uint32_t condition, bool holds) noexcept;

 private:
  std::array<std::uint64_t, kMaxConditions / 64> words_{};
  std::int64_t begins_{std::numeric_limits<std::int64_t>::min()};
  std::int64_t ends_{std::numeric_limits<std::int64_t>::max()};
};

// Whether one condition holds at an instant. From `begins` on and until before `ends` it is so
// without a break, though perhaps for longer; the ends of time where nothing bounds it.
struct ConditionState {
  bool holds{false};
  std::int64_t begins{std::numeric_limits<std::int64_t>::min()};
  std::int64_t ends{std::numeric_limits<std::int64_t>::max()};
};
[[nodiscard]] ConditionState condition_at(const Image& image, std::uint32_t condition,
                                          std::int64_t seconds) noexcept;

// Local time at an instant: seconds since 1970-01-01T00:00 of the policy's wall clock.
[[nodiscard]] std::int64_t wall_clock(const Image& image, std::int64_t seconds) noexcept;

}  // namespace meiguan::image
