// Reader of [[schedule]], and of the dates and times in other tables.

#include <algorithm>

#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"

namespace meiguan::policy {
namespace {

constexpr std::uint32_t kDay = image::kSecondsOfDay;

// Clocks and conditions go by whole seconds; cutting a fraction off would move an edge.
bool is_whole(const TomlValue& value, std::string_view key, Reporter& reporter) {
  if (!value.has_fraction) return true;
  reporter.error(value.place, say("`{}` has a fraction of a second, whole seconds expected",
                                  "`{}` 带有小数秒，应为整秒", key));
  return false;
}

// Seconds of the day; `otherwise` where the key is not there or was reported.
std::uint32_t read_day_time(TableView& table, std::string_view key, std::uint32_t otherwise,
                            Reporter& reporter) {
  constexpr std::array kTime{TomlKind::kTime};
  const TomlValue* const value = table.value(key, kTime);
  if (value == nullptr || !is_whole(*value, key, reporter)) return otherwise;
  return static_cast<std::uint32_t>(value->integer);
}

std::string clock_text(std::uint32_t seconds) {
  return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
}

void read_hours(TableView& table, Schedule& schedule, Reporter& reporter) {
  schedule.start = read_day_time(table, "start", 0, reporter);
  schedule.end = read_day_time(table, "end", kDay, reporter);
  if (schedule.start != schedule.end) return;
  const Place place = table.find("end")->place;
  const bool has_start = table.find("start") != nullptr;
  reporter.error(place,
                 has_start
                     ? say("`start` and `end` are both {}, which leaves no time between",
                           "`start` 与 `end` 都是 {}，其间没有时间", clock_text(schedule.start))
                     : say("`end` is {}, where `start` is when it is not given",
                           "`end` 是 {}，与未写明时的 `start` 相同", clock_text(schedule.start)),
                 say("without `start` a span begins at 00:00, without `end` it ends at midnight",
                     "不写 `start` 即从 00:00 起，不写 `end` 即到午夜止"));
}

void read_days(TableView& table, Schedule& schedule, Reporter& reporter) {
  constexpr std::array<std::pair<std::string_view, unsigned>, 7> kDays{
      {{"mon", 0}, {"tue", 1}, {"wed", 2}, {"thu", 3}, {"fri", 4}, {"sat", 5}, {"sun", 6}}};
  const bool has_days = table.find("days") != nullptr;
  const bool has_dates = table.find("dates") != nullptr;
  if (const auto days = table.list_of("days", TomlKind::kString)) {
    for (const TomlValue* const day : *days) {
      const auto number = choose(std::optional<Word>({day->text, day->place}), "days", kDays,
                                 reporter);
      if (number) schedule.weekdays |= static_cast<std::uint8_t>(1U << *number);
    }
  }
  if (const auto dates = table.list_of("dates", TomlKind::kDate)) {
    for (const TomlValue* const date : *dates) {
      schedule.dates.push_back(static_cast<std::int32_t>(date->integer));
    }
    std::ranges::sort(schedule.dates);
    const auto repeated = std::ranges::unique(schedule.dates);
    schedule.dates.erase(repeated.begin(), repeated.end());
  }
  if (has_days != has_dates) return;
  reporter.error(table.place(),
                 has_days ? say("`days` stands together with `dates`, one of them expected",
                                "`days` 与 `dates` 不能同时出现，只能有其一")
                          : say("there is neither `days` nor `dates`, one of them expected",
                                "缺少 `days` 或 `dates`，应有其一"));
}

}  // namespace

void read_schedule(TableView& table, TableContext& context) {
  Reporter& reporter = context.reporter;
  DraftSchedule draft;
  Schedule& schedule = draft.schedule;
  schedule.node = context.node;
  schedule.place = table.place();
  const auto id = read_id(table, reporter);
  const auto name = table.word("name");
  read_days(table, schedule, reporter);
  read_hours(table, schedule, reporter);
  if (!id) return;
  draft.id_place = id->place;
  schedule.id = id->text;
  schedule.name = name ? name->text : id->text;
  context.draft.schedules.push_back(std::move(draft));
}

std::optional<DraftMoment> read_moment(TableView& table, std::string_view key, Reporter& reporter) {
  constexpr std::array kKinds{TomlKind::kDate, TomlKind::kDateTime};
  const TomlValue* const value = table.value(key, kKinds);
  if (value == nullptr || !is_whole(*value, key, reporter)) return std::nullopt;
  DraftMoment moment;
  moment.place = value->place;
  moment.is_date = value->kind == TomlKind::kDate;
  moment.local = moment.is_date ? value->integer * kDay : value->integer;
  moment.offset_seconds = value->offset_seconds;
  return moment;
}

}  // namespace meiguan::policy
