#pragma once

// The decision of every source class towards every target class: policy.md, "Which one wins".

#include <cstddef>
#include <cstdint>
#include <vector>

#include "controlplane/policy/compile_cells.h"
#include "controlplane/policy/compile_classes.h"
#include "controlplane/policy/compile_selectors.h"
#include "controlplane/policy/compile_times.h"
#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

struct Matrix {
  Classes rows;     // of source points
  Classes columns;  // of target points
  KeptMatrix made;
  bool was_patched{false};  // and not filled anew
  std::vector<image::OutcomeRecord> outcomes;
  std::vector<image::AuditRecord> audit_rules;
};

// `rule_ids[i]` is the image's id of policy.rules[i]. `before` may be null: then all cells are
// filled anew. `trace` may be null; its rows and blocks are filled in. Points that the lists of all
// rules hold together, each different list once: half a GiB. A province has a tenth of it.
inline constexpr std::size_t kMaxPlaces = std::size_t{1} << 24;

// Errors: kMaxPlaces or kMaxJudgedRules is exceeded; so many rules with different schedules and
// dates meet that a limit of compile_branches.h is exceeded; it names one of them.
[[nodiscard]] Result<Matrix> build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                                          const TargetPoints& targets,
                                          const TargetPlan& target_plan, const TimePlan& times,
                                          const std::vector<RuleId>& rule_ids,
                                          const KeptMatrix* before, CompileTrace* trace);

}  // namespace meiguan::policy
