#pragma once

// Where the time of a burst goes: what each stage of a pipeline took, for whoever measures. Built
// in with -Dstage_profile=true; else a StageClock is nothing, and does nothing.

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>

namespace meiguan::fastpath {

enum class Stage : std::uint8_t { kParse, kJudge, kRewrite, kAccount, kExpire };
inline constexpr std::size_t kStages = 5;
inline constexpr std::array<const char*, kStages> kStageNames{"parse", "judge", "rewrite",
                                                              "account", "expire"};

#ifdef MEIGUAN_STAGE_PROFILE
inline constexpr bool kStageProfile = true;
#else
inline constexpr bool kStageProfile = false;
#endif

// Of this thread's pipelines, since it was last set to zero.
struct StageProfile {
  std::array<std::chrono::nanoseconds, kStages> taken{};
};
inline thread_local StageProfile stage_profile;

class StageClock {
 public:
  // The time since construction, or since the last call, was that stage's.
  void done(Stage stage) noexcept {
    if constexpr (kStageProfile) {
      const Clock::time_point now = Clock::now();
      stage_profile.taken[static_cast<std::size_t>(stage)] += now - at_;
      at_ = now;
    }
  }

 private:
  using Clock = std::chrono::steady_clock;
  Clock::time_point at_ = kStageProfile ? Clock::now() : Clock::time_point{};
};

}  // namespace meiguan::fastpath
