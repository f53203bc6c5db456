#include "controlplane/daemon/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/store/row.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::daemon {
namespace {

using exporting::MetricsText;
using exporting::MetricType;

// A family of counters: one of the numbers that each object of a kind has.
struct Part {
  std::string_view name;
  std::string_view unit;
  std::string_view help;
  std::size_t field;
};

constexpr std::array<Part, 6> kPortParts{{
    {"meiguan_port_received_packets", "packets", "Packets that came in by a port.", 0},
    {"meiguan_port_received_bytes", "bytes", "Bytes of frames that came in by a port.", 1},
    {"meiguan_port_sent_packets", "packets", "Packets that left by a port.", 2},
    {"meiguan_port_sent_bytes", "bytes", "Bytes of frames that left by a port.", 3},
    {"meiguan_port_dropped_packets", "packets", "Packets that came in and were dropped.", 4},
    {"meiguan_port_local_packets", "packets", "Packets that were for the gateway itself.", 5},
}};
constexpr std::array<Part, 6> kUnitParts{{
    {"meiguan_unit_sent_packets", "packets", "Packets that a unit sent.", 0},
    {"meiguan_unit_sent_bytes", "bytes", "Bytes of IP packets that a unit sent.", 1},
    {"meiguan_unit_received_packets", "packets", "Packets that a unit received.", 2},
    {"meiguan_unit_received_bytes", "bytes", "Bytes of IP packets that a unit received.", 3},
    {"meiguan_unit_flows", "", "Flows that a unit began.", 4},
    {"meiguan_unit_denied_packets", "packets", "Packets of a unit that were denied.", 5},
}};
constexpr std::array<Part, 6> kServiceParts{{
    {"meiguan_service_request_packets", "packets", "Packets to a service.", 0},
    {"meiguan_service_request_bytes", "bytes", "Bytes of IP packets to a service.", 1},
    {"meiguan_service_reply_packets", "packets", "Packets from a service.", 2},
    {"meiguan_service_reply_bytes", "bytes", "Bytes of IP packets from a service.", 3},
    {"meiguan_service_flows", "", "Flows to a service.", 4},
    {"meiguan_service_denied_packets", "packets", "Packets to a service that were denied.", 5},
}};

// The numbers of one kind's objects by name, the last that of all others.
struct Told {
  std::vector<std::pair<std::string_view, report::Numbers<6>>> rows;
  std::uint64_t left_out{0};
};

template <typename Entry>
Told told_of(const std::vector<Entry>& entries, const std::vector<report::Numbers<6>>& numbers,
             std::size_t most) {
  Told told;
  report::Numbers<6> others{};
  bool any = false;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const bool named = i < entries.size() && entries[i].in_use;
    if (named && told.rows.size() < most) {
      told.rows.emplace_back(entries[i].id, numbers[i]);
      continue;
    }
    if (named) ++told.left_out;
    for (std::size_t field = 0; field < others.size(); ++field) {
      others[field] += numbers[i][field];
      any = any || numbers[i][field] != 0;
    }
  }
  // What is of an earlier policy stands here too, so that all rows add up to what was counted.
  if (any || told.left_out > 0) told.rows.emplace_back(store::kOther, others);
  return told;
}

void write(MetricsText& text, std::span<const Part> parts, std::string_view label,
           const Told& told) {
  for (const auto& part : parts) {
    text.family(part.name, MetricType::kCounter, part.unit, part.help);
    for (const auto& [name, numbers] : told.rows) {
      text.sample({{label, name}}, numbers[part.field]);
    }
  }
}

void write_dataplane(MetricsText& text, const StatusInput& input) {
  const auto& now = input.readings.now;
  text.only("meiguan_dataplane_up", MetricType::kGauge, "",
            "Whether the data plane answers: 1, or 0.", input.dataplane ? 1U : 0U);
  text.family("meiguan_packets", MetricType::kCounter, "packets",
              "Packets by how they ended; each ends once.");
  for (const auto& info : fastpath::kReasons) {
    const auto i = static_cast<std::size_t>(info.reason);
    if (i >= now.reasons.size()) continue;
    text.sample({{"reason", info.name}, {"verdict", fastpath::name_of(info.verdict)}},
                now.reasons[i][0]);
  }
  text.family("meiguan_frame_bytes", MetricType::kCounter, "bytes",
              "Bytes of frames by how their packets ended.");
  for (const auto& info : fastpath::kReasons) {
    const auto i = static_cast<std::size_t>(info.reason);
    if (i >= now.reasons.size()) continue;
    text.sample({{"reason", info.name}, {"verdict", fastpath::name_of(info.verdict)}},
                now.reasons[i][1]);
  }
  text.only("meiguan_flows_created", MetricType::kCounter, "", "Flows that began.",
            now.flows_created);
  text.only("meiguan_flows_ended", MetricType::kCounter, "", "Flows that ended.", now.flows_ended);
  text.only("meiguan_events_lost", MetricType::kCounter, "",
            "Events that found their ring full: counters have them, records do not.",
            now.events_lost);
  if (!input.dataplane) return;
  const auto& answer = input.dataplane->answer;
  text.only("meiguan_dataplane_uptime_seconds", MetricType::kGauge, "seconds",
            "Since the data plane started.", answer.uptime_ms / 1000);
  text.only("meiguan_flows", MetricType::kGauge, "", "Live flows.", answer.live_flows);
  text.only("meiguan_flow_table_capacity", MetricType::kGauge, "", "Flows that there is room for.",
            answer.flow_capacity);
  text.only("meiguan_neighbours", MetricType::kGauge, "", "Known neighbours.", answer.neighbours);
  const auto& routes = input.dataplane->routes;
  text.family("meiguan_routes_learned", MetricType::kGauge, "",
              "Routes that the kernel has by the TAPs, by what becomes of them.");
  text.sample({{"state", "used"}}, std::uint64_t{routes.used});
  text.sample({{"state", "unused"}}, std::uint64_t{routes.unused});
  text.sample({{"state", "excess"}}, routes.excess);
  text.sample({{"state", "unsupported"}}, routes.unsupported);
  text.only("meiguan_route_changes", MetricType::kCounter, "",
            "Times that the kernel's routes had changed.", routes.changes);
}

void write_ports(MetricsText& text, const StatusInput& input) {
  if (input.bundle == nullptr) return;
  const auto& ports = input.bundle->compiled.catalog.ports;
  const auto& numbers = input.readings.now.ports;
  for (const auto& part : kPortParts) {
    text.family(part.name, MetricType::kCounter, part.unit, part.help);
    for (std::size_t i = 0; i < std::min(ports.size(), numbers.size()); ++i) {
      text.sample({{"port", ports[i].name}, {"zone", ports[i].zone}}, numbers[i][part.field]);
    }
  }
  if (!input.dataplane) return;
  text.family("meiguan_port_up", MetricType::kGauge, "", "Whether a port's link is up.");
  for (const auto& port : input.dataplane->ports) {
    text.sample({{"port", port.name.data()}}, std::uint64_t{port.link_up != 0 ? 1U : 0U});
  }
  const std::array<std::pair<std::string_view, std::uint64_t channel::PortState::*>, 3> kLosses{
      {{"missed", &channel::PortState::device_missed},
       {"errors", &channel::PortState::device_errors},
       {"transmit_failed", &channel::PortState::transmit_failed}}};
  text.family("meiguan_port_device_lost_packets", MetricType::kCounter, "packets",
              "Packets that a device had no room for, found broken, or did not send.");
  for (const auto& port : input.dataplane->ports) {
    for (const auto& [how, member] : kLosses) {
      text.sample({{"port", port.name.data()}, {"how", how}}, port.*member);
    }
  }
}

void write_policy(MetricsText& text, const StatusInput& input) {
  text.only("meiguan_policy_revision", MetricType::kGauge, "", "The revision of the policy.",
            input.revision);
  if (input.bundle == nullptr) return;
  const auto checksum = input.bundle->image.checksum();
  text.only("meiguan_policy_in_force", MetricType::kGauge, "",
            "Whether the data plane has that policy.",
            input.dataplane && input.dataplane->answer.checksum == checksum ? 1U : 0U);
  text.only("meiguan_policy_loaded_timestamp_seconds", MetricType::kGauge, "seconds",
            "When it was loaded.",
            static_cast<std::uint64_t>(std::chrono::system_clock::to_time_t(input.since)));
  text.family("meiguan_policy", MetricType::kInfo, "", "The image of the policy.");
  text.sample({{"image", fmt::format("{:016x}", checksum)}}, std::uint64_t{1});
  text.only("meiguan_blocks", MetricType::kGauge, "", "Entries of the block list.", input.blocks);
}

void write_objects(MetricsText& text, const StatusInput& input, std::size_t most) {
  if (input.bundle == nullptr) return;
  const auto& catalog = input.bundle->compiled.catalog;
  const auto units = told_of(catalog.units, input.readings.now.units, most);
  const auto services = told_of(catalog.services, input.readings.now.services, most);
  write(text, kUnitParts, "unit", units);
  write(text, kServiceParts, "service", services);
  text.family("meiguan_metrics_left_out", MetricType::kGauge, "",
              "Objects that are not told of one by one; (other) has them.");
  text.sample({{"kind", "unit"}}, units.left_out);
  text.sample({{"kind", "service"}}, services.left_out);
}

void write_alarms(MetricsText& text, const StatusInput& input) {
  std::map<std::pair<std::string, std::string>, std::uint64_t> alarms;
  for (const auto& alarm : alarms_of(input)) {
    const auto& object = alarm.as_object();
    ++alarms[{std::string{object.at("alarm").as_string()},
              std::string{object.at("kind").as_string()}}];
  }
  text.family("meiguan_alarms", MetricType::kGauge, "", "What an operator should look at.");
  for (const auto& [name, count] : alarms) {
    text.sample({{"alarm", name.first}, {"kind", name.second}}, count);
  }
}

void write_exports(MetricsText& text, const StatusInput& input) {
  if (input.exports.empty()) return;
  const auto family = [&](std::string_view name, MetricType type, std::string_view help,
                          const auto& value) {
    text.family(name, type, "", help);
    for (const auto& one : input.exports) {
      text.sample({{"collector", one.collector}, {"transport", one.transport}},
                  std::uint64_t{value(one)});
    }
  };
  using Status = exporting::ExporterStatus;
  family("meiguan_export_connected", MetricType::kGauge, "Whether a collector is connected.",
         [](const Status& one) { return one.connected ? 1U : 0U; });
  family("meiguan_export_records", MetricType::kCounter, "Records that were sent.",
         [](const Status& one) { return one.records; });
  family("meiguan_export_messages", MetricType::kCounter, "Messages that were sent.",
         [](const Status& one) { return one.messages; });
  family("meiguan_export_lost_records", MetricType::kCounter, "Records that could not be sent.",
         [](const Status& one) { return one.lost.records; });
  family("meiguan_export_refused_messages", MetricType::kCounter,
         "Messages of UDP that nobody took.", [](const Status& one) { return one.refused; });
  family("meiguan_export_waiting_records", MetricType::kGauge, "Records that wait.",
         [](const Status& one) { return one.waiting; });
}

void write_store(MetricsText& text, const StatusInput& input) {
  const auto& store = input.statistics;
  text.only("meiguan_store_open", MetricType::kGauge, "", "Whether the statistics can be asked.",
            store.open ? 1U : 0U);
  text.only("meiguan_store_waiting_batches", MetricType::kGauge, "",
            "Minutes that wait for the store.", store.waiting);
  text.only("meiguan_store_dropped_batches", MetricType::kCounter, "",
            "Minutes that were too many to wait.", store.dropped);
  text.family("meiguan_store_untold_packets", MetricType::kGauge, "packets",
              "Packets that counters have and no event told of yet.");
  text.sample({}, store.untold_packets);
}

}  // namespace

std::string metrics_text(const StatusInput& input, std::size_t most,
                         exporting::MetricsFormat format) {
  MetricsText text{format};
  write_dataplane(text, input);
  write_ports(text, input);
  write_policy(text, input);
  write_objects(text, input, most);
  write_alarms(text, input);
  write_exports(text, input);
  write_store(text, input);
  return text.finish();
}

}  // namespace meiguan::daemon
