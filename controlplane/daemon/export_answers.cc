// What is exported: the names that records carry, and how the collectors take them.

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/daemon/answers.h"
#include "controlplane/daemon/export_answers.h"

namespace meiguan::daemon {

namespace json = boost::json;

std::shared_ptr<const exporting::Names> export_names(const lifecycle::Bundle& bundle) {
  auto names = std::make_shared<exporting::Names>();
  names->catalog = bundle.compiled.catalog;
  names->revision = fmt::format("{:016x}", bundle.image.checksum());
  names->spaces.resize(1);
  for (const auto& zone : bundle.policy.zones) {
    const std::size_t space = zone.space.index();
    if (space == kSharedSpace.index()) continue;
    if (names->spaces.size() <= space) names->spaces.resize(space + 1);
    names->spaces[space] = zone.id;
  }
  if (!bundle.gateway) return names;
  for (const auto& port : bundle.gateway->ports) {
    const auto zone = port.zone.index();
    const bool known = zone < bundle.policy.zones.size();
    names->ports.push_back(
        {port.vlan, known ? std::uint32_t{bundle.policy.zones[zone].space.value()} : 0U});
  }
  return names;
}

json::array export_rows(const std::vector<exporting::ExporterStatus>& exports) {
  json::array rows;
  for (const auto& one : exports) {
    rows.push_back(
        json::object{{"collector", one.collector},
                     {"transport", one.transport},
                     {"connected", one.connected},
                     {"messages", one.messages},
                     {"records", one.records},
                     {"bytes", one.bytes},
                     {"waiting", one.waiting},
                     {"lost_records", one.lost.records},
                     {"lost_packets", one.lost.packets},
                     {"lost_bytes", one.lost.bytes},
                     {"refused", one.refused},
                     {"connections", one.connections},
                     {"trouble", one.trouble.english.empty() ? json::value(nullptr)
                                                             : json::value(one.trouble.english)}});
  }
  return rows;
}

void add_export_alarms(const std::vector<exporting::ExporterStatus>& exports, json::array& alarms) {
  for (const auto& one : exports) {
    if (one.trouble.english.empty()) continue;
    alarms.push_back(json::object{{"alarm", "export-stopped"},
                                  {"kind", "export"},
                                  {"about", one.trouble.english},
                                  {"waiting", one.waiting},
                                  {"packets", nullptr},
                                  {"since", nullptr}});
  }
}

}  // namespace meiguan::daemon
