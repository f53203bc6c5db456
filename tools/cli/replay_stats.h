#pragma once

// `meiguan replay --stats`: the statistics that a live gateway would have kept of these captures,
// by the same roll-up.

#include <string>
#include <vector>

#include "controlplane/analysis/replay.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/report/rollup.h"
#include "tools/cli/table.h"

namespace meiguan::cli {

class ReplayStats {
 public:
  ReplayStats(const policy::Catalog& catalog, const std::string& node);

  // Takes what a replay tells.
  [[nodiscard]] analysis::ReplayEvents events();
  // Behind the last packet: rows by these dimensions, "unit,service,verdict", of all the time.
  // Errors: a word that is no dimension.
  [[nodiscard]] Result<Table> table(const analysis::Replay& replay, const std::string& by);

 private:
  const policy::Catalog& catalog_;
  report::Rollup rollup_;
  fastpath::Tick last_{0};
};

}  // namespace meiguan::cli
