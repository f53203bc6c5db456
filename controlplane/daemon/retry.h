#pragma once

#include <algorithm>
#include <cstdint>

namespace meiguan::daemon {

// When to try something again that failed: a second after, then twice as long each time, a minute
// at most. Times are milliseconds of one clock that only goes forward.
class Retry {
 public:
  static constexpr std::int64_t kFirst = 1000;
  static constexpr std::int64_t kLongest = 60'000;

  [[nodiscard]] bool is_due(std::int64_t now) const noexcept { return now >= next_; }
  void failed(std::int64_t now) noexcept {
    wait_ = std::clamp(wait_ * 2, kFirst, kLongest);
    next_ = now + wait_;
  }
  void done() noexcept { *this = {}; }

 private:
  std::int64_t wait_{0};
  std::int64_t next_{0};
};

}  // namespace meiguan::daemon
