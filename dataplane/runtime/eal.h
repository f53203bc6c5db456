#pragma once

#include "dataplane/runtime/cores.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/options.h"

namespace meiguan::runtime {

// DPDK's environment, up while this lives. Nothing of it stays on disk: huge pages come from
// memfds (--in-memory), and there is no telemetry socket. Worker w runs on lcore w + 1.
class Eal {
 public:
  // Errors: no huge pages, no memory, no permission; the message says what to do.
  [[nodiscard]] static Outcome<Eal> start(const Options& options, const CorePlan& cores);
  Eal(Eal&& other) noexcept;
  Eal& operator=(Eal&&) = delete;
  Eal(const Eal&) = delete;
  Eal& operator=(const Eal&) = delete;
  ~Eal();

 private:
  explicit Eal(std::string run_dir) : run_dir_{std::move(run_dir)}, up_{true} {}
  std::string run_dir_;
  bool up_{false};
};

// Whether the machine has the huge pages that the options ask for.
[[nodiscard]] Outcome<void> check_memory(const Options& options);

}  // namespace meiguan::runtime
