#include "controlplane/report/alarm_book.h"

#include <algorithm>
#include <utility>

namespace meiguan::report {
namespace {

constexpr const char* kMore = "more-alarms";
constexpr std::size_t kMostTextBytes = 200;

// So long at most, and no part of a character at its end.
std::string cut(const std::string& text) {
  if (text.size() <= kMostTextBytes) return text;
  std::size_t end = kMostTextBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;
  return text.substr(0, end);
}

}  // namespace

void AlarmBook::see(Key key, const SeenAlarm& seen, std::int64_t now) {
  auto found = standing_.find(key);
  if (found == standing_.end()) {
    const bool full = standing_.size() >= kMost;
    if (full && seen.name != kMore) {
      return see(Key{"", kMore, ""}, {kMore, "limit", {}, 0, false}, now);
    }
    Standing fresh;
    fresh.alarm = {seen.name, seen.kind, cut(seen.about), now, 0};
    found = standing_.emplace(std::move(key), std::move(fresh)).first;
    changed_ = true;
  }
  auto& [alarm, last] = found->second;
  last = now;
  const auto packets = seen.adds ? alarm.packets + seen.packets : seen.packets;
  counted_ = counted_ || packets != alarm.packets;
  alarm.packets = packets;
}

std::optional<std::vector<store::Alarm>> AlarmBook::take(std::span<const SeenAlarm> seen,
                                                         std::int64_t now) {
  std::map<std::pair<std::string, std::string>, std::size_t> of_name;
  for (const auto& one : seen) {
    const auto which = of_name[{one.kind, one.name}]++;
    see({one.kind, one.name, one.kind == "attack" ? one.about : std::to_string(which)}, one, now);
  }
  for (auto& [key, standing] : standing_) standing.seen = std::min(standing.seen, now);
  const auto over = std::erase_if(standing_, [&](const auto& entry) {
    return now - entry.second.seen >= kQuietSeconds;
  });
  changed_ = changed_ || over > 0;
  const auto since = reported_ && *reported_ <= now ? now - *reported_ : kPacketsSeconds;
  const bool due = !reported_ || (changed_ && since >= kReportSeconds) ||
                   (counted_ && since >= kPacketsSeconds);
  if (!due) return std::nullopt;
  reported_ = now;
  changed_ = counted_ = false;
  return list(now);
}

std::vector<store::Alarm> AlarmBook::list(std::int64_t now) const {
  std::vector<store::Alarm> alarms;
  for (const auto& [key, standing] : standing_) {
    alarms.push_back(standing.alarm);
    alarms.back().since = std::min(alarms.back().since, now);
  }
  return alarms;
}

}  // namespace meiguan::report
