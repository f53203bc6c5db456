#include "dataplane/image/moment.h"

#include <algorithm>

#include "dataplane/image/reader.h"

namespace meiguan::image {
namespace {

constexpr std::int64_t kDay = 86'400;
constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();
// Beyond these instants (the years -1000 and 9000, about) the calendar stands still; sums of days
// and offsets cannot overflow.
constexpr std::int64_t kFirstInstant = -100'000'000'000;
constexpr std::int64_t kLastInstant = 220'000'000'000;

struct Span {
  std::int64_t begins{kEarliest};
  std::int64_t ends{kLatest};
  // Something changes at `instant`, seen from `now`.
  void cut(std::int64_t instant, std::int64_t now) noexcept {
    if (instant <= now) {
      begins = std::max(begins, instant);
    } else {
      ends = std::min(ends, instant);
    }
  }
};

constexpr std::int64_t day_of(std::int64_t local) noexcept {
  return (local >= 0 ? local : local - kDay + 1) / kDay;
}

// Monday is 0; 1970-01-01 was a Thursday.
constexpr unsigned weekday_of(std::int64_t day) noexcept {
  return static_cast<unsigned>(((day + 3) % 7 + 7) % 7);
}

const UtcOffset& offset_at(std::span<const UtcOffset> offsets, std::int64_t seconds) noexcept {
  // The first entry is that of the earliest instant.
  return *(std::ranges::upper_bound(offsets, seconds, {}, &UtcOffset::at) - 1);
}

bool has_day(const Image& image, const ScheduleRecord& schedule, std::int64_t day) noexcept {
  if (schedule.dates == 0) return (schedule.weekdays >> weekday_of(day) & 1) != 0;
  const auto dates = image.schedule_dates().subspan(schedule.first_date, schedule.dates);
  return std::ranges::binary_search(dates, day);
}

// Whether the schedule holds at `local`, and the days around it whose spans begin or end next.
bool is_within(const Image& image, const ScheduleRecord& schedule, std::int64_t local,
               std::int64_t offset, std::int64_t now, Span& span) noexcept {
  const std::int64_t length = schedule.end > schedule.start
                                  ? std::int64_t{schedule.end} - schedule.start
                                  : kDay - schedule.start + schedule.end;
  bool in = false;
  const auto look_at = [&](std::int64_t day) {
    if (!has_day(image, schedule, day)) return;
    const std::int64_t begins = day * kDay + schedule.start;
    in = in || (begins <= local && local < begins + length);
    span.cut(begins - offset, now);
    span.cut(begins + length - offset, now);
  };
  const std::int64_t today = day_of(local);
  if (schedule.dates == 0) {
    for (std::int64_t day = today - 8; day <= today + 8; ++day) look_at(day);
    return in;
  }
  const auto dates = image.schedule_dates().subspan(schedule.first_date, schedule.dates);
  const auto at = std::ranges::lower_bound(dates, today - 1);
  // The last span before, those that may hold now, and the next one.
  const auto first = at - std::min<std::ptrdiff_t>(at - dates.begin(), 1);
  for (auto date = first; date != dates.end() && date - first < 5; ++date) look_at(*date);
  return in;
}

// The wall clock of an image at one instant.
class Clock {
 public:
  // `span` is cut to where the wall clock keeps its distance to UTC.
  Clock(const Image& image, std::int64_t seconds, Span& span) noexcept
      : image_{image}, seconds_{seconds} {
    const std::span<const UtcOffset> offsets = image.utc_offsets();
    const UtcOffset& offset = offset_at(offsets, seconds);
    offset_ = offset.seconds;
    span.cut(offset.at, seconds);
    if (&offset != &offsets.back()) span.cut((&offset + 1)->at, seconds);
  }
  [[nodiscard]] bool holds(const ConditionRecord& condition, Span& span) const noexcept {
    bool in = condition.not_before <= seconds_ && seconds_ < condition.expires;
    span.cut(condition.not_before, seconds_);
    span.cut(condition.expires, seconds_);
    if (condition.schedule != kNone) {
      const ScheduleRecord& schedule = image_.schedules()[condition.schedule];
      in = is_within(image_, schedule, seconds_ + offset_, offset_, seconds_, span) && in;
    }
    return in;
  }

 private:
  const Image& image_;
  std::int64_t seconds_;
  std::int64_t offset_{0};
};

}  // namespace

std::int64_t wall_clock(const Image& image, std::int64_t seconds) noexcept {
  seconds = std::clamp(seconds, kFirstInstant, kLastInstant);
  return seconds + offset_at(image.utc_offsets(), seconds).seconds;
}

Moment::Moment(const Image& image, std::int64_t seconds) noexcept {
  if (image.conditions().empty()) return;
  seconds = std::clamp(seconds, kFirstInstant, kLastInstant);
  Span span;
  const Clock clock{image, seconds, span};
  for (std::size_t i = 0; i < image.conditions().size(); ++i) {
    if (clock.holds(image.conditions()[i], span)) words_[i / 64] |= std::uint64_t{1} << i % 64;
  }
  begins_ = seconds == kFirstInstant ? kEarliest : span.begins;
  ends_ = seconds == kLastInstant ? kLatest : span.ends;
}

ConditionState condition_at(const Image& image, std::uint32_t condition,
                            std::int64_t seconds) noexcept {
  seconds = std::clamp(seconds, kFirstInstant, kLastInstant);
  Span span;
  const Clock clock{image, seconds, span};
  const bool holds = clock.holds(image.conditions()[condition], span);
  return {holds, seconds == kFirstInstant ? kEarliest : span.begins,
          seconds == kLastInstant ? kLatest : span.ends};
}

void Moment::suppose(std::uint32_t condition, bool holds) noexcept {
  const std::uint64_t bit = std::uint64_t{1} << condition % 64;
  if (holds) {
    words_[condition / 64] |= bit;
  } else {
    words_[condition / 64] &= ~bit;
  }
}

}  // namespace meiguan::image
