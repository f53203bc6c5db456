// What is told of attacks and alarms.

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>

#include "controlplane/analysis/names.h"
#include "controlplane/daemon/answers.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;
using fastpath::Reason;

// Reasons that say that something is used up.
constexpr std::array kUsedUp{Reason::kFlowTableFull,     Reason::kSourceFlows,
                             Reason::kSourceRate,        Reason::kHalfOpen,
                             Reason::kFlowLimit,         Reason::kRateLimit,
                             Reason::kBandwidthLimit,    Reason::kFlowShare,
                             Reason::kTotalRate,         Reason::kNeighbourTableFull,
                             Reason::kFragmentStoreFull, Reason::kNatPoolFull,
                             Reason::kNatTableFull,      Reason::kHelperFull};
// No table runs out in silence. Queues do when a port has more to send than its line carries.
constexpr std::array kQueues{Reason::kTransmitFull, Reason::kHandoverFull, Reason::kExceptionFull};
static_assert(std::ranges::all_of(fastpath::kReasons, [](const fastpath::ReasonInfo& info) {
  const auto is_this = [&](Reason reason) { return reason == info.reason; };
  return !info.name.ends_with("-full") || std::ranges::any_of(kUsedUp, is_this) ||
         std::ranges::any_of(kQueues, is_this);
}));
constexpr std::uint64_t kNearlyFullPercent = 80;
constexpr std::size_t kMostBelow = 20;  // alarms of other nodes; `nodes` has all

std::string time_text(report::WallTime time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(time)));
}

json::value name_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

std::uint64_t packets_of(const report::Sums& sums, Reason reason) {
  const auto i = static_cast<std::size_t>(reason);
  return i < sums.reasons.size() ? sums.reasons[i][0] : 0;
}

std::string attacked(const report::Attack& attack, const fastpath::AttackInfo& info) {
  return net::to_string(info.by_target ? attack.destination : attack.source);
}

}  // namespace

json::object attacks_answer(const policy::Catalog& catalog, const report::Collector& collector,
                            report::WallTime now) {
  const analysis::Names names{catalog};
  json::array rows;
  for (const auto& attack : collector.attacks()) {
    const auto* const info = fastpath::find_attack(attack.type);
    if (info == nullptr) continue;
    rows.push_back(
        json::object{{"type", info->name},
                     {"state", attack.goes_on(now) ? "ongoing" : "over"},
                     {"source", info->by_target ? json::value(nullptr)
                                                : json::value(net::to_string(attack.source))},
                     {"target", info->by_target ? json::value(net::to_string(attack.destination))
                                                : json::value(nullptr)},
                     {"latest_source", net::to_string(attack.source)},
                     {"latest_target", net::to_string(attack.destination)},
                     {"protocol", attack.protocol},
                     {"latest_port", attack.destination_port},
                     {"in", name_or_null(names.port_name(attack.in))},
                     {"unit", name_or_null(names.unit_id(attack.unit))},
                     {"to_unit", name_or_null(names.unit_id(attack.to_unit))},
                     {"service", name_or_null(names.service_id(attack.service))},
                     {"packets", attack.packets},
                     {"distinct",
                      info->by_target ? json::value(nullptr) : json::value(attack.distinct)},
                     {"first", time_text(attack.first)},
                     {"last", time_text(attack.last)}});
  }
  return {{"ok", true},
          {"schema", "meiguan.attacks/v1"},
          {"rows", std::move(rows)},
          {"forgotten", collector.forgotten_attacks()}};
}

json::object alarm_row(const store::AlarmRow& row,
                       const std::function<std::string(std::int64_t)>& when) {
  const auto& alarm = row.alarm;
  return {{"node", row.node},
          {"alarm", alarm.name},
          {"kind", alarm.kind},
          {"about", name_or_null(alarm.about)},
          {"packets", alarm.packets > 0 ? json::value(alarm.packets) : json::value(nullptr)},
          {"since", when(alarm.since)},
          {"until", row.until ? json::value(when(*row.until)) : json::value(nullptr)}};
}

void add_alarms_below(const std::vector<store::AlarmRow>& alarms, json::object& answer) {
  json::array rows;
  for (const auto& alarm : alarms) {
    if (rows.size() == kMostBelow) break;
    rows.push_back(alarm_row(alarm, [](std::int64_t seconds) {
      return time_text(std::chrono::system_clock::from_time_t(seconds));
    }));
  }
  answer["alarms_below_count"] = alarms.size();
  answer["alarms_below"] = std::move(rows);
}

json::array alarms_of(const StatusInput& input) {
  json::array alarms;
  const auto tell = [&](std::string_view name, std::string_view kind, const std::string& about) {
    alarms.push_back(json::object{{"alarm", name},
                                  {"kind", kind},
                                  {"about", about},
                                  {"packets", nullptr},
                                  {"since", nullptr}});
  };
  for (const auto& alarm : input.alarms) tell(alarm.name, "policy", alarm.about);
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmImageDamaged) != 0) {
    tell("image-damaged", "policy", "image.last of the data plane was damaged when it started");
  }
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmImageNotKept) != 0) {
    tell("image-not-kept", "policy", "the data plane cannot write down the image in force");
  }
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmPortGone) != 0) {
    tell("port-gone", "port", "the network interface of a port is gone");
  }
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmTapMissing) != 0) {
    tell("tap-missing", "port", "the kernel's interface of a port could not be made");
  }
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmRoutesFull) != 0) {
    tell("routes-full", "routes",
         "the kernel has more routes by the TAPs than there is room for; the longest prefixes "
         "are left out");
  }
  if (input.dataplane && (input.dataplane->answer.alarms & channel::kAlarmRoutesUnread) != 0) {
    tell("routes-unread", "routes", "the kernel's routes cannot be read; those of before hold");
  }
  for (const auto& attack : input.attacks) {
    const auto* const info = fastpath::find_attack(attack.type);
    if (info == nullptr || !attack.goes_on(input.read_at)) continue;
    alarms.push_back(json::object{{"alarm", info->name},
                                  {"kind", "attack"},
                                  {"about", attacked(attack, *info)},
                                  {"packets", attack.packets},
                                  {"since", time_text(attack.first)}});
  }
  for (const Reason reason : kUsedUp) {
    const std::uint64_t now = packets_of(input.readings.now, reason);
    const std::uint64_t before = packets_of(input.readings.before, reason);
    if (now <= before) continue;  // what was dropped once is in `drops`
    const auto* const info = fastpath::find_reason(reason);
    alarms.push_back(json::object{{"alarm", info->name},
                                  {"kind", "limit"},
                                  {"about", nullptr},
                                  {"packets", now - before},
                                  {"since", nullptr}});
  }
  if (!input.statistics.trouble_en.empty()) {
    alarms.push_back(json::object{{"alarm", "statistics-store"},
                                  {"kind", "store"},
                                  {"about", input.statistics.trouble_en},
                                  {"waiting", input.statistics.waiting},
                                  {"packets", nullptr},
                                  {"since", nullptr}});
  }
  if (input.dataplane) {
    const std::uint64_t live = input.dataplane->answer.live_flows;
    const std::uint64_t capacity = input.dataplane->answer.flow_capacity;
    if (capacity != 0 && live * 100 >= capacity * kNearlyFullPercent) {
      tell("flow-table-nearly-full", "capacity", fmt::format("{} / {}", live, capacity));
    }
  }
  add_export_alarms(input.exports, alarms);
  for (const Text& alarm : input.block_alarms) {
    alarms.push_back(json::object{{"alarm", "block-list"},
                                  {"kind", "state"},
                                  {"about", alarm.english},
                                  {"packets", nullptr},
                                  {"since", nullptr}});
  }
  return alarms;
}

}  // namespace meiguan::daemon
