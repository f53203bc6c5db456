#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::runtime {

// A port or sub-port as the gateway's own ARP, ND and ICMP see it.
struct Interface {
  PortId id;
  PortId main;  // the port itself, or a sub-port's parent
  std::string name;
  std::string tap;        // the kernel's interface of this port; empty: none
  std::uint16_t vlan{0};  // 0: untagged
  std::uint16_t mtu{0};
  SpaceId space;
  net::MacAddress mac{};
  net::Address link_local;  // fe80::/64 with the EUI-64 of the MAC (RFC 4291 appendix A)
  std::vector<image::PortAddress> addresses;

  [[nodiscard]] bool has(net::Family family) const noexcept;
  // One of its addresses, its link-local one, or the subnet-router anycast address of one of its
  // IPv6 subnets (RFC 4291 section 2.6.1; not of a /127 or /128, RFC 6164).
  [[nodiscard]] bool owns(const net::Address& address) const noexcept;
  [[nodiscard]] bool is_anycast(const net::Address& address) const noexcept;
  // The address to speak to `peer` from: of the subnet of `peer`, else the first of the family,
  // else (IPv6) the link-local one; nothing where there is none.
  [[nodiscard]] std::optional<net::Address> source_for(const net::Address& peer) const noexcept;
};

// The interfaces of one image, by PortId. The image must outlive them.
class Interfaces {
 public:
  // `macs` are the addresses in use, by PortId.
  Interfaces(const image::Image& image, std::span<const net::MacAddress> macs);

  [[nodiscard]] const Interface* find(PortId port) const noexcept;
  [[nodiscard]] const image::Image& image() const noexcept { return *image_; }
  [[nodiscard]] std::span<const Interface> all() const noexcept { return interfaces_; }
  // Whether `address` may be a neighbour there: on-link at this very port and not the gateway's.
  [[nodiscard]] bool on_link(const Interface& interface,
                             const net::Address& address) const noexcept;
  // Whether the gateway answers ARP and ND for `address` there: its own, or a public address of its
  // translations that lies in a subnet of this very port.
  [[nodiscard]] bool answers_for(const Interface& interface,
                                 const net::Address& address) const noexcept;
  // Whether a packet to `address` in the space of `interface` is for the gateway.
  [[nodiscard]] bool is_own(const Interface& interface, const net::Address& address) const noexcept;
  // The port by which packets from `interface` go to `address`, and the next hop there.
  [[nodiscard]] std::optional<std::pair<PortId, net::Address>> next_hop(
      const Interface& interface, const net::Address& address) const noexcept;
  [[nodiscard]] std::span<const image::NeighbourRecord> static_neighbours() const noexcept {
    return image_->neighbours();
  }

 private:
  const image::Image* image_;
  std::vector<Interface> interfaces_;
};

[[nodiscard]] bool is_link_local(const net::Address& address) noexcept;  // fe80::/10
[[nodiscard]] bool is_multicast(const net::Address& address) noexcept;
[[nodiscard]] bool is_unspecified(const net::Address& address) noexcept;
// A MAC that one station can have: neither a group's nor all zero.
[[nodiscard]] bool is_station(const net::MacAddress& mac) noexcept;

}  // namespace meiguan::runtime
