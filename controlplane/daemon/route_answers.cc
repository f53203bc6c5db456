// The routes in force: of the gateway file, connected, and learned from the kernel.

#include <algorithm>
#include <array>
#include <string_view>

#include "controlplane/daemon/answers.h"
#include "dataplane/image/learned_routes.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::array<std::string_view, 3> kOrigins{"file", "connected", "kernel"};
// By image::LearnedState.
constexpr std::array<std::string_view, 4> kStates{"used", "file-prefers", "inside-own",
                                                  "no-such-next-hop"};

// The id of the private zone whose address space it is; null: the shared one.
json::value space_name(const lifecycle::Bundle& bundle, std::uint16_t space) {
  const auto zones = bundle.image.zones();
  const auto& names = bundle.compiled.catalog.zones;
  for (std::size_t i = 0; space != 0 && i < std::min(zones.size(), names.size()); ++i) {
    if (zones[i].space == space) return json::value(names[i]);
  }
  return {};
}

}  // namespace

json::object routes_answer(const lifecycle::Bundle& bundle,
                           const std::vector<channel::RouteState>& routes) {
  const auto& ports = bundle.compiled.catalog.ports;
  json::array rows;
  for (const channel::RouteState& route : routes) {
    if (route.port >= ports.size() || route.origin >= kOrigins.size() ||
        route.state >= kStates.size()) {
      continue;  // of an image that is on its way out
    }
    const net::Prefix prefix = net::Prefix::around(net::Address::v6(route.prefix), route.length);
    const net::Address via = net::Address::v6(route.via);
    rows.push_back(json::object{{"prefix", net::to_string(prefix)},
                                {"space", space_name(bundle, route.space)},
                                {"port", ports[route.port].name},
                                {"zone", ports[route.port].zone},
                                {"via", via == net::Address{} ? json::value{}
                                                              : json::value(net::to_string(via))},
                                {"origin", kOrigins[route.origin]},
                                {"state", kStates[route.state]}});
  }
  return {{"ok", true}, {"schema", "meiguan.routes/v1"}, {"rows", std::move(rows)}};
}

json::object routes_status(const channel::RoutesState& state) {
  const bool changed = state.changed_ago_ms != channel::RoutesState::kNever;
  return {{"source", state.ports == 0 ? "file" : "kernel"},
          {"learned", state.used},
          {"unused", state.unused},
          {"capacity", state.capacity},
          {"excess", state.excess},
          {"unsupported", state.unsupported},
          {"dumps", state.dumps},
          {"changes", state.changes},
          {"last_change_seconds_ago",
           changed ? json::value{state.changed_ago_ms / 1000} : json::value{}}};
}

}  // namespace meiguan::daemon
