#include "controlplane/policy/compile_gateway.h"

#include <algorithm>
#include <string_view>

namespace meiguan::policy {
namespace {

template <std::size_t N>
void copy_text(std::string_view text, std::array<char, N>& out) {
  // check_gateway() holds names shorter than this; the last byte stays zero.
  const std::size_t length = std::min(text.size(), N - 1);
  std::copy_n(text.begin(), length, out.begin());
}

image::DeviceKind to_image(const std::optional<DeviceKind>& kind) {
  if (!kind) return image::DeviceKind::kSubPort;
  switch (*kind) {
    case DeviceKind::kAfXdp: return image::DeviceKind::kAfXdp;
    case DeviceKind::kAfPacket: return image::DeviceKind::kAfPacket;
    case DeviceKind::kTap: return image::DeviceKind::kTap;
    case DeviceKind::kPci: return image::DeviceKind::kPci;
    case DeviceKind::kVdev: return image::DeviceKind::kVdev;
  }
  return image::DeviceKind::kSubPort;
}

image::AntiSpoof to_image(AntiSpoof mode) {
  switch (mode) {
    case AntiSpoof::kStrict: return image::AntiSpoof::kStrict;
    case AntiSpoof::kLoose: return image::AntiSpoof::kLoose;
    case AntiSpoof::kOff: return image::AntiSpoof::kOff;
  }
  return image::AntiSpoof::kStrict;
}

class Routes {
 public:
  explicit Routes(GatewayPlan& plan) : plan_{plan} {}

  void add(SpaceId space, const net::Prefix& prefix, image::RouteKind kind, PortId port,
           const net::Address& via, std::uint32_t nat = 0) {
    image::RouteRecord record{};
    record.via = via;
    record.port = port.value();
    record.kind = kind;
    record.length = static_cast<std::uint8_t>(prefix.length());
    record.nat = nat;
    const auto number = static_cast<std::uint32_t>(plan_.routes.size());
    plan_.routes.push_back(record);
    GatewayPlan::Space& tables = plan_.spaces[space.index()];
    (prefix.family() == net::Family::kIpv4 ? tables.v4 : tables.v6).push_back({prefix, number});
  }

 private:
  GatewayPlan& plan_;
};

}  // namespace

GatewayPlan plan_gateway(const CheckedPolicy& policy, const CheckedGateway& gateway,
                         const std::vector<NatRoute>& nat) {
  GatewayPlan plan;
  plan.spaces.resize(policy.space_count);
  Routes routes{plan};
  const auto port_id = [](std::size_t i) { return PortId{static_cast<std::uint16_t>(i)}; };
  const auto space_of = [&](const GatewayPort& port) {
    return policy.zones[port.zone.index()].space;
  };

  // Of equal prefixes the trie keeps the last: first what is written, then what is connected, then
  // translated prefixes, broadcasts and the gateway's own addresses.
  for (const GatewayRoute& route : gateway.routes) {
    routes.add(route.space, route.prefix,
               route.via ? image::RouteKind::kVia : image::RouteKind::kOnLink, route.port,
               route.via.value_or(net::Address{}));
  }
  for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
    for (const InterfaceAddress& a : gateway.ports[i].addresses) {
      routes.add(space_of(gateway.ports[i]), net::Prefix::around(a.address, a.length),
                 image::RouteKind::kOnLink, port_id(i), net::Address{});
    }
  }
  for (const NatRoute& route : nat) {
    routes.add(kSharedSpace, route.prefix, image::RouteKind::kNat, PortId{0}, net::Address{},
               route.number);
  }
  for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
    for (const InterfaceAddress& a : gateway.ports[i].addresses) {
      const net::Prefix subnet = net::Prefix::around(a.address, a.length);
      const SpaceId space = space_of(gateway.ports[i]);
      if (subnet.family() == net::Family::kIpv4 && a.length <= 30) {
        routes.add(space, net::Prefix::around(subnet.last(), 32), image::RouteKind::kBroadcast,
                   port_id(i), net::Address{});
      }
      // The subnet-router anycast address.
      if (subnet.family() == net::Family::kIpv6 && a.length <= 126) {
        routes.add(space, net::Prefix::around(subnet.address(), 128), image::RouteKind::kLocal,
                   port_id(i), net::Address{});
      }
    }
  }
  for (std::size_t i = 0; i < gateway.ports.size(); ++i) {
    const GatewayPort& port = gateway.ports[i];
    image::PortRecord record{};
    copy_text(port.name, record.name);
    copy_text(port.device, record.device);
    copy_text(port.tap, record.tap);
    record.device_kind = to_image(port.device_kind);
    record.anti_spoof = to_image(port.anti_spoof);
    record.kernel_routes = gateway.kernel_routes.line != 0 && !port.tap.empty() ? 1 : 0;
    record.has_mac = port.mac ? 1 : 0;
    record.mac = port.mac.value_or(net::MacAddress{});
    record.parent = port.parent.is_some() ? port.parent.value() : port_id(i).value();
    record.vlan = port.vlan;
    record.zone = port.zone.value();
    record.space = space_of(port).value();
    record.mtu = port.mtu;
    record.first_address = static_cast<std::uint32_t>(plan.addresses.size());
    record.addresses = static_cast<std::uint32_t>(port.addresses.size());
    // A sub-port has its parent's MAC.
    if (port.parent.is_some() && !port.mac) {
      const GatewayPort& parent = gateway.ports[port.parent.index()];
      record.has_mac = parent.mac ? 1 : 0;
      record.mac = parent.mac.value_or(net::MacAddress{});
    }
    plan.ports.push_back(record);
    for (const InterfaceAddress& a : port.addresses) {
      plan.addresses.push_back({a.address, a.length, {}});
      routes.add(space_of(port),
                 net::Prefix::around(a.address, net::address_bits(a.address.family())),
                 image::RouteKind::kLocal, port_id(i), net::Address{});
    }
  }
  for (const GatewayNeighbour& n : gateway.neighbours) {
    plan.neighbours.push_back({n.address, n.port.value(), n.mac});
  }
  for (const GatewayLocal& local : gateway.locals) {
    for (const net::Prefix& from : local.from) {
      for (const PortMatch& match : local.services) {
        image::LocalService record{};
        record.from = from.address();
        record.length = static_cast<std::uint8_t>(from.length());
        record.protocol = match.any_protocol ? 0 : match.protocol;
        record.whole = match.whole ? 1 : 0;
        record.port = local.port.value();
        record.first = match.first;
        record.last = match.last;
        plan.locals.push_back(record);
      }
    }
  }
  return plan;
}

}  // namespace meiguan::policy
