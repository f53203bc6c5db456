#include <optional>

#include "controlplane/analysis/replay.h"
#include "dataplane/fastpath/address_kind.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::analysis {
namespace {

using fastpath::AddressKind;
using fastpath::PacketInfo;
using fastpath::PacketKind;
using image::Image;
using image::RouteKind;
using image::RouteRecord;

// What tells where a frame comes from.
struct Ends {
  net::MacAddress destination_mac{};
  net::MacAddress source_mac{};
  std::optional<net::Address> source;
  std::optional<net::Address> destination;
  std::uint16_t vlan{0};
  bool link_only{false};  // ARP: both ends are on the link
};

// An address that routes are made for. A route to 0.0.0.0 or fe80::1 would be the default route.
std::optional<net::Address> routable(net::Family family, const net::Address& address) noexcept {
  if (address.family() != family) return std::nullopt;
  const AddressKind kind = fastpath::kind_of(family, address);
  if (kind != AddressKind::kOrdinary && kind != AddressKind::kPrivate) return std::nullopt;
  return address;
}

Ends ends_of(std::span<const std::uint8_t> frame) noexcept {
  Ends ends;
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  if (!reader.peek(ethernet)) return ends;
  ends.destination_mac = ethernet.destination;
  ends.source_mac = ethernet.source;
  PacketInfo info;
  fastpath::parse(frame, info);
  ends.vlan = info.vlan();
  if (info.kind == PacketKind::kArp) {
    ends.link_only = true;
    ends.source = routable(net::Family::kIpv4, info.key.source);
    ends.destination = routable(net::Family::kIpv4, info.key.destination);
  } else if (info.is_ip() && reader.skip(info.l3_offset)) {
    // From the header itself: a packet that the capture cut short is malformed, and yet came from
    // somewhere.
    net::Ipv4Header ip4;
    net::Ipv6Header ip6;
    if (reader.peek(ip4) && ip4.version_length >> 4 == 4) {
      ends.source = routable(net::Family::kIpv4, net::Address::v4_wire(ip4.source.data()));
      ends.destination = routable(net::Family::kIpv4,
                                  net::Address::v4_wire(ip4.destination.data()));
    } else if (reader.peek(ip6) && ip6.version_class_label.host() >> 28 == 6) {
      ends.source = routable(net::Family::kIpv6, net::Address::v6_wire(ip6.source.data()));
      ends.destination = routable(net::Family::kIpv6,
                                  net::Address::v6_wire(ip6.destination.data()));
    }
  }
  return ends;
}

// The main ports that answer, weighed: one the frame is addressed to is sure, else the first.
class Candidates {
 public:
  Candidates(const Image& image, const net::MacAddress& destination) noexcept
      : image_{image}, destination_{destination} {}
  void add(std::size_t port) noexcept {
    const PortId main{image_.ports()[port].parent};
    if (has_mac(main)) addressed_ = main;
    if (first_.is_none()) first_ = main;
    several_ |= first_ != main;
  }
  [[nodiscard]] bool any() const noexcept { return first_.is_some(); }
  [[nodiscard]] bool sure() const noexcept { return !several_ || addressed_.is_some(); }
  [[nodiscard]] PortId best() const noexcept { return addressed_.is_some() ? addressed_ : first_; }
  [[nodiscard]] bool has_mac(PortId port) const noexcept {
    const auto& record = image_.ports()[port.index()];
    return record.has_mac != 0 && record.mac == destination_;
  }

 private:
  const Image& image_;
  const net::MacAddress& destination_;
  PortId first_;
  PortId addressed_;
  bool several_{false};
};

}  // namespace

InferredPort infer_port(const Image& image, std::span<const std::uint8_t> frame) noexcept {
  const Ends ends = ends_of(frame);
  const auto ports = image.ports();
  const auto route = [&](std::size_t port, const std::optional<net::Address>& to) {
    const RouteRecord* const found = to ? image.route_to(SpaceId{ports[port].space}, *to) : nullptr;
    // A translated address is behind no port of its own.
    return found != nullptr && found->kind == RouteKind::kNat ? nullptr : found;
  };

  // The ports that take this VLAN, each with the route back in its own address space.
  Candidates told{image, ends.destination_mac};
  Candidates near{image, ends.destination_mac};  // the route leads to a port of another VLAN
  for (std::size_t p = 0; p < ports.size(); ++p) {
    const RouteRecord* const back = route(p, ends.source);
    if (back == nullptr || back->kind == RouteKind::kLocal || ports[p].vlan != ends.vlan) continue;
    (back->port == p ? told : near).add(back->port);
  }
  if (told.any()) return {told.best(), !told.sure()};

  // From here on guesses.
  for (std::size_t p = 0; p < ports.size(); ++p) {
    const PortId main{ports[p].parent};
    if (told.has_mac(main)) return {main, true};
  }
  if (near.any()) return {near.best(), true};
  for (std::size_t p = 0; p < ports.size(); ++p) {
    // The gateway's own address at either end, or what a neighbour is asked for.
    for (const auto* const address : {&ends.source, &ends.destination}) {
      const RouteRecord* const found = route(p, *address);
      if (found == nullptr || found->port != p || ports[p].vlan != ends.vlan) continue;
      if (found->kind == RouteKind::kLocal || ends.link_only)
        return {PortId{ports[p].parent}, true};
    }
  }
  for (const auto& neighbour : image.neighbours()) {
    if (neighbour.mac == ends.source_mac) return {PortId{ports[neighbour.port].parent}, true};
  }
  return {PortId{ports[0].parent}, true};
}

}  // namespace meiguan::analysis
