#include "controlplane/policy/instant_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>

#include "controlplane/policy/syntax.h"
#include "controlplane/policy/wall_clock.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kDay = image::kSecondsOfDay;

// Takes fields of fixed width off the front of a text.
class Fields {
 public:
  explicit Fields(std::string_view text) : text_{text} {}

  [[nodiscard]] bool empty() const { return text_.empty(); }
  [[nodiscard]] bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }
  // A number of `digits` digits that is at most `most`.
  [[nodiscard]] std::optional<int> number(std::size_t digits, int most) {
    if (text_.size() < digits) return std::nullopt;
    int value = 0;
    for (const char c : text_.substr(0, digits)) {
      if (c < '0' || c > '9') return std::nullopt;
      value = value * 10 + (c - '0');
    }
    text_.remove_prefix(digits);
    return value <= most ? std::optional{value} : std::nullopt;
  }

 private:
  std::string_view text_;
};

// Seconds since 1970-01-01 of the day's beginning.
std::optional<std::int64_t> take_date(Fields& fields) {
  const auto year = fields.number(4, 9999);
  if (!year || !fields.take('-')) return std::nullopt;
  const auto month = fields.number(2, 12);
  if (!month || !fields.take('-')) return std::nullopt;
  const auto day = fields.number(2, 31);
  if (!day) return std::nullopt;
  const std::chrono::year_month_day date{std::chrono::year{*year},
                                         std::chrono::month{static_cast<unsigned>(*month)},
                                         std::chrono::day{static_cast<unsigned>(*day)}};
  if (!date.ok()) return std::nullopt;
  return std::int64_t{std::chrono::sys_days{date}.time_since_epoch().count()} * kDay;
}

// Seconds of the day.
std::optional<std::int64_t> take_time(Fields& fields) {
  const auto hour = fields.number(2, 23);
  if (!hour || !fields.take(':')) return std::nullopt;
  const auto minute = fields.number(2, 59);
  if (!minute) return std::nullopt;
  std::optional<int> second{0};
  if (fields.take(':')) second = fields.number(2, 59);
  if (!second) return std::nullopt;
  return *hour * 3600 + *minute * 60 + *second;
}

// What stands behind the time: the distance to UTC, nothing where it is not one.
std::optional<std::int64_t> take_offset(Fields& fields) {
  if (fields.take('Z') || fields.take('z')) return 0;
  const bool west = fields.take('-');
  if (!west && !fields.take('+')) return std::nullopt;
  const auto hour = fields.number(2, 23);
  if (!hour || !fields.take(':')) return std::nullopt;
  const auto minute = fields.number(2, 59);
  if (!minute) return std::nullopt;
  return (*hour * 3600 + *minute * 60) * (west ? -1 : 1);
}

}  // namespace

std::optional<std::int64_t> parse_instant(std::span<const image::UtcOffset> offsets,
                                          std::string_view text) {
  Fields fields{text};
  auto local = take_date(fields);
  if (!local) return std::nullopt;
  if (!fields.empty()) {
    if (!fields.take('T') && !fields.take('t') && !fields.take(' ')) return std::nullopt;
    const auto time = take_time(fields);
    if (!time) return std::nullopt;
    *local += *time;
    if (!fields.empty()) {
      const auto offset = take_offset(fields);
      if (!offset || !fields.empty()) return std::nullopt;
      return *local - *offset;
    }
  }
  return instant_of(offsets, *local);
}

std::string instant_text(std::span<const image::UtcOffset> offsets, std::int64_t seconds) {
  std::int64_t offset = 0;
  if (!offsets.empty()) {
    const auto after = std::ranges::upper_bound(offsets, seconds, {}, &image::UtcOffset::at);
    offset = (after == offsets.begin() ? after : after - 1)->seconds;
  }
  const std::int64_t local = seconds + offset;
  const std::int64_t day = (local >= 0 ? local : local - kDay + 1) / kDay;
  const std::int64_t time = local - day * kDay;
  const std::chrono::year_month_day date{std::chrono::sys_days{std::chrono::days{day}}};
  const std::int64_t away = std::abs(offset) / 60;
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}{}{:02}:{:02}",
                     static_cast<int>(date.year()), static_cast<unsigned>(date.month()),
                     static_cast<unsigned>(date.day()), time / 3600, time / 60 % 60, time % 60,
                     offset < 0 ? '-' : '+', away / 60, away % 60);
}

}  // namespace meiguan::policy
