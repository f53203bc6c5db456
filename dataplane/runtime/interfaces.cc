#include "dataplane/runtime/interfaces.h"

#include <algorithm>
#include <cstring>

#include "dataplane/fastpath/port_table.h"

namespace meiguan::runtime {
bool is_link_local(const net::Address& address) noexcept {
  return address.family() == net::Family::kIpv6 && address.bytes()[0] == 0xfe &&
         (address.bytes()[1] & 0xc0) == 0x80;
}

bool is_multicast(const net::Address& address) noexcept {
  if (address.family() == net::Family::kIpv4) return address.v4_value() >> 28 == 0xe;
  return address.bytes()[0] == 0xff;
}

bool is_unspecified(const net::Address& address) noexcept {
  return address == net::Address{} || address == net::Address::v4(0);
}

bool is_station(const net::MacAddress& mac) noexcept {
  return (mac[0] & 1) == 0 && mac != net::MacAddress{};
}

bool Interface::has(net::Family family) const noexcept {
  return std::ranges::any_of(addresses,
                             [family](const auto& a) { return a.address.family() == family; });
}

bool Interface::owns(const net::Address& address) const noexcept {
  if (has(net::Family::kIpv6) && address == link_local) return true;
  return std::ranges::any_of(addresses, [&](const auto& a) { return a.address == address; }) ||
         is_anycast(address);
}

bool Interface::is_anycast(const net::Address& address) const noexcept {
  return std::ranges::any_of(addresses, [&](const auto& a) {
    return a.address.family() == net::Family::kIpv6 && a.length < 127 && a.address != address &&
           net::Prefix::around(a.address, a.length).address() == address;
  });
}

std::optional<net::Address> Interface::source_for(const net::Address& peer) const noexcept {
  const net::Family family = peer.family();
  if (family == net::Family::kIpv6 && is_link_local(peer) && has(family)) return link_local;
  std::optional<net::Address> first;
  for (const image::PortAddress& a : addresses) {
    if (a.address.family() != family) continue;
    if (net::Prefix::around(a.address, a.length).contains(peer)) return a.address;
    if (!first) first = a.address;
  }
  return first;
}

Interfaces::Interfaces(const image::Image& image, std::span<const net::MacAddress> macs)
    : image_{&image} {
  const auto ports = image.ports();
  interfaces_.reserve(ports.size());
  for (std::size_t i = 0; i < ports.size(); ++i) {
    const image::PortRecord& record = ports[i];
    Interface interface;
    interface.id = PortId{static_cast<std::uint16_t>(i)};
    interface.main = PortId{record.parent};
    interface.name.assign(record.name.data(), ::strnlen(record.name.data(), record.name.size()));
    interface.tap.assign(record.tap.data(), ::strnlen(record.tap.data(), record.tap.size()));
    interface.vlan = record.vlan;
    interface.mtu = record.mtu;
    interface.space = SpaceId{record.space};
    interface.mac = i < macs.size() ? macs[i] : record.mac;
    interface.link_local = fastpath::link_local_of(interface.mac);
    const auto addresses = image.port_addresses(record);
    interface.addresses.assign(addresses.begin(), addresses.end());
    interfaces_.push_back(std::move(interface));
  }
}

const Interface* Interfaces::find(PortId port) const noexcept {
  return port.index() < interfaces_.size() ? &interfaces_[port.index()] : nullptr;
}

bool Interfaces::on_link(const Interface& interface, const net::Address& address) const noexcept {
  if (is_multicast(address) || is_unspecified(address) || interface.owns(address)) return false;
  if (is_link_local(address)) return interface.has(net::Family::kIpv6);
  const image::RouteRecord* route = image_->route_to(interface.space, address);
  return route != nullptr && route->kind == image::RouteKind::kOnLink &&
         PortId{route->port} == interface.id;
}

bool Interfaces::answers_for(const Interface& interface,
                             const net::Address& address) const noexcept {
  if (interface.owns(address)) return true;
  const image::RouteRecord* route = image_->route_to(interface.space, address);
  return route != nullptr && route->kind == image::RouteKind::kNat &&
         std::ranges::any_of(interface.addresses, [&](const auto& a) {
           return a.address.family() == address.family() &&
                  net::Prefix::around(a.address, a.length).contains(address);
         });
}

std::optional<std::pair<PortId, net::Address>> Interfaces::next_hop(
    const Interface& interface, const net::Address& address) const noexcept {
  const image::RouteRecord* route = image_->route_to(interface.space, address);
  if (route == nullptr) return std::nullopt;
  if (route->kind == image::RouteKind::kOnLink) return std::pair{PortId{route->port}, address};
  if (route->kind == image::RouteKind::kVia) return std::pair{PortId{route->port}, route->via};
  return std::nullopt;
}

bool Interfaces::is_own(const Interface& interface, const net::Address& address) const noexcept {
  if (interface.owns(address)) return true;
  const image::RouteRecord* route = image_->route_to(interface.space, address);
  return route != nullptr && route->kind == image::RouteKind::kLocal;
}

}  // namespace meiguan::runtime
