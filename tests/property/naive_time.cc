// When a rule is there, straight from the text: wall-clock times of the policy's time zone, by the
// calendar of the standard library.

#include <algorithm>
#include <chrono>

#include "tests/property/naive_decide.h"

namespace meiguan::property {
namespace {

std::int64_t offset_at(const policy::CheckedPolicy& policy, std::int64_t at) {
  std::int64_t offset = 0;
  for (const auto& entry : policy.utc_offsets) {
    if (entry.at <= at) offset = entry.seconds;
  }
  return offset;
}

bool is_day_of(const policy::Schedule& schedule, std::chrono::sys_days day) {
  if (!schedule.dates.empty()) {
    return std::ranges::find(schedule.dates, day.time_since_epoch().count()) !=
           schedule.dates.end();
  }
  const unsigned monday_is_one = std::chrono::weekday{day}.iso_encoding();
  return (schedule.weekdays >> (monday_is_one - 1) & 1) != 0;
}

}  // namespace

bool is_there(const policy::CheckedPolicy& policy, const policy::Rule& rule, std::int64_t at) {
  if (rule.not_before && at < *rule.not_before) return false;
  if (rule.expires && at >= *rule.expires) return false;
  if (rule.schedule.is_none()) return true;
  const auto& schedule = policy.schedules[rule.schedule.index()];
  const std::chrono::sys_seconds local{std::chrono::seconds{at + offset_at(policy, at)}};
  const auto today = std::chrono::floor<std::chrono::days>(local);
  const auto time = static_cast<std::uint32_t>((local - today).count());
  if (schedule.start < schedule.end) {
    return is_day_of(schedule, today) && schedule.start <= time && time < schedule.end;
  }
  // Over midnight: it began today, or it began yesterday.
  return (is_day_of(schedule, today) && time >= schedule.start) ||
         (is_day_of(schedule, today - std::chrono::days{1}) && time < schedule.end);
}

}  // namespace meiguan::property
