#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <string_view>

#include "tests/property/random_policy.h"

namespace meiguan::property {
namespace {

constexpr std::size_t kSchedules = 4;
constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu", "fri", "sat", "sun"};
constexpr std::array<std::string_view, 6> kTimes{"00:00:00", "00:00:01", "08:30:00",
                                                 "12:00:00", "18:00:00", "23:59:59"};
// 2026-03-02 was a Monday; all dates of random policies lie in the three weeks from it.
constexpr int kFirstDay = 2;
constexpr int kDaysInAll = 21;
constexpr std::int64_t kFirstInstant = 1'772'380'800;  // 2026-03-02T00:00+08:00
constexpr std::int64_t kDay = 86'400;

std::string date(Random& random) {
  return fmt::format("2026-03-{:02}", kFirstDay + below(random, kDaysInAll));
}

std::string date_or_time(Random& random) {
  if (chance(random, 50)) return date(random);
  const auto time = kTimes[below(random, kTimes.size())];
  constexpr std::array<std::string_view, 3> kOffsets{"", "Z", "-05:30"};
  return fmt::format("{}T{}{}", date(random), time, kOffsets[below(random, kOffsets.size())]);
}

std::string times(Random& random) {
  std::string lines;
  if (chance(random, 60)) lines += fmt::format("schedule = \"t{}\"\n", below(random, kSchedules));
  if (chance(random, 30)) lines += "not_before = " + date_or_time(random) + "\n";
  if (chance(random, 40)) lines += "expires = " + date_or_time(random) + "\n";
  return lines;
}

}  // namespace

void add_schedules(Random& random, PolicyText& text) {
  for (std::size_t i = 0; i < kSchedules; ++i) {
    std::string block = fmt::format("[[schedule]]\nid = \"t{}\"\n", i);
    std::string days;
    const bool by_dates = chance(random, 30);
    for (std::size_t n = 1 + below(random, 5); n > 0; --n) {
      const auto day = by_dates ? date(random)
                                : fmt::format("\"{}\"", kDays[below(random, kDays.size())]);
      if (days.find(day) == std::string::npos) days += (days.empty() ? "" : ", ") + day;
    }
    block += fmt::format("{} = [{}]\n", by_dates ? "dates" : "days", days);
    if (chance(random, 80)) {
      const std::size_t start = below(random, kTimes.size());
      const std::size_t end = (start + 1 + below(random, kTimes.size() - 1)) % kTimes.size();
      block += fmt::format("start = {}\nend = {}\n", kTimes[start], kTimes[end]);
    }
    text.blocks.push_back({"schedules.toml", block, true});
  }
}

void add_crowd(Random& random, PolicyText& text) {
  if (chance(random, 50)) return;
  std::vector<std::string> directories;
  for (const auto& block : text.blocks) {
    constexpr std::string_view kNode = "node.toml";
    if (block.file.ends_with(kNode)) {
      directories.push_back(block.file.substr(0, block.file.size() - kNode.size()));
    }
  }
  const std::size_t n = 4 + below(random, 12);
  for (std::size_t i = 0; i < n; ++i) {
    const auto& directory = directories[below(random, directories.size())];
    const auto* const action = chance(random, 50) ? "allow" : chance(random, 60) ? "deny" : "audit";
    const auto* const phase = chance(random, 60)   ? "local"
                              : chance(random, 50) ? "mandatory"
                                                   : "baseline";
    const bool may_say_any = directory.empty() || std::string_view{action} != "allow";
    const auto* const to = may_say_any && chance(random, 60) ? "any"
                           : chance(random, 50)              ? "services:core"
                                                             : "services:web";
    text.blocks.push_back({directory + "crowd.toml",
                           fmt::format("[[rule]]\nid = \"c{}\"\naction = \"{}\"\nphase = \"{}\"\n"
                                       "from = [\"any\"]\nto = [\"{}\"]\n{}",
                                       i, action, phase, to, times(random))});
  }
}

std::string random_times(Random& random) {
  return chance(random, 55) ? std::string{} : times(random);
}

std::int64_t random_instant(Random& random, const policy::CheckedPolicy& policy) {
  const auto anywhere = kFirstInstant - kDay +
                        static_cast<std::int64_t>(below(random, (kDaysInAll + 2) * kDay));
  const auto nudge = static_cast<std::int64_t>(below(random, 3)) - 1;
  switch (below(random, 8)) {
    case 0:
    case 1: {  // a time of some schedule, on some day
      if (policy.schedules.empty()) return anywhere;
      const auto& schedule = policy.schedules[below(random, policy.schedules.size())];
      const auto day = kFirstInstant + kDay * static_cast<std::int64_t>(below(random, kDaysInAll));
      return day + (chance(random, 50) ? schedule.start : schedule.end) + nudge;
    }
    case 2:
    case 3: {  // a date of some rule
      if (policy.rules.empty()) return anywhere;
      const auto& rule = policy.rules[below(random, policy.rules.size())];
      const auto& border = chance(random, 50) ? rule.not_before : rule.expires;
      return border ? *border + nudge : anywhere;
    }
    case 4: return static_cast<std::int64_t>(below(random, 4'000'000'000));
    default: return anywhere;
  }
}

}  // namespace meiguan::property
