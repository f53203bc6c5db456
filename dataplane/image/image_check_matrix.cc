#include "dataplane/image/image_check.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace meiguan::image {
namespace {

bool is_flag(std::uint8_t value) { return value <= 1; }

}  // namespace

const char* ImageCheck::matrix() const {
  const Meta& meta = image_.meta();
  if (meta.source_classes == 0 || meta.target_classes == 0) return "an empty matrix";
  constexpr std::uint64_t kStripeColumns = std::uint64_t{kBlockColumns} * kStripeBlocks;
  if (meta.stripes_per_row !=
      (std::uint64_t{meta.target_classes} + kStripeColumns - 1) / kStripeColumns) {
    return "stripes of a row";
  }
  if (rows_.size() != std::size_t{meta.source_classes} * meta.stripes_per_row) {
    return "number of rows";
  }
  if (stripes_.size() % kStripeBlocks != 0) return "number of stripes";
  const std::size_t stripes = stripes_.size() / kStripeBlocks;
  for (const std::uint32_t stripe : rows_) {
    if (stripe >= stripes) return "a stripe number";
  }
  if (image_.cells().size() % kBlockColumns != 0) return "number of cells";
  const std::size_t blocks = image_.cells().size() / kBlockColumns;
  for (const std::uint32_t block : stripes_) {
    if (block >= blocks) return "a block number";
  }
  const std::size_t branches = image_.branches().size();
  const auto leads_on = [&](Cell cell, std::size_t below) {
    return (cell & kBranchBit) != 0 ? (cell & ~kBranchBit) < below
                                    : cell < image_.outcomes().size();
  };
  for (const Cell cell : image_.cells()) {
    if (!leads_on(cell, branches)) return "a cell of the matrix";
  }
  for (std::size_t i = 0; i < branches; ++i) {
    const Branch& branch = image_.branches()[i];
    if (branch.condition >= image_.conditions().size() || !leads_on(branch.when_holds, i) ||
        !leads_on(branch.otherwise, i)) {
      return "a branch";
    }
  }
  const std::size_t rules = image_.rules().size();
  for (const OutcomeRecord& outcome : image_.outcomes()) {
    if (!is_flag(outcome.published)) return "an outcome";
    for (std::size_t mode = 0; mode < 2; ++mode) {
      if (outcome.action[mode] > static_cast<std::uint8_t>(RuleAction::kAllow)) {
        return "action of an outcome";
      }
      const bool decided = outcome.action[mode] !=
                           static_cast<std::uint8_t>(RuleAction::kDefaultDeny);
      if (decided != (outcome.rule[mode] != kNone)) return "rule of an outcome";
      if (decided && outcome.rule[mode] >= rules) return "rule of an outcome";
      if (outcome.first_audit[mode] > image_.audit_rules().size() ||
          outcome.audits[mode] > image_.audit_rules().size() - outcome.first_audit[mode]) {
        return "audits of an outcome";
      }
    }
  }
  for (const AuditRecord& audit : image_.audit_rules()) {
    if (audit.rule >= rules) return "an audit rule";
    if (audit.condition != kNone && audit.condition >= image_.conditions().size()) {
      return "condition of an audit rule";
    }
  }
  return nullptr;
}

const char* ImageCheck::times() const {
  const auto offsets = image_.utc_offsets();
  if (offsets.empty() || offsets.front().at != std::numeric_limits<std::int64_t>::min()) {
    return "the first UTC offset";
  }
  for (std::size_t i = 0; i < offsets.size(); ++i) {
    if (offsets[i].seconds < -kMostUtcOffset || offsets[i].seconds > kMostUtcOffset) {
      return "a UTC offset";
    }
    if (i > 0 && offsets[i].at <= offsets[i - 1].at) return "order of the UTC offsets";
  }
  const auto dates = image_.schedule_dates();
  for (const ScheduleRecord& schedule : image_.schedules()) {
    if (schedule.start >= kSecondsOfDay || schedule.end > kSecondsOfDay ||
        schedule.start == schedule.end || schedule.weekdays > 0x7f) {
      return "a schedule";
    }
    if (schedule.first_date > dates.size() || schedule.dates > dates.size() - schedule.first_date) {
      return "dates of a schedule";
    }
    const auto own = dates.subspan(schedule.first_date, schedule.dates);
    if (std::ranges::adjacent_find(own, std::ranges::greater_equal{}) != own.end()) {
      return "order of the dates of a schedule";
    }
  }
  if (image_.conditions().size() > kMaxConditions) return "number of conditions";
  for (const ConditionRecord& condition : image_.conditions()) {
    if (condition.schedule != kNone && condition.schedule >= image_.schedules().size()) {
      return "schedule of a condition";
    }
  }
  return nullptr;
}

}  // namespace meiguan::image
