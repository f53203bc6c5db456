#pragma once

// The rows of replay that are not packets.

#include "controlplane/analysis/replay_changes.h"
#include "tools/cli/table.h"

namespace meiguan::cli {

// `meiguan.replay-changes/v1`: what another policy changes, by unit, service and rule.
[[nodiscard]] Table changes_table(const Context& context, const analysis::ReplayChanges& changes);

}  // namespace meiguan::cli
