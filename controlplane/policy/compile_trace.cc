#include "controlplane/policy/compile_trace.h"

namespace meiguan::policy {

void CompileTrace::add_plans(const TimePlan& times, const TargetPlan& targets) {
  conditions = times.of_rule;
  for (const PlannedTarget& target : targets.targets) {
    services_of_target.push_back(target.services);
  }
}

}  // namespace meiguan::policy
