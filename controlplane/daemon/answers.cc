#include "controlplane/daemon/answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <limits>
#include <string>

#include "controlplane/analysis/names.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/protocol_name.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/image/moment.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;
using analysis::Names;

json::value name_or_null(std::string_view text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

// By the policy's wall clock, as everywhere else.
std::string time_text(const image::Image& image, report::WallTime time) {
  return policy::instant_text(image.utc_offsets(), std::chrono::system_clock::to_time_t(time));
}

// The next instant at which a schedule or a date of some rule passes; null where none does.
json::value next_change(const image::Image& image, std::int64_t now) {
  const auto ends = image::Moment{image, now}.ends();
  if (ends == std::numeric_limits<std::int64_t>::max()) return nullptr;
  return json::value(policy::instant_text(image.utc_offsets(), ends));
}

// The name of a unit or service; null where there is none.
template <typename Entry>
json::value name_of(const Entry* entry) {
  return entry != nullptr ? name_or_null(entry->name) : json::value(nullptr);
}

json::value where_of(const Names& names, RuleId rule) {
  const auto* const entry = names.rule(rule);
  return entry != nullptr ? name_or_null(entry->where) : json::value(nullptr);
}

std::string protocol_text(std::uint8_t protocol) {
  const auto name = policy::protocol_name(protocol);
  return name.empty() ? fmt::format("proto-{}", protocol) : std::string{name};
}

std::string reason_name(fastpath::Reason reason) {
  const auto* const info = fastpath::find_reason(reason);
  return info != nullptr ? std::string{info->name}
                         : fmt::format("reason-{}", static_cast<unsigned>(reason));
}

// How fast a counter grows; counters of a data plane that was started anew begin at zero again.
double rate(std::uint64_t now, std::uint64_t before, double seconds) {
  return seconds > 0 && now >= before ? static_cast<double>(now - before) / seconds : 0;
}

template <std::size_t N>
std::uint64_t at(const std::vector<report::Numbers<N>>& all, std::size_t i, std::size_t field) {
  return i < all.size() ? all[i][field] : 0;
}

// What a direction's packets and bytes are called, and where they stand in the numbers.
struct Direction {
  std::string_view prefix;  // "sent_"
  std::size_t packets;
};

template <std::size_t N>
void add_traffic(json::object& row, const std::vector<report::Numbers<N>>& now,
                 const std::vector<report::Numbers<N>>& before, std::size_t i,
                 const Direction& direction, double seconds) {
  const auto key = [&](std::string_view name) {
    return std::string{direction.prefix} + std::string{name};
  };
  const std::size_t p = direction.packets;
  row.emplace(key("packets"), at(now, i, p));
  row.emplace(key("bytes"), at(now, i, p + 1));
  row.emplace(key("packets_per_second"), rate(at(now, i, p), at(before, i, p), seconds));
  row.emplace(key("bits_per_second"), 8 * rate(at(now, i, p + 1), at(before, i, p + 1), seconds));
}

json::object with_rows(const char* schema, json::array rows) {
  return {{"ok", true}, {"schema", schema}, {"rows", std::move(rows)}};
}

const channel::PortState* find_state(const std::optional<DataplaneStatus>& status,
                                     std::string_view name) {
  if (!status) return nullptr;
  for (const auto& port : status->ports) {
    if (name == port.name.data()) return &port;
  }
  return nullptr;
}

json::array port_rows(const policy::Catalog& catalog,
                      const std::optional<DataplaneStatus>& dataplane,
                      const report::Readings& readings) {
  json::array rows;
  for (std::size_t i = 0; i < catalog.ports.size(); ++i) {
    json::object row;
    row.emplace("port", catalog.ports[i].name);
    row.emplace("zone", catalog.ports[i].zone);
    const auto* const state = find_state(dataplane, catalog.ports[i].name);
    row.emplace("up", state != nullptr ? json::value(state->link_up != 0) : json::value(nullptr));
    row.emplace("mac",
                state != nullptr ? json::value(net::to_string(state->mac)) : json::value(nullptr));
    row.emplace("mtu", state != nullptr ? json::value(state->mtu) : json::value(nullptr));
    add_traffic(row, readings.now.ports, readings.before.ports, i, {"received_", 0},
                readings.seconds);
    add_traffic(row, readings.now.ports, readings.before.ports, i, {"sent_", 2}, readings.seconds);
    row.emplace("dropped", at(readings.now.ports, i, 4));
    row.emplace("local", at(readings.now.ports, i, 5));
    row.emplace("missed", state != nullptr ? state->device_missed : 0);
    row.emplace("errors", state != nullptr ? state->device_errors : 0);
    row.emplace("transmit_failed", state != nullptr ? state->transmit_failed : 0);
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace

json::object event_row(const Names& names, const fastpath::Event& event) {
  return {{"source", net::to_string(event.source)},
          {"source_port", event.source_port},
          {"destination", net::to_string(event.destination)},
          {"destination_port", event.destination_port},
          {"protocol", event.protocol},
          {"in", name_or_null(names.port_name(event.in_port))},
          {"out", name_or_null(names.port_name(event.out_port))},
          {"unit", name_or_null(names.unit_id(event.unit))},
          {"to_unit", name_or_null(names.unit_id(event.to_unit))},
          {"service", name_or_null(names.service_id(event.service))},
          {"rule", name_or_null(names.rule_name(event.rule))}};
}

namespace {

json::array reason_rows(const report::Readings& readings, bool drops_only) {
  json::array rows;
  for (const auto& info : fastpath::kReasons) {
    const auto i = static_cast<std::size_t>(info.reason);
    if (drops_only && info.verdict != fastpath::Verdict::kDrop) continue;
    if (at(readings.now.reasons, i, 0) == 0) continue;
    json::object row;
    row.emplace("reason", info.name);
    row.emplace("verdict", fastpath::name_of(info.verdict));
    add_traffic(row, readings.now.reasons, readings.before.reasons, i, {"", 0}, readings.seconds);
    rows.push_back(std::move(row));
  }
  return rows;
}

// The busiest first: by rate, where that is equal by total.
void sort_by(json::array& rows, std::initializer_list<std::string_view> rates,
             std::initializer_list<std::string_view> totals) {
  const auto sum = [](const json::value& row, std::initializer_list<std::string_view> keys) {
    double total = 0;
    for (const auto key : keys) total += row.as_object().at(key).to_number<double>();
    return total;
  };
  std::stable_sort(rows.begin(), rows.end(), [&](const json::value& a, const json::value& b) {
    const double x = sum(a, rates);
    const double y = sum(b, rates);
    return x != y ? x > y : sum(a, totals) > sum(b, totals);
  });
}

}  // namespace

json::object status_answer(const StatusInput& input) {
  json::object dataplane{{"connected", input.dataplane.has_value()}};
  json::object flows;
  if (input.dataplane) {
    const auto& answer = input.dataplane->answer;
    dataplane.emplace("pid", answer.pid);
    dataplane.emplace("uptime_seconds", answer.uptime_ms / 1000);
    dataplane.emplace("generation", answer.generation);
    dataplane.emplace("image", fmt::format("{:016x}", answer.checksum));
    dataplane.emplace("workers", answer.workers);
    dataplane.emplace("neighbours", answer.neighbours);
    const auto& machine = input.dataplane->machine;
    dataplane.emplace("machine", json::object{{"received", machine.received},
                                              {"sent", machine.sent},
                                              {"refused", machine.refused},
                                              {"limited", machine.limited},
                                              {"unsent", machine.unsent}});
    dataplane.emplace("routes", routes_status(input.dataplane->routes));
    flows.emplace("live", answer.live_flows);
    flows.emplace("capacity", answer.flow_capacity);
  }
  flows.emplace("created", input.readings.now.flows_created);
  flows.emplace("ended", input.readings.now.flows_ended);
  json::object policy{{"directory", input.policy.string()},
                      {"gateway", input.gateway.string()},
                      {"revision", input.revision}};
  json::array ports;
  if (input.bundle != nullptr) {
    const auto& image = input.bundle->image;
    policy.emplace("image", fmt::format("{:016x}", image.checksum()));
    policy.emplace("loaded", time_text(image, input.since));
    policy.emplace("next_change", next_change(image, input.now));
    policy.emplace("in_force",
                   input.dataplane && input.dataplane->answer.checksum == image.checksum());
    policy.emplace("units", input.bundle->policy.units.size());
    policy.emplace("services", input.bundle->policy.services.size());
    policy.emplace("rules", input.bundle->policy.rules.size());
    ports = port_rows(input.bundle->compiled.catalog, input.dataplane, input.readings);
  }
  json::object answer{{"ok", true},
                      {"schema", "meiguan.status/v1"},
                      {"dataplane", std::move(dataplane)},
                      {"policy", std::move(policy)},
                      {"flows", std::move(flows)},
                      {"packets", input.readings.now.packets},
                      {"events_lost", input.readings.now.events_lost},
                      {"blocks", input.blocks},
                      {"alarms", alarms_of(input)},
                      {"exports", export_rows(input.exports)},
                      {"ports", std::move(ports)}};
  add_alarms_below(input.alarms_below, answer);
  return answer;
}

json::object ports_answer(const policy::Catalog& catalog,
                          const std::optional<DataplaneStatus>& dataplane,
                          const report::Readings& readings) {
  return with_rows("meiguan.ports/v1", port_rows(catalog, dataplane, readings));
}

std::optional<json::object> top_answer(std::string_view what, const policy::Catalog& catalog,
                                       const report::Readings& readings) {
  const auto& now = readings.now;
  const auto& before = readings.before;
  json::array rows;
  if (what == "units") {
    for (std::size_t i = 0; i < std::min(catalog.units.size(), now.units.size()); ++i) {
      if (!catalog.units[i].in_use) continue;
      json::object row{{"unit", catalog.units[i].id}, {"name", catalog.units[i].name}};
      add_traffic(row, now.units, before.units, i, {"sent_", 0}, readings.seconds);
      add_traffic(row, now.units, before.units, i, {"received_", 2}, readings.seconds);
      row.emplace("flows", at(now.units, i, 4));
      row.emplace("denied", at(now.units, i, 5));
      rows.push_back(std::move(row));
    }
    sort_by(rows, {"sent_bits_per_second", "received_bits_per_second"},
            {"sent_bytes", "received_bytes"});
    return with_rows("meiguan.top-units/v1", std::move(rows));
  }
  if (what == "services") {
    for (std::size_t i = 0; i < std::min(catalog.services.size(), now.services.size()); ++i) {
      if (!catalog.services[i].in_use) continue;
      json::object row{{"service", catalog.services[i].id}, {"name", catalog.services[i].name}};
      add_traffic(row, now.services, before.services, i, {"request_", 0}, readings.seconds);
      add_traffic(row, now.services, before.services, i, {"reply_", 2}, readings.seconds);
      row.emplace("flows", at(now.services, i, 4));
      row.emplace("denied", at(now.services, i, 5));
      rows.push_back(std::move(row));
    }
    sort_by(rows, {"request_bits_per_second", "reply_bits_per_second"},
            {"request_bytes", "reply_bytes"});
    return with_rows("meiguan.top-services/v1", std::move(rows));
  }
  if (what == "rules") {
    for (std::size_t i = 0; i < std::min(catalog.rules.size(), now.rules.size()); ++i) {
      if (!catalog.rules[i].in_use) continue;
      json::object row{{"rule", catalog.rules[i].full_name}, {"action", catalog.rules[i].action}};
      add_traffic(row, now.rules, before.rules, i, {"", 0}, readings.seconds);
      row.emplace("hits", at(now.rules, i, 2));
      row.emplace("audited", at(now.rules, i, 3));
      row.emplace("where", catalog.rules[i].where);
      rows.push_back(std::move(row));
    }
    sort_by(rows, {"packets_per_second"}, {"packets", "audited"});
    return with_rows("meiguan.top-rules/v1", std::move(rows));
  }
  if (what == "ports") {
    rows = port_rows(catalog, std::nullopt, readings);
    sort_by(rows, {"received_bits_per_second", "sent_bits_per_second"},
            {"received_bytes", "sent_bytes"});
    return with_rows("meiguan.top-ports/v1", std::move(rows));
  }
  if (what == "reasons") {
    rows = reason_rows(readings, false);
    sort_by(rows, {"packets_per_second"}, {"packets"});
    return with_rows("meiguan.top-reasons/v1", std::move(rows));
  }
  return std::nullopt;
}

json::object flows_answer(const policy::Catalog& catalog,
                          const std::vector<fastpath::Event>& flows) {
  const Names names{catalog};
  json::array rows;
  for (const auto& flow : flows) {
    auto row = event_row(names, flow);
    // What each end is to the other; null where the gateway does not translate.
    const bool translated = flow.translated_source != net::Address{};
    const auto address = [&](const net::Address& end) {
      return translated ? json::value{net::to_string(end)} : json::value{};
    };
    const auto port = [&](std::uint16_t end) {
      return translated ? json::value{end} : json::value{};
    };
    row.emplace("translated_source", address(flow.translated_source));
    row.emplace("translated_source_port", port(flow.translated_source_port));
    row.emplace("translated_destination", address(flow.translated_destination));
    row.emplace("translated_destination_port", port(flow.translated_destination_port));
    row.emplace("packets", flow.packets);
    row.emplace("bytes", flow.bytes);
    row.emplace("reply_packets", flow.reply_packets);
    row.emplace("reply_bytes", flow.reply_bytes);
    row.emplace("age_seconds", flow.time >= flow.start ? (flow.time - flow.start) / 1000 : 0);
    row.emplace("generation", flow.generation);
    rows.push_back(std::move(row));
  }
  return with_rows("meiguan.flows/v1", std::move(rows));
}

json::object drops_answer(const lifecycle::Bundle& bundle, const report::Collector& collector) {
  const Names names{bundle.compiled.catalog};
  const auto& image = bundle.image;
  const auto readings = collector.readings();
  auto reasons = reason_rows(readings, true);
  sort_by(reasons, {"packets_per_second"}, {"packets"});
  json::array groups;
  for (const auto& group : collector.denials()) {
    groups.push_back(json::object{{"last", time_text(image, group.last)},
                                  {"reason", reason_name(group.reason)},
                                  {"rule", name_or_null(names.rule_name(group.rule))},
                                  {"where", where_of(names, group.rule)},
                                  {"unit", name_or_null(names.unit_id(group.unit))},
                                  {"unit_name", name_of(names.unit(group.unit))},
                                  {"source", net::to_string(group.source)},
                                  {"destination", net::to_string(group.destination)},
                                  {"protocol", group.protocol},
                                  {"protocol_name", protocol_text(group.protocol)},
                                  {"destination_port", group.destination_port},
                                  {"to_unit", name_or_null(names.unit_id(group.to_unit))},
                                  {"to_unit_name", name_of(names.unit(group.to_unit))},
                                  {"service", name_or_null(names.service_id(group.service))},
                                  {"service_name", name_of(names.service(group.service))},
                                  {"packets", group.packets}});
  }
  json::array recent;
  for (const auto& seen : collector.recent_denials()) {
    auto row = event_row(names, seen.event);
    row.emplace("time", time_text(image, seen.at));
    row.emplace("reason", reason_name(seen.event.reason));
    row.emplace("packets", seen.event.packets);
    recent.push_back(std::move(row));
  }
  return {{"ok", true},
          {"schema", "meiguan.drops/v1"},
          {"reasons", std::move(reasons)},
          {"groups", std::move(groups)},
          {"recent", std::move(recent)},
          {"events_lost", readings.now.events_lost},
          {"groups_forgotten", collector.forgotten_groups()}};
}

}  // namespace meiguan::daemon
