#include "controlplane/analysis/instants.h"

#include <algorithm>
#include <limits>
#include <set>

#include "dataplane/image/moment.h"

namespace meiguan::analysis {
namespace {

constexpr std::int64_t kDay = 86'400;
// A week, and a day for a span that runs over midnight.
constexpr std::int64_t kPeriod = 8 * kDay;
constexpr std::int64_t kNever = std::numeric_limits<std::int64_t>::max();
// Where Moment lets the calendar stand still.
constexpr std::int64_t kFirstInstant = -100'000'000'000;
constexpr std::int64_t kLastInstant = 220'000'000'000;

// The instants after `from` at which something other than the week begins to count, ascending.
std::vector<std::int64_t> special_instants(std::span<const ConditionRef> conditions,
                                           std::int64_t from) {
  std::vector<std::int64_t> special;
  const auto add = [&](std::int64_t instant) {
    if (instant > from && instant < kLastInstant) special.push_back(instant);
  };
  for (const auto& [image, number] : conditions) {
    const image::ConditionRecord& condition = image->conditions()[number];
    add(condition.not_before);
    add(condition.expires);
    if (condition.schedule == image::kNone) continue;
    for (const image::UtcOffset& offset : image->utc_offsets()) add(offset.at);
    const image::ScheduleRecord& schedule = image->schedules()[condition.schedule];
    for (const std::int32_t day :
         image->schedule_dates().subspan(schedule.first_date, schedule.dates)) {
      // Its span lies well between, whatever the offset of the wall clock.
      add((std::int64_t{day} - 2) * kDay);
      add((std::int64_t{day} + 4) * kDay);
    }
  }
  std::ranges::sort(special);
  const auto rest = std::ranges::unique(special);
  special.erase(rest.begin(), rest.end());
  return special;
}

}  // namespace

std::vector<Constellation> constellations(std::span<const ConditionRef> conditions,
                                          std::int64_t from) {
  from = std::clamp(from, kFirstInstant, kLastInstant);
  const std::vector<std::int64_t> special = special_instants(conditions, from);
  std::vector<Constellation> result;
  std::set<std::vector<bool>> seen;
  std::size_t next = 0;       // of `special`
  std::int64_t since = from;  // from here on the weeks are alike
  for (std::int64_t now = from;;) {
    for (; next < special.size() && special[next] <= now; ++next) since = special[next];
    std::vector<bool> holds;
    std::int64_t ends = kNever;
    for (const auto& [image, number] : conditions) {
      const image::ConditionState state = image::condition_at(*image, number, now);
      holds.push_back(state.holds);
      ends = std::min(ends, state.ends);
    }
    if (seen.insert(holds).second) result.push_back({std::move(holds), now});
    if (ends == kNever) return result;
    now = ends;
    if (now - since <= kPeriod) continue;
    if (next == special.size()) return result;
    now = std::max(now, special[next]);
  }
}

}  // namespace meiguan::analysis
