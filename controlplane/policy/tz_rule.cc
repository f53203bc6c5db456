#include "controlplane/policy/tz_rule.h"

#include <algorithm>
#include <chrono>

namespace meiguan::policy {
namespace {

constexpr std::int64_t kDay = image::kSecondsOfDay;
constexpr std::int32_t kHour = 3600;

constexpr bool is_digit(char c) { return c >= '0' && c <= '9'; }
constexpr bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

// Reads a rule from left to right. A part that is not as it must be gives nothing.
class Parser {
 public:
  explicit Parser(std::string_view text) : text_{text} {}

  std::optional<TzRule> rule() {
    TzRule rule;
    if (!name()) return std::nullopt;
    const auto west = duration(24);
    if (!west) return std::nullopt;
    rule.standard = -*west;
    if (text_.empty()) return rule;
    rule.saving = saving(rule.standard);
    if (!rule.saving || !text_.empty()) return std::nullopt;
    return rule;
  }

 private:
  bool take(char c) {
    if (!text_.starts_with(c)) return false;
    text_.remove_prefix(1);
    return true;
  }

  // The abbreviation, which nobody here asks for.
  bool name() {
    const bool quoted = take('<');
    std::size_t length = 0;
    while (length < text_.size() && (is_letter(text_[length]) ||
                                     (quoted && (is_digit(text_[length]) || text_[length] == '+' ||
                                                 text_[length] == '-')))) {
      ++length;
    }
    text_.remove_prefix(length);
    return length >= 3 && (!quoted || take('>'));
  }

  std::optional<std::int32_t> number(std::int32_t largest) {
    std::int32_t value = 0;
    std::size_t digits = 0;
    for (; digits < 3 && digits < text_.size() && is_digit(text_[digits]); ++digits) {
      value = value * 10 + (text_[digits] - '0');
    }
    if (digits == 0 || value > largest) return std::nullopt;
    text_.remove_prefix(digits);
    return value;
  }

  // [+-]HH[:MM[:SS]] in seconds
  std::optional<std::int32_t> duration(std::int32_t most_hours) {
    const bool negative = take('-');
    if (!negative) take('+');
    const auto hours = number(most_hours);
    if (!hours) return std::nullopt;
    std::int32_t seconds = *hours * kHour;
    for (const std::int32_t unit : {60, 1}) {
      if (!take(':')) break;
      const auto part = number(59);
      if (!part) return std::nullopt;
      seconds += *part * unit;
    }
    return negative ? -seconds : seconds;
  }

  std::optional<TzDay> day() {
    TzDay day;
    std::optional<std::int32_t> number_of_day;
    if (take('M')) {
      day.form = TzDay::Form::kWeekday;
      const auto month = number(12);
      if (!month || *month == 0 || !take('.')) return std::nullopt;
      const auto week = number(5);
      if (!week || *week == 0 || !take('.')) return std::nullopt;
      day.month = *month;
      day.week = *week;
      number_of_day = number(6);
    } else if (take('J')) {
      day.form = TzDay::Form::kWithoutLeapDay;
      number_of_day = number(365);
      if (number_of_day == 0) return std::nullopt;
    } else {
      day.form = TzDay::Form::kWithLeapDay;
      number_of_day = number(365);
    }
    if (!number_of_day) return std::nullopt;
    day.day = *number_of_day;
    const auto time = take('/') ? duration(167) : 2 * kHour;
    if (!time) return std::nullopt;
    day.seconds = *time;
    return day;
  }

  std::optional<TzRule::Saving> saving(std::int32_t standard) {
    TzRule::Saving saving;
    if (!name()) return std::nullopt;
    saving.seconds = standard + kHour;
    if (!text_.starts_with(',')) {
      const auto west = duration(24);
      if (!west) return std::nullopt;
      saving.seconds = -*west;
    }
    if (!take(',')) return std::nullopt;
    const auto begins = day();
    if (!begins || !take(',')) return std::nullopt;
    const auto ends = day();
    if (!ends) return std::nullopt;
    saving.begins = *begins;
    saving.ends = *ends;
    return saving;
  }

  std::string_view text_;
};

// Days from 1970-01-01 to that day of `year`.
std::int64_t day_number(const TzDay& day, std::int32_t year) {
  using namespace std::chrono;
  const std::chrono::year in{year};
  const std::int64_t new_year = sys_days{in / January / 1}.time_since_epoch().count();
  switch (day.form) {
    case TzDay::Form::kWithLeapDay: return new_year + day.day;
    case TzDay::Form::kWithoutLeapDay: {
      const bool is_past_february = day.day >= 60;
      return new_year + day.day - 1 + (in.is_leap() && is_past_february ? 1 : 0);
    }
    case TzDay::Form::kWeekday: break;
  }
  const auto month = in / std::chrono::month{static_cast<unsigned>(day.month)};
  const weekday wanted{static_cast<unsigned>(day.day)};
  const sys_days found = day.week == 5 ? sys_days{month / wanted[last]}
                                       : sys_days{month / wanted[static_cast<unsigned>(day.week)]};
  return found.time_since_epoch().count();
}

}  // namespace

std::optional<TzRule> parse_tz_rule(std::string_view text) { return Parser{text}.rule(); }

std::vector<image::UtcOffset> changes(const TzRule& rule, std::int32_t first, std::int32_t last) {
  std::vector<image::UtcOffset> found;
  if (!rule.saving) return found;
  const auto add = [&](const TzDay& day, std::int32_t year, std::int32_t before,
                       std::int32_t after) {
    found.push_back({day_number(day, year) * kDay + day.seconds - before, after, 0});
  };
  for (std::int32_t year = first; year <= last; ++year) {
    add(rule.saving->begins, year, rule.standard, rule.saving->seconds);
    add(rule.saving->ends, year, rule.saving->seconds, rule.standard);
  }
  // Where one year's saving ends when the next one's begins it has no end: the later entry holds.
  std::ranges::stable_sort(found, {}, &image::UtcOffset::at);
  return found;
}

}  // namespace meiguan::policy
