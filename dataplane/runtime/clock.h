#pragma once

#include <ctime>

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::runtime {

// Milliseconds of CLOCK_MONOTONIC: the time of every worker, of every event in the rings, and of
// the main thread. The control plane, on the same machine, relates it to the wall clock.
[[nodiscard]] inline fastpath::Tick monotonic_ms() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_MONOTONIC, &t);
  return static_cast<fastpath::Tick>(t.tv_sec) * 1000 +
         static_cast<fastpath::Tick>(t.tv_nsec) / 1'000'000;
}

// Seconds since 1970-01-01T00:00Z by the wall clock, for schedules and dates. It may jump.
[[nodiscard]] inline std::int64_t wall_seconds() noexcept {
  timespec t{};
  ::clock_gettime(CLOCK_REALTIME, &t);
  return t.tv_sec;
}

}  // namespace meiguan::runtime
