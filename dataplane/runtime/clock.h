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

}  // namespace meiguan::runtime
