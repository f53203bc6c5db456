#pragma once

// Where the time of a burst goes: what each stage of a pipeline took, for whoever measures. Built
// in with -Dstage_profile=true; else a StageClock is nothing, and does nothing.

#include <array>
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

// Ticks of the processor's own counter, at a rate that stays the same.
[[nodiscard]] inline std::uint64_t processor_ticks() noexcept {
#if defined(__x86_64__)
  return __builtin_ia32_rdtsc();
#elif defined(__aarch64__)
  std::uint64_t ticks;
  asm volatile("mrs %0, cntvct_el0" : "=r"(ticks));
  return ticks;
#else
  return 0;
#endif
}

// Ticks by stage, of this thread's pipelines, since it was last set to zero.
inline thread_local std::array<std::uint64_t, kStages> stage_ticks{};

class StageClock {
 public:
  // The time since construction, or since the last call, was that stage's.
  void done(Stage stage) noexcept {
    if constexpr (kStageProfile) {
      const std::uint64_t now = processor_ticks();
      stage_ticks[static_cast<std::size_t>(stage)] += now - at_;
      at_ = now;
    }
  }

 private:
  std::uint64_t at_ = kStageProfile ? processor_ticks() : 0;
};

}  // namespace meiguan::fastpath
