#include <algorithm>
#include <optional>

#include "tests/property/naive_decide.h"

namespace meiguan::property {
namespace {

using fastpath::Reason;
using net::Address;
using net::Family;
using net::Prefix;
using policy::CheckedGateway;
using policy::CheckedPolicy;
using policy::ZoneKind;

bool within(const Address& address, const char* block, std::uint8_t length) {
  return Prefix::make(*net::parse_address(block), length)->contains(address);
}

struct Table {
  const CheckedPolicy& policy;
  const CheckedGateway& gateway;

  [[nodiscard]] SpaceId space_of(PortId port) const {
    return policy.zones[gateway.ports[port.index()].zone.index()].space;
  }

  template <typename Test>
  [[nodiscard]] bool any_connected(SpaceId space, const Test& test) const {
    for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
      if (space_of(PortId{static_cast<PortId::rep>(i)}) != space) continue;
      for (const auto& own : gateway.ports[i].addresses) {
        if (test(own)) return true;
      }
    }
    return false;
  }

  // One of the gateway's own addresses; of a connected IPv6 subnet also the first (RFC 4291 2.6.1),
  // but for a /127 or /128 (RFC 6164).
  [[nodiscard]] bool is_own(SpaceId space, const Address& address) const {
    return any_connected(space, [&](const policy::InterfaceAddress& own) {
      if (own.address == address) return true;
      return own.address.family() == Family::kIpv6 && own.length < 127 &&
             Prefix::around(own.address, own.length).address() == address;
    });
  }

  [[nodiscard]] bool is_broadcast(SpaceId space, const Address& address) const {
    if (address == *net::parse_address("255.255.255.255")) return true;
    return any_connected(space, [&](const policy::InterfaceAddress& own) {
      return own.address.family() == Family::kIpv4 && own.length <= 30 &&
             Prefix::around(own.address, own.length).last() == address;
    });
  }

  struct Route {
    PortId port;
    std::uint8_t length;
  };
  [[nodiscard]] std::optional<Route> route(SpaceId space, const Address& address) const {
    std::optional<Route> best;
    const auto offer = [&](const Prefix& prefix, PortId port) {
      if (prefix.contains(address) && (!best || prefix.length() > best->length)) {
        best = Route{port, prefix.length()};
      }
    };
    for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
      const PortId port{static_cast<PortId::rep>(i)};
      if (space_of(port) != space) continue;
      for (const auto& own : gateway.ports[i].addresses) {
        offer(Prefix::around(own.address, own.length), port);
      }
    }
    for (const auto& one : gateway.routes) {
      if (one.space == space) offer(one.prefix, one.port);
    }
    return best;
  }
};

// The kinds that source and destination have in common; `offset` from the source's reason.
std::optional<Reason> kind_of(const Table& table, SpaceId space, const Address& address,
                              bool source) {
  const bool v4 = address.family() == Family::kIpv4;
  const auto pick = [source](Reason from, Reason to) { return source ? from : to; };
  if (table.is_broadcast(space, address)) {
    return pick(Reason::kSourceBroadcast, Reason::kDestinationBroadcast);
  }
  if (v4 ? within(address, "224.0.0.0", 4) : within(address, "ff00::", 8)) {
    return pick(Reason::kSourceMulticast, Reason::kDestinationMulticast);
  }
  if (v4 ? within(address, "127.0.0.0", 8) : within(address, "::1", 128)) {
    return pick(Reason::kSourceLoopback, Reason::kDestinationLoopback);
  }
  if (v4 ? within(address, "0.0.0.0", 32) : within(address, "::", 128)) {
    return pick(Reason::kSourceUnspecified, Reason::kDestinationUnspecified);
  }
  if (v4 ? within(address, "169.254.0.0", 16) : within(address, "fe80::", 10)) {
    return pick(Reason::kSourceLinkLocal, Reason::kDestinationLinkLocal);
  }
  const bool reserved = v4 ? within(address, "240.0.0.0", 4) || within(address, "0.0.0.0", 8)
                           : !within(address, "2000::", 3) && !within(address, "fc00::", 7);
  if (reserved) return pick(Reason::kSourceReserved, Reason::kDestinationReserved);
  return std::nullopt;
}

bool is_private(const Address& address) {
  if (address.family() == Family::kIpv6) return within(address, "fc00::", 7);
  return within(address, "10.0.0.0", 8) || within(address, "172.16.0.0", 12) ||
         within(address, "192.168.0.0", 16) || within(address, "100.64.0.0", 10);
}

}  // namespace

Answer judge(const CheckedPolicy& policy, const CheckedGateway& gateway, PortId in,
             const Packet& packet, std::int64_t at) {
  const Table table{policy, gateway};
  const auto& port = gateway.ports[in.index()];
  const auto space = table.space_of(in);
  const auto& in_zone = policy.zones[port.zone.index()];
  Answer answer;
  const auto ends_as = [&](Reason reason) {
    answer.reason = reason;
    return answer;
  };
  if (table.is_own(space, packet.source)) return ends_as(Reason::kSourceOwn);
  // A link-local source may not be in transit; towards the gateway itself it is not.
  const auto kind_of_source = kind_of(table, space, packet.source, true);
  const bool beside_us = kind_of_source == Reason::kSourceLinkLocal &&
                         table.is_own(space, packet.destination);
  if (kind_of_source && !beside_us) return ends_as(*kind_of_source);
  if (in_zone.kind == ZoneKind::kInternet && is_private(packet.source)) {
    return ends_as(Reason::kSourcePrivate);
  }
  if (!table.is_own(space, packet.destination)) {
    if (const auto kind = kind_of(table, space, packet.destination, false)) return ends_as(*kind);
  }
  if (packet.source == packet.destination) return ends_as(Reason::kLand);
  const auto back = table.route(space, packet.source);
  switch (port.anti_spoof) {
    case policy::AntiSpoof::kStrict:
      if (!back || back->port != in) return ends_as(Reason::kSpoofed);
      break;
    case policy::AntiSpoof::kLoose:
      if (!back || back->length == 0) return ends_as(Reason::kSpoofed);
      break;
    case policy::AntiSpoof::kOff: break;
  }
  if (table.is_own(space, packet.destination)) return ends_as(Reason::kForGateway);

  // Admission: known from here on is the source's unit.
  const auto unit = unit_at(policy, space, packet.source);
  if (unit.is_none() && in_zone.drop_unregistered) return ends_as(Reason::kUnitUnknown);
  if (unit.is_some()) {
    answer.unit = policy.units[unit.index()].id;
    if (policy.units[unit.index()].admission == policy::Admission::kBound &&
        std::none_of(policy.terminals.begin(), policy.terminals.end(), [&](const auto& terminal) {
          return terminal.unit == unit &&
                 std::find(terminal.addresses.begin(), terminal.addresses.end(), packet.source) !=
                     terminal.addresses.end();
        })) {
      return ends_as(Reason::kTerminalUnknown);
    }
  }
  const auto route = table.route(space, packet.destination);
  if (!route) return ends_as(Reason::kNoRoute);
  const auto out_zone = gateway.ports[route->port.index()].zone;
  if (policy.zones[out_zone.index()].kind == ZoneKind::kInternet &&
      is_private(packet.destination)) {
    return ends_as(Reason::kDestinationPrivate);
  }
  const Ends ends{.from_space = space,
                  .to_space = policy.zones[out_zone.index()].space,
                  .from_zone = port.zone,
                  .to_zone = out_zone,
                  .at = at,
                  .gateway = &gateway};
  answer = decide(policy, packet, ends);
  // An IPv4 egress shares addresses by ports and by the identifiers of ICMP queries.
  const bool has_ports = packet.protocol == 6 || packet.protocol == 17 || packet.protocol == 1;
  if (answer.reason == Reason::kAllowed && packet.source.family() == net::Family::kIpv4 &&
      policy.zones[out_zone.index()].kind == ZoneKind::kInternet && !has_ports &&
      has_egress(policy, packet, ends)) {
    answer.reason = Reason::kNatUntranslatable;
  }
  return answer;
}

}  // namespace meiguan::property
