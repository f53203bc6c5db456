#include "controlplane/policy/tz_file.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <limits>

#include "controlplane/policy/tz_rule.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
constexpr std::size_t kHeaderBytes = 44;
constexpr std::size_t kTypeBytes = 6;
// What lies further from today than this (in seconds, about thirty thousand years) is nonsense.
constexpr std::int64_t kFarthest = std::int64_t{1} << 60;

std::unexpected<Error> damaged(std::string_view english, std::string_view chinese) {
  return fail("its file in the tz database is damaged: " + std::string(english),
              "tz 数据库中的该文件已损坏：" + std::string(chinese));
}

// Big-endian, `bytes` long; the caller has looked at the length.
std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return value;
}

struct Header {
  std::uint64_t ut_marks{0};
  std::uint64_t standard_marks{0};
  std::uint64_t leaps{0};
  std::uint64_t times{0};
  std::uint64_t types{0};
  std::uint64_t characters{0};

  // Of the block behind it, whose times have `width` bytes each. Cannot overflow: the counts have
  // 32 bits.
  [[nodiscard]] std::uint64_t block_bytes(std::uint64_t width) const {
    return times * (width + 1) + types * kTypeBytes + characters + leaps * (width + 4) +
           standard_marks + ut_marks;
  }
};

std::optional<Header> read_header(std::string_view bytes) {
  if (bytes.size() < kHeaderBytes || !bytes.starts_with("TZif")) return std::nullopt;
  const auto count = [&](std::size_t number) {
    return big_endian(bytes.substr(20 + 4 * number, 4));
  };
  return Header{count(0), count(1), count(2), count(3), count(4), count(5)};
}

// The list of the second block, whose times have 64 bits.
Result<std::vector<image::UtcOffset>> read_list(const Header& header, std::string_view bytes) {
  const std::string_view times = bytes.substr(0, header.times * 8);
  const std::string_view indices = bytes.substr(times.size(), header.times);
  const std::string_view types = bytes.substr(times.size() + indices.size(),
                                              header.types * kTypeBytes);
  std::vector<std::int32_t> offsets;
  for (std::size_t i = 0; i < header.types; ++i) {
    const auto offset = static_cast<std::int32_t>(big_endian(types.substr(i * kTypeBytes, 4)));
    if (offset < -image::kMostUtcOffset || offset > image::kMostUtcOffset) {
      return damaged("an offset of more than a day", "时差超过一天");
    }
    offsets.push_back(offset);
  }
  if (offsets.empty()) return damaged("no offset", "没有时差");
  // Before the first change the first type holds (RFC 9636 3.2).
  std::vector<image::UtcOffset> list{{kEarliest, offsets.front(), 0}};
  for (std::size_t i = 0; i < header.times; ++i) {
    const auto at = static_cast<std::int64_t>(big_endian(times.substr(i * 8, 8)));
    const auto type = static_cast<unsigned char>(indices[i]);
    if (type >= offsets.size()) return damaged("no such offset", "时差编号无效");
    if (at <= list.back().at) return damaged("times out of order", "时刻次序有误");
    if (at > kFarthest) return damaged("a time too far away", "时刻过远");
    list.push_back({at, offsets[type], 0});
  }
  return list;
}

std::int32_t year_of(std::int64_t instant) {
  // Times before our era stand for "ever" in some files.
  const std::int64_t days = std::max<std::int64_t>(instant, 0) / image::kSecondsOfDay;
  if (days > std::int64_t{365} * 5000) return kLastClockYear + 2;
  const std::chrono::sys_days day{std::chrono::days{days}};
  return static_cast<int>(std::chrono::year_month_day{day}.year());
}

// Adds what the rule at the file's end says of the time after its list.
std::optional<Error> follow(const TzRule& rule, WallClock& clock) {
  const auto out_of_range = [](std::int32_t seconds) {
    return seconds < -image::kMostUtcOffset || seconds > image::kMostUtcOffset;
  };
  if (out_of_range(rule.standard) || (rule.saving && out_of_range(rule.saving->seconds))) {
    return damaged("an offset of more than a day", "时差超过一天").error();
  }
  const image::UtcOffset last = clock.offsets.back();
  const bool is_only_rule = clock.offsets.size() == 1;
  if (is_only_rule) clock.offsets.front().seconds = rule.standard;
  const bool fits = is_only_rule || last.seconds == rule.standard ||
                    (rule.saving && last.seconds == rule.saving->seconds);
  if (!fits) return damaged("its rule contradicts its list", "规则与列表矛盾").error();
  if (!rule.saving) return std::nullopt;
  for (const image::UtcOffset& change : changes(rule, year_of(last.at) - 1, kLastClockYear + 1)) {
    if (change.at <= last.at) continue;
    if (change.at == clock.offsets.back().at) {
      clock.offsets.back() = change;
    } else {
      clock.offsets.push_back(change);
    }
  }
  // Wherever the zone lies, the year is over by then.
  const std::chrono::sys_days end = std::chrono::year{kLastClockYear + 1} / 1 / 3;
  clock.known_until = end.time_since_epoch().count() * std::int64_t{image::kSecondsOfDay};
  return std::nullopt;
}

}  // namespace

Result<WallClock> read_tz_file(std::string_view bytes) {
  const auto first = read_header(bytes);
  if (!first) return fail("it is no file of the tz database", "它不是 tz 数据库的文件");
  if (bytes[4] < '2') {
    return fail(
        "its file in the tz database is of version 1, which ends in 2037, 2 or later expected",
        "tz 数据库中的该文件为第 1 版（止于 2037 年），应为第 2 版或更高");
  }
  bytes.remove_prefix(kHeaderBytes);
  if (bytes.size() < first->block_bytes(4)) return damaged("it is cut short", "内容不完整");
  bytes.remove_prefix(first->block_bytes(4));
  const auto header = read_header(bytes);
  if (!header) return damaged("no second header", "缺少第二个文件头");
  bytes.remove_prefix(kHeaderBytes);
  if (bytes.size() < header->block_bytes(8)) return damaged("it is cut short", "内容不完整");
  if (header->leaps > 0) {
    return fail("its clock counts leap seconds, a zone without expected",
                "该时区计入闰秒，应使用不计闰秒的时区");
  }
  auto list = read_list(*header, bytes);
  if (!list) return std::unexpected{std::move(list.error())};
  bytes.remove_prefix(header->block_bytes(8));
  if (bytes.size() < 2 || bytes.front() != '\n' || bytes.find('\n', 1) != bytes.size() - 1) {
    return damaged("no line with a rule at its end", "末尾缺少规则行");
  }
  const auto rule = parse_tz_rule(bytes.substr(1, bytes.size() - 2));
  if (!rule) {
    return damaged("no rule by which the clock goes on", "没有可用的后续规则");
  }
  WallClock clock{std::move(*list), std::nullopt};
  if (auto error = follow(*rule, clock)) return std::unexpected{std::move(*error)};
  // A change of the name alone is none of the clock.
  const auto same = [](const image::UtcOffset& a, const image::UtcOffset& b) {
    return a.seconds == b.seconds;
  };
  clock.offsets.erase(std::unique(clock.offsets.begin(), clock.offsets.end(), same),
                      clock.offsets.end());
  return clock;
}

}  // namespace meiguan::policy
