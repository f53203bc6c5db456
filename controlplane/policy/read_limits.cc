// Readers of the keys `limits`, `timeouts` and `helper`, and of the gateway file's [limits].

#include <algorithm>
#include <array>
#include <utility>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/read_policy.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kMostCount = 0xffff'ffff;
constexpr std::uint64_t kLeastBandwidth = 64'000;  // less would not carry one large packet a second
constexpr std::uint64_t kMostBandwidth = 10'000'000'000'000;

template <typename Unit>
struct Scale {
  std::string_view name;
  Unit factor;
};

// A number and the unit that stands right behind it; nothing where either is missing or unknown.
template <typename Value, std::size_t kCount>
std::optional<Value> scaled(std::string_view text, const std::array<Scale<Value>, kCount>& scales) {
  const std::size_t digits = std::min(text.find_first_not_of("0123456789"), text.size());
  const auto number = parse_number(text.substr(0, digits), 1'000'000'000);
  const auto scale = std::ranges::find(scales, text.substr(digits), &Scale<Value>::name);
  if (!number || scale == scales.end()) return std::nullopt;
  return static_cast<Value>(*number) * scale->factor;
}

std::uint64_t read_bandwidth(TableView& table, Reporter& reporter) {
  constexpr std::array<Scale<std::uint64_t>, 4> kScales{
      {{"bit", 1}, {"kbit", 1'000}, {"Mbit", 1'000'000}, {"Gbit", 1'000'000'000}}};
  const auto word = table.word("bandwidth");
  if (!word) return 0;
  const auto value = scaled(word->text, kScales);
  if (value && *value >= kLeastBandwidth && *value <= kMostBandwidth) return *value;
  reporter.error(word->place,
                 say("`bandwidth` is `{}`, a number with bit, kbit, Mbit or Gbit expected, 64kbit "
                     "to 10000Gbit",
                     "`bandwidth` 的值是 `{}`，应为数字加 bit、kbit、Mbit 或 Gbit，64kbit 至 "
                     "10000Gbit",
                     printable(word->text)),
                 say("for example \"20Mbit\"", "例如 \"20Mbit\""));
  return 0;
}

// Runs `read` over the inline table at `key`, if there is one; one without keys says nothing.
template <typename Read>
void read_inline(TableView& table, std::string_view key, Reporter& reporter, Read read) {
  constexpr std::array kTable{TomlKind::kTable};
  const TomlValue* const value = table.value(key, kTable);
  if (value == nullptr) return;
  if (value->members.empty()) {
    reporter.error(value->place, say("`{}` is empty, one key at least expected",
                                     "`{}` 为空，至少应有一个键", key));
  }
  TableView view(fmt::format("`{}`", key), value->place, value->members, reporter);
  read(view);
  view.finish();
}

// From how many on an attack is told of; 0: never. A scan's targets are told apart by few bits,
// which bounds what can be asked for.
void read_attack_thresholds(TableView& table, image::GatewayLimits& limits, Reporter& reporter) {
  struct Threshold {
    std::string_view key;
    std::int64_t most;
    std::uint32_t& into;
  };
  for (const Threshold& t : {Threshold{"syn_flood", kMostCount, limits.syn_flood},
                             Threshold{"udp_flood", kMostCount, limits.udp_flood},
                             Threshold{"icmp_flood", kMostCount, limits.icmp_flood},
                             Threshold{"vertical_scan", image::kMostScan, limits.vertical_scan},
                             Threshold{"horizontal_scan", image::kMostScan, limits.horizontal_scan},
                             Threshold{"fan_out", image::kMostFanOut, limits.fan_out}}) {
    t.into = read_number(table, t.key, 0, t.most, reporter).value_or(t.into);
  }
}

}  // namespace

std::optional<std::uint32_t> read_number(TableView& table, std::string_view key, std::int64_t least,
                                         std::int64_t most, Reporter& reporter) {
  const auto number = table.integer(key);
  if (!number) return std::nullopt;
  if (number->value >= least && number->value <= most) {
    return static_cast<std::uint32_t>(number->value);
  }
  reporter.error(number->place, say("`{}` is {}, {} to {} expected", "`{}` 为 {}，应为 {} 至 {}",
                                    key, number->value, least, most));
  return std::nullopt;
}

std::optional<std::uint32_t> read_duration(TableView& table, std::string_view key,
                                           std::uint32_t most, Reporter& reporter) {
  constexpr std::array<Scale<std::uint64_t>, 4> kScales{
      {{"s", 1}, {"m", 60}, {"h", 3'600}, {"d", 86'400}}};
  const auto word = table.word(key);
  if (!word) return std::nullopt;
  const auto value = scaled(word->text, kScales);
  if (value && *value >= 1 && *value <= most) return static_cast<std::uint32_t>(*value);
  reporter.error(word->place,
                 say("`{}` is `{}`, a number with s, m, h or d expected, 1 to {} seconds in all",
                     "`{}` 的值是 `{}`，应为数字加 s、m、h 或 d，合计 1 至 {} 秒", key,
                     printable(word->text), most),
                 say("for example \"30m\"", "例如 \"30m\""));
  return std::nullopt;
}

Limits read_limits(TableView& table, Reporter& reporter) {
  Limits limits;
  read_inline(table, "limits", reporter, [&](TableView& view) {
    limits.flows = read_number(view, "flows", 1, kMostCount, reporter).value_or(0);
    limits.new_per_second =
        read_number(view, "new_per_second", 1, kMostCount, reporter).value_or(0);
    limits.half_open = read_number(view, "half_open", 1, kMostCount, reporter).value_or(0);
    limits.bandwidth = read_bandwidth(view, reporter);
  });
  return limits;
}

Timeouts read_timeouts(TableView& table, Reporter& reporter) {
  Timeouts timeouts{};
  read_inline(table, "timeouts", reporter, [&](TableView& view) {
    for (std::size_t i = 0; i < kTimeouts; ++i) {
      timeouts[i] = read_duration(view, kTimeoutKeys[i], image::kMostTimeout, reporter).value_or(0);
    }
  });
  return timeouts;
}

Helper read_helper(TableView& table, Reporter& reporter) {
  constexpr std::array<std::pair<std::string_view, Helper>, 2> kHelpers{
      {{"ftp", Helper::kFtp}, {"sip", Helper::kSip}}};
  const auto word = table.word("helper");
  return choose(word, "helper", kHelpers, reporter).value_or(Helper::kOff);
}

void read_gateway_limits(TableView& table, GatewayDraft& draft, Reporter& reporter) {
  image::GatewayLimits& limits = draft.limits;
  const auto count = [&](std::string_view key, std::int64_t least, std::uint32_t& into) {
    into = read_number(table, key, least, kMostCount, reporter).value_or(into);
  };
  const auto percent = [&](std::string_view key, std::uint8_t& into) {
    into = static_cast<std::uint8_t>(read_number(table, key, 1, 100, reporter).value_or(into));
  };
  const auto seconds = [&](std::string_view key, std::uint16_t& into) {
    into = static_cast<std::uint16_t>(read_duration(table, key, 120, reporter).value_or(into));
  };
  count("source_flows", 0, limits.source_flows);
  count("source_new_per_second", 0, limits.source_new_per_second);
  count("new_per_second", 0, limits.new_per_second);
  count("half_open_per_destination", 0, limits.half_open_per_destination);
  limits.syn_cookies = table.boolean("syn_cookies").value_or(limits.syn_cookies != 0) ? 1 : 0;
  limits.fragment_datagrams = read_number(table, "fragment_datagrams", 64,
                                          image::kMostFragmentDatagrams, reporter)
                                  .value_or(limits.fragment_datagrams);
  percent("fragment_source_percent", limits.fragment_source_percent);
  seconds("fragment_time_ipv4", limits.fragment_seconds_v4);
  seconds("fragment_time_ipv6", limits.fragment_seconds_v6);
  percent("share_from_percent", limits.share_from_percent);
  percent("share_percent", limits.share_percent);
  read_attack_thresholds(table, limits, reporter);
}

}  // namespace meiguan::policy
