#pragma once

// The answers of the local socket as JSON: pure functions of what was collected.

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/daemon/changes.h"
#include "controlplane/daemon/link.h"
#include "controlplane/export/ipfix_exporter.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/report/collector.h"
#include "controlplane/report/recorder.h"

namespace meiguan::daemon {

// Who speaks to whom, by names of the catalog.
[[nodiscard]] boost::json::object event_row(const analysis::Names& names,
                                            const fastpath::Event& event);

struct StatusInput {
  std::filesystem::path policy;
  std::filesystem::path gateway;
  std::uint32_t revision{0};
  const lifecycle::Bundle* bundle{nullptr};
  report::WallTime since;
  std::int64_t now{0};  // seconds since 1970
  std::optional<DataplaneStatus> dataplane;
  report::Readings readings;
  std::vector<report::Attack> attacks;
  report::WallTime read_at;
  report::Recorder::Status statistics;
  std::vector<store::AlarmRow> alarms_below;  // what stands at nodes that report here
  std::vector<exporting::ExporterStatus> exports;
  std::size_t blocks{0};           // entries of the block list
  std::vector<Text> block_alarms;  // what is wrong with it
  std::vector<Alarm> alarms;       // of the policy's life
};

// One row for each collector: what was sent, what waits, what was lost.
[[nodiscard]] boost::json::array export_rows(const std::vector<exporting::ExporterStatus>& exports);
void add_export_alarms(const std::vector<exporting::ExporterStatus>& exports,
                       boost::json::array& alarms);
[[nodiscard]] boost::json::object status_answer(const StatusInput& input);
[[nodiscard]] boost::json::object ports_answer(const policy::Catalog& catalog,
                                               const std::optional<DataplaneStatus>& dataplane,
                                               const report::Readings& readings);
// `what`: units, services, rules, ports or reasons; nothing for another word.
[[nodiscard]] std::optional<boost::json::object> top_answer(std::string_view what,
                                                            const policy::Catalog& catalog,
                                                            const report::Readings& readings);
[[nodiscard]] boost::json::object flows_answer(const policy::Catalog& catalog,
                                               const std::vector<fastpath::Event>& flows);
// The routes in force, and those that were learned and are not used.
[[nodiscard]] boost::json::object routes_answer(const lifecycle::Bundle& bundle,
                                                const std::vector<channel::RouteState>& routes);
// What `status` says of those that the kernel teaches.
[[nodiscard]] boost::json::object routes_status(const channel::RoutesState& state);
[[nodiscard]] boost::json::object attacks_answer(const policy::Catalog& catalog,
                                                 const report::Collector& collector,
                                                 report::WallTime now);
// `about`: an inside address, or a pool address with or without a port; empty: all. Nothing where
// it is neither.
[[nodiscard]] std::optional<boost::json::object> port_blocks_answer(
    const lifecycle::Bundle& bundle, const std::vector<report::PortBlockHeld>& blocks,
    std::uint64_t forgotten, std::string_view about);
// The id of the unit that an inside address is of; empty for none.
[[nodiscard]] std::string unit_at(const lifecycle::Bundle& bundle, SpaceId space,
                                  const net::Address& inside);
// What an operator should look at: attacks that go on, limits that packets run into, a flow table
// that is nearly full.
[[nodiscard]] boost::json::array alarms_of(const StatusInput& input);
// As it stands in answers; `when` writes an instant of seconds since 1970.
[[nodiscard]] boost::json::object alarm_row(const store::AlarmRow& row,
                                            const std::function<std::string(std::int64_t)>& when);
// The first of those, and how many there are.
void add_alarms_below(const std::vector<store::AlarmRow>& alarms, boost::json::object& answer);
[[nodiscard]] boost::json::object drops_answer(const lifecycle::Bundle& bundle,
                                               const report::Collector& collector);

}  // namespace meiguan::daemon
