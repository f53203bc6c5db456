#include "dataplane/runtime/cores.h"

#include <fmt/format.h>
#include <sched.h>

#include <algorithm>
#include <string>

namespace meiguan::runtime {
namespace {

std::string list_of(std::span<const int> cores) {
  std::string text;
  for (const int core : cores) text += (text.empty() ? "" : ",") + std::to_string(core);
  return text;
}

}  // namespace

Outcome<CorePlan> plan_cores(std::span<const int> allowed, int main, std::span<const int> workers) {
  CorePlan plan;
  plan.workers.assign(workers.begin(), workers.end());
  if (workers.size() > kMostWorkers) {
    return configuration(fmt::format("{} worker cores; there can be at most {}", workers.size(),
                                     kMostWorkers),
                         fmt::format("工作核 {} 个，最多 {} 个", workers.size(), kMostWorkers));
  }
  plan.main = main;
  if (main < 0) {
    // The first core that no worker was given, else the first.
    const auto spare = std::ranges::find_if(allowed, [&](int core) {
      return std::ranges::find(workers, core) == workers.end();
    });
    plan.main = spare != allowed.end() ? *spare : allowed.front();
  }
  if (plan.workers.empty()) {
    for (const int core : allowed) {
      if (core != plan.main && plan.workers.size() < kMostWorkers) plan.workers.push_back(core);
    }
    if (plan.workers.empty()) plan.workers.push_back(plan.main);
  }
  std::vector<int> all = plan.workers;
  all.push_back(plan.main);
  for (const int core : all) {
    if (std::ranges::find(allowed, core) != allowed.end()) continue;
    return configuration(
        fmt::format("core {} is not one that this process may run on; choose from {}", core,
                    list_of(allowed)),
        fmt::format("本进程不能使用核 {}；可选：{}", core, list_of(allowed)));
  }
  std::ranges::sort(all);
  plan.shared = std::ranges::adjacent_find(all) != all.end();
  return plan;
}

std::vector<int> allowed_cores() {
  std::vector<int> cores;
  cpu_set_t set;
  CPU_ZERO(&set);
  if (::sched_getaffinity(0, sizeof set, &set) == 0) {
    for (int core = 0; core < CPU_SETSIZE; ++core) {
      if (CPU_ISSET(static_cast<std::size_t>(core), &set)) cores.push_back(core);
    }
  }
  if (cores.empty()) cores.push_back(0);
  return cores;
}

}  // namespace meiguan::runtime
