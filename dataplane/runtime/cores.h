#pragma once

// Which core runs what. Pure.

#include <span>
#include <vector>

#include "dataplane/runtime/failure.h"

namespace meiguan::runtime {

// More event rings than one message of the command channel carries are of no use.
inline constexpr std::size_t kMostWorkers = 15;

struct CorePlan {
  int main{0};
  std::vector<int> workers;  // at least one
  bool shared{false};        // main and a worker, or two workers, on one core
};

// `allowed` are the cores that the process may run on, ascending, at least one; `main` is -1 and
// `workers` empty where they are to be chosen: the first core for main, the others for workers (on
// a machine of one core, that one for both). Errors: a core that is not allowed, too many workers.
[[nodiscard]] Outcome<CorePlan> plan_cores(std::span<const int> allowed, int main,
                                           std::span<const int> workers);

// The cores that this process may run on.
[[nodiscard]] std::vector<int> allowed_cores();

}  // namespace meiguan::runtime
