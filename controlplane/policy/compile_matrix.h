#pragma once

// The decision of every source class towards every target class: policy.md, "Which one wins".

#include <cstdint>
#include <vector>

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
  std::vector<std::uint32_t> row_stripes;
  std::vector<std::uint32_t> stripes;
  std::vector<image::Cell> cells;
  std::vector<image::OutcomeRecord> outcomes;
  std::vector<image::Branch> branches;
  std::vector<image::AuditRecord> audit_rules;
  std::uint32_t stripes_per_row{0};
};

// `rule_ids[i]` is the image's id of policy.rules[i]. `trace` may be null; its rows and blocks are
// filled in.
// Errors: so many rules with different schedules and dates meet that a limit of
// compile_branches.h is exceeded; it names one of them.
[[nodiscard]] Result<Matrix> build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                                          const TargetPoints& targets,
                                          const TargetPlan& target_plan, const TimePlan& times,
                                          const std::vector<RuleId>& rule_ids, CompileTrace* trace);

}  // namespace meiguan::policy
