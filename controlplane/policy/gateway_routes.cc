// Checks of the gateway file's routes and neighbours.

#include <map>
#include <tuple>
#include <utility>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

net::Prefix host_prefix(const net::Address& address) {
  return net::Prefix::around(address, net::address_bits(address.family()));
}

PortId resolve_port(GatewayChecking& checking, const std::optional<Word>& word) {
  if (!word) return {};
  const auto port = checking.ports.resolve(word->text, word->place, checking.reporter);
  return port ? PortId{static_cast<std::uint16_t>(*port)} : PortId{};
}

const std::string& port_name(const GatewayChecking& checking, PortId port) {
  return checking.gateway.ports[port.index()].name;
}

// The port with a connected subnet of `space` that holds `address`.
PortId on_link_port(const GatewayChecking& checking, SpaceId space, const net::Address& address) {
  const auto cover = checking.subnets.longest_cover(space, host_prefix(address));
  if (cover == PrefixIndex::kNone) return {};
  const UnitId number = checking.subnets.entries()[cover].unit;
  return PortId{static_cast<std::uint16_t>(number.value())};
}

// The port of `space` whose own address it is: with nested subnets not always the one on-link.
PortId port_of_own_address(const GatewayChecking& checking, SpaceId space,
                           const net::Address& address) {
  for (std::uint16_t p = 0; p < checking.gateway.ports.size(); ++p) {
    if (checking.space_of(PortId{p}) != space) continue;
    for (const InterfaceAddress& own : checking.gateway.ports[p].addresses) {
      if (own.address == address) return PortId{p};
    }
  }
  return {};
}

// Resolves `space`; nothing, reported, where it is not a private zone.
std::optional<SpaceId> resolve_space(GatewayChecking& checking, const std::optional<Word>& word) {
  if (!word) return kSharedSpace;
  if (word->text == "intranet") {
    checking.reporter.error(word->place, intranet_refusal());
    return std::nullopt;
  }
  const auto index = checking.zones.resolve(word->text, word->place, checking.reporter);
  if (!index) return std::nullopt;
  const Zone& zone = checking.policy.zones[*index];
  if (zone.kind == ZoneKind::kPrivate) return zone.space;
  checking.reporter.error(word->place,
                          say("zone `{}` is not private, `space` names a private zone",
                              "区域 `{}` 不是 private 类型，`space` 应为专用区域", zone.id),
                          say("without `space` the route is in the shared address space",
                              "不写 `space` 即表示共享地址空间"));
  return std::nullopt;
}

std::string space_name(const CheckedPolicy& policy, SpaceId space) {
  for (const Zone& zone : policy.zones) {
    if (space != kSharedSpace && zone.space == space) return zone.id;
  }
  return "";
}

void report_off_link(GatewayChecking& checking, const DraftRoute& draft, SpaceId space,
                     PortId named) {
  const std::string via = net::to_string(*draft.route.via);
  if (named.is_some()) {
    checking.reporter.error(draft.via_place, say("{} is in no connected subnet of port `{}`",
                                                 "{} 不在端口 `{}` 的任何直连子网内", via,
                                                 printable(port_name(checking, named))));
    return;
  }
  Text hint;
  for (std::uint16_t s = 0; s < checking.policy.space_count; ++s) {
    const PortId other = on_link_port(checking, SpaceId{s}, *draft.route.via);
    if (other.is_none()) continue;
    hint = say("port `{0}` of another address space has it: name `port = \"{0}\"` or the `space`",
               "另一地址空间的端口 `{0}` 与其直连：请写明 `port = \"{0}\"` 或 `space`",
               port_name(checking, other));
  }
  const std::string zone = space_name(checking.policy, space);
  checking.reporter.error(draft.via_place,
                          zone.empty()
                              ? say("{} is in no connected subnet of the shared address space",
                                    "{} 不在共享地址空间的任何直连子网内", via)
                              : say("{} is in no connected subnet of the address space of `{}`",
                                    "{} 不在 `{}` 地址空间的任何直连子网内", via, zone),
                          std::move(hint));
}

// Finds the port of a route with a next hop.
void resolve_next_hop(GatewayChecking& checking, const DraftRoute& draft, GatewayRoute& route,
                      SpaceId space) {
  if (draft.has_prefix && route.via->family() != route.prefix.family()) {
    checking.reporter.error(draft.via_place,
                            say("`via` {} is not of the family of {}",
                                "`via` {} 与 {} 的地址族不同", net::to_string(*route.via),
                                net::to_string(route.prefix)));
    return;
  }
  const PortId named = route.port;
  if (draft.port && named.is_none()) return;
  if (named.is_some() && !checking.space_of(named)) return;
  const PortId found = on_link_port(checking, named.is_some() ? *checking.space_of(named) : space,
                                    *route.via);
  if (found.is_none() || (named.is_some() && found != named)) {
    if (!checking.has_bad_port) report_off_link(checking, draft, space, named);
    return;
  }
  route.port = found;
  const PortId own = port_of_own_address(checking, *checking.space_of(found), *route.via);
  if (own.is_some()) {
    checking.reporter.error(draft.via_place,
                            say("`via` {} is the gateway's own address at port `{}`",
                                "`via` {} 是网关自身在端口 `{}` 的地址", net::to_string(*route.via),
                                printable(port_name(checking, own))));
  }
  const auto cover = checking.subnets.longest_cover(*checking.space_of(found),
                                                    host_prefix(*route.via));
  const net::Prefix& subnet = checking.subnets.entries()[cover].prefix;
  if (subnet.family() == net::Family::kIpv4 && subnet.length() <= 30 &&
      subnet.last() == *route.via) {
    checking.reporter.error(draft.via_place,
                            say("`via` {} is the broadcast address of {}",
                                "`via` {} 是 {} 的广播地址", net::to_string(*route.via),
                                net::to_string(subnet)));
  }
}

void check_unique(GatewayChecking& checking, const DraftRoute& draft, SpaceId space,
                  std::map<std::pair<SpaceId, net::Prefix>, Place>& routes) {
  const net::Prefix& prefix = draft.route.prefix;
  const auto [it, is_new] = routes.try_emplace({space, prefix}, draft.prefix_place);
  if (!is_new) {
    checking.reporter.error(draft.prefix_place,
                            say("there is a route to {} already", "已有到 {} 的路由",
                                net::to_string(prefix)),
                            say("it is first given at {}", "首次出现于 {}",
                                checking.reporter.where(it->second)));
  }
  const auto cover = checking.subnets.longest_cover(space, prefix);
  if (cover == PrefixIndex::kNone || checking.subnets.entries()[cover].prefix != prefix) return;
  const PortId port{static_cast<std::uint16_t>(checking.subnets.entries()[cover].unit.value())};
  checking.reporter.error(
      draft.prefix_place,
      say("{} is the connected subnet of port `{}`, which has its route already",
          "{} 是端口 `{}` 的直连子网，已有直连路由", net::to_string(prefix),
          printable(port_name(checking, port))));
}

// The port of a neighbour that names none: the one in whose connected subnet it is.
PortId find_neighbour_port(GatewayChecking& checking, const DraftNeighbour& draft) {
  PortId found;
  const std::string address = net::to_string(draft.neighbour.address);
  for (std::uint16_t s = 0; s < checking.policy.space_count; ++s) {
    const PortId port = on_link_port(checking, SpaceId{s}, draft.neighbour.address);
    if (port.is_none()) continue;
    if (found.is_some()) {
      checking.reporter.error(draft.address_place,
                              say("{} is in connected subnets of ports `{}` and `{}`",
                                  "{} 同时在端口 `{}` 与 `{}` 的直连子网内", address,
                                  port_name(checking, found), port_name(checking, port)),
                              say("name the `port`", "请写明 `port`"));
      return {};
    }
    found = port;
  }
  if (found.is_none() && !checking.has_bad_port) {
    checking.reporter.error(draft.address_place,
                            say("{} is in no connected subnet", "{} 不在任何直连子网内", address),
                            say("name the `port`", "请写明 `port`"));
  }
  return found;
}

}  // namespace

void check_routes(GatewayChecking& checking) {
  std::map<std::pair<SpaceId, net::Prefix>, Place> routes;
  for (const DraftRoute& draft : checking.draft.routes) {
    GatewayRoute route = draft.route;
    const auto space = resolve_space(checking, draft.space);
    route.port = resolve_port(checking, draft.port);
    if (space) {
      route.space = *space;
      if (route.via) resolve_next_hop(checking, draft, route, *space);
      if (draft.has_prefix) check_unique(checking, draft, *space, routes);
    }
    checking.gateway.routes.push_back(route);
  }
}

void check_neighbours(GatewayChecking& checking) {
  std::map<std::pair<PortId, net::Address>, Place> known;
  for (const DraftNeighbour& draft : checking.draft.neighbours) {
    GatewayNeighbour neighbour = draft.neighbour;
    neighbour.port = resolve_port(checking, draft.port);
    if (draft.has_address && !draft.port) neighbour.port = find_neighbour_port(checking, draft);
    if (draft.has_address && neighbour.port.is_some()) {
      const auto space = checking.space_of(neighbour.port);
      const PortId own = space ? port_of_own_address(checking, *space, neighbour.address)
                               : PortId{};
      if (own.is_some()) {
        checking.reporter.error(draft.address_place,
                                say("{} is the gateway's own address at port `{}`",
                                    "{} 是网关自身在端口 `{}` 的地址",
                                    net::to_string(neighbour.address),
                                    printable(port_name(checking, own))));
      }
      const auto [it, is_new] = known.try_emplace({neighbour.port, neighbour.address},
                                                  draft.address_place);
      if (!is_new) {
        checking.reporter.error(draft.address_place,
                                say("neighbour {} is defined a second time", "邻居 {} 重复定义",
                                    net::to_string(neighbour.address)),
                                say("it is first given at {}", "首次出现于 {}",
                                    checking.reporter.where(it->second)));
      }
    }
    checking.gateway.neighbours.push_back(neighbour);
  }
}

}  // namespace meiguan::policy
