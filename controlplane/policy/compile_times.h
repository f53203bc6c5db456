#pragma once

// When rules are there: their schedules and dates as the image's conditions.

#include <cstdint>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"
#include "dataplane/image/writer.h"

namespace meiguan::policy {

struct TimePlan {
  std::vector<image::ScheduleRecord> schedules;  // those that a rule uses, equal ones once
  std::vector<std::int32_t> dates;
  std::vector<image::ConditionRecord> conditions;  // each once, in the order of RuleOrder
  // By index into CheckedPolicy::rules; image::kNone where the rule is always there.
  std::vector<std::uint32_t> of_rule;
};

// Errors: more different conditions than an image holds; it names the first rule beyond.
[[nodiscard]] Result<TimePlan> plan_times(const CheckedPolicy& policy);

// The sections of the wall clock, the schedules and the conditions.
void put_times(const CheckedPolicy& policy, const TimePlan& plan, image::Writer& writer);

}  // namespace meiguan::policy
