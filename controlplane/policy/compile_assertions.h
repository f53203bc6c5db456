#pragma once

// What each assertion of a policy speaks of, as sets of the image's source groups and targets.

#include <vector>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/compile_selectors.h"

namespace meiguan::policy {

// One for each assertion, in their order.
[[nodiscard]] std::vector<AssertionPoints> find_assertion_points(const CheckedPolicy& policy,
                                                                 const TargetPlan& targets,
                                                                 const SourcePoints& sources,
                                                                 const TargetPoints& target_points,
                                                                 const ZoneColumns& columns);

}  // namespace meiguan::policy
