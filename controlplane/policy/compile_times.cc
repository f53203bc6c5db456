#include "controlplane/policy/compile_times.h"

#include <fmt/core.h>

#include <cstddef>
#include <limits>
#include <map>
#include <tuple>

#include "controlplane/policy/compile_scope.h"

namespace meiguan::policy {
namespace {

constexpr std::uint8_t kEveryDay = 0x7f;

bool is_always(const Schedule& schedule) {
  return schedule.dates.empty() && schedule.weekdays == kEveryDay && schedule.start == 0 &&
         schedule.end == image::kSecondsOfDay;
}

class Planner {
 public:
  explicit Planner(const CheckedPolicy& policy) : policy_{policy} {
    plan_.of_rule.assign(policy.rules.size(), image::kNone);
  }

  // In the order of the rules' positions, so that trees ask conditions much as the search would.
  Result<TimePlan> plan() {
    const RuleOrder order{policy_};
    for (std::size_t k = 0; k < order.size(); ++k) {
      const Rule& rule = order.at(k);
      const std::uint32_t condition = condition_of(rule);
      if (condition == image::kMaxConditions) return too_many(rule);
      plan_.of_rule[order.index(k)] = condition;
    }
    return std::move(plan_);
  }

 private:
  [[nodiscard]] std::uint32_t condition_of(const Rule& rule) {
    using Limits = std::numeric_limits<std::int64_t>;
    const std::uint32_t schedule = rule.schedule.is_none()
                                       ? image::kNone
                                       : schedule_of(policy_.schedules[rule.schedule.index()]);
    const image::ConditionRecord record{rule.not_before.value_or(Limits::min()),
                                        rule.expires.value_or(Limits::max()), schedule, 0};
    if (record.not_before == Limits::min() && record.expires == Limits::max() &&
        schedule == image::kNone) {
      return image::kNone;
    }
    const auto number = static_cast<std::uint32_t>(plan_.conditions.size());
    const auto [it, is_new] =
        conditions_.try_emplace(std::tuple{record.not_before, record.expires, schedule}, number);
    if (is_new && number < image::kMaxConditions) plan_.conditions.push_back(record);
    return it->second;
  }

  [[nodiscard]] std::uint32_t schedule_of(const Schedule& schedule) {
    if (is_always(schedule)) return image::kNone;
    const auto number = static_cast<std::uint32_t>(plan_.schedules.size());
    const auto [it, is_new] = schedules_.try_emplace(std::tuple{schedule.weekdays, schedule.dates,
                                                                schedule.start, schedule.end},
                                                     number);
    if (is_new) {
      plan_.schedules.push_back({static_cast<std::uint32_t>(plan_.dates.size()),
                                 static_cast<std::uint32_t>(schedule.dates.size()),
                                 schedule.start,
                                 schedule.end,
                                 schedule.weekdays,
                                 {}});
      plan_.dates.insert(plan_.dates.end(), schedule.dates.begin(), schedule.dates.end());
    }
    return it->second;
  }

  [[nodiscard]] std::unexpected<Error> too_many(const Rule& rule) const {
    const std::string name = policy_.full_name(rule);
    const std::string where = policy_.where(rule.place);
    return fail(fmt::format("rule {} ({}) brings one more combination of schedule, not_before and "
                            "expires than the {} that an image holds; give rules the same dates "
                            "and schedules where they may have them",
                            name, where, image::kMaxConditions),
                fmt::format("规则 {}（{}）使 schedule、not_before 与 expires 的不同组合超过映像所能"
                            "容纳的 {} 种；请让各规则尽量使用相同的日期和时间表",
                            name, where, image::kMaxConditions));
  }

  const CheckedPolicy& policy_;
  TimePlan plan_;
  std::map<std::tuple<std::uint8_t, std::vector<std::int32_t>, std::uint32_t, std::uint32_t>,
           std::uint32_t>
      schedules_;
  std::map<std::tuple<std::int64_t, std::int64_t, std::uint32_t>, std::uint32_t> conditions_;
};

}  // namespace

Result<TimePlan> plan_times(const CheckedPolicy& policy) { return Planner{policy}.plan(); }

void put_times(const CheckedPolicy& policy, const TimePlan& plan, image::Writer& writer) {
  using image::Section;
  writer.put(Section::kUtcOffsets, policy.utc_offsets);
  writer.put(Section::kSchedules, plan.schedules);
  writer.put(Section::kScheduleDates, plan.dates);
  writer.put(Section::kConditions, plan.conditions);
}

}  // namespace meiguan::policy
