#include "dataplane/fastpath/judge.h"

#include "dataplane/fastpath/address_kind.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

using image::AntiSpoof;
using image::Image;
using image::RouteKind;
using image::RouteRecord;
using image::ZoneKind;

// An IPv6 address that reads as an IPv4 one must not be looked up as such; it is reserved.
bool can_be_looked_up(net::Family family, const net::Address& address) noexcept {
  return address.family() == family;
}

const RouteRecord* route_to(const Image& image, const image::PortRecord& port, net::Family family,
                            const net::Address& address) noexcept {
  return can_be_looked_up(family, address) ? image.route_to(SpaceId{port.space}, address) : nullptr;
}

ZoneKind zone_kind(const Image& image, std::uint16_t port) noexcept {
  return image.zones()[image.ports()[port].zone].kind;
}

Reason judge_source(const Image& image, const Opening& o, AddressKind kind,
                    const Routes& routes) noexcept {
  if (routes.back != nullptr) {
    if (routes.back->kind == RouteKind::kLocal) return Reason::kSourceOwn;
    if (routes.back->kind == RouteKind::kBroadcast) return Reason::kSourceBroadcast;
    // The gateway's own translations alone send from there.
    if (routes.back->kind == RouteKind::kNat) return Reason::kSpoofed;
  }
  switch (kind) {
    case AddressKind::kUnspecified:
      return o.consumed ? Reason::kAllowed : Reason::kSourceUnspecified;
    case AddressKind::kLinkLocal:
      if (o.own_link_local != nullptr && o.source == *o.own_link_local) return Reason::kSourceOwn;
      // In transit only: what ends on this link may have a source of this link.
      return o.consumed || routes.to_gateway || is_link_scope(o.family, o.destination)
                 ? Reason::kAllowed
                 : Reason::kSourceLinkLocal;
    case AddressKind::kPrivate:
      return zone_kind(image, o.in.value()) == ZoneKind::kInternet && !o.consumed
                 ? Reason::kSourcePrivate
                 : Reason::kAllowed;
    default: return source_reason(kind);
  }
}

// Routing protocols speak to groups of the link (224.0.0.5, ff02::5): where the machine itself
// offers the protocol at that port, they are for it.
bool is_heard_group(const Image& image, const Opening& o) noexcept {
  if (image.local_services().empty() ||
      kind_of(o.family, o.destination) != AddressKind::kMulticast) {
    return false;
  }
  return is_link_scope(o.family, o.destination) && o.source.family() == o.family &&
         image.offers(o.in, o.source, o.protocol.number, o.protocol.value);
}

Reason judge_destination(const Opening& o, const Routes& routes) noexcept {
  if (o.consumed || routes.to_gateway) return Reason::kAllowed;
  if (routes.forth != nullptr && routes.forth->kind == RouteKind::kBroadcast) {
    return Reason::kDestinationBroadcast;
  }
  return destination_reason(kind_of(o.family, o.destination));
}

// RFC 3704 sections 2.2 (strict) and 2.4 (loose, ignoring default routes).
bool is_spoofed(const image::PortRecord& port, PortId in, const RouteRecord* back) noexcept {
  switch (port.anti_spoof) {
    case AntiSpoof::kStrict: return back == nullptr || back->port != in.value();
    case AntiSpoof::kLoose: return back == nullptr || back->length == 0;
    case AntiSpoof::kOff: break;
  }
  return false;
}

}  // namespace

bool is_dhcp_request(const PacketInfo& info) noexcept {
  constexpr net::Ipv6Bytes kAllServers{0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 2};
  if (info.protocol != net::protocol::kUdp || info.kind != PacketKind::kPacket) return false;
  if (info.family == net::Family::kIpv4) {
    return info.key.destination.v4_value() == 0xffff'ffff && info.key.source_port == 68 &&
           info.key.destination_port == 67;
  }
  return info.key.destination.bytes() == kAllServers && info.key.source_port == 546 &&
         info.key.destination_port == 547;
}

Reason judge_addresses(const Image& image, const Opening& o, Routes& routes) noexcept {
  const image::PortRecord& port = image.ports()[o.in.index()];
  routes.back = route_to(image, port, o.family, o.source);
  routes.forth = route_to(image, port, o.family, o.destination);
  routes.to_gateway = (routes.forth != nullptr && routes.forth->kind == RouteKind::kLocal) ||
                      (o.own_link_local != nullptr && o.destination == *o.own_link_local) ||
                      is_heard_group(image, o);

  const AddressKind source_kind = kind_of(o.family, o.source);
  if (const Reason reason = judge_source(image, o, source_kind, routes);
      reason != Reason::kAllowed) {
    return reason;
  }
  if (const Reason reason = judge_destination(o, routes); reason != Reason::kAllowed) {
    return reason;
  }
  // Behind the kinds, which name better what is wrong with 127.0.0.1 -> 127.0.0.1, and before
  // anti-spoof: a land attack names its victim at both ends, so it would mostly be spoofed, too.
  if (o.source == o.destination) return Reason::kLand;
  // No route leads back to these; where they have come this far, they are for the gateway.
  const bool of_this_link = source_kind == AddressKind::kLinkLocal &&
                            o.family == net::Family::kIpv6;
  if (source_kind == AddressKind::kUnspecified || of_this_link) return Reason::kAllowed;
  return is_spoofed(port, o.in, routes.back) ? Reason::kSpoofed : Reason::kAllowed;
}

Judgement judge_access(const Image& image, const image::Moment& moment, const Opening& o,
                       const Routes& routes) noexcept {
  const image::PortRecord& port = image.ports()[o.in.index()];
  const SpaceId space{port.space};
  Judgement judgement;
  const Subject subject = find_subject(image, space, o.source, ZoneId{port.zone});
  judgement.unit = subject.unit;
  judgement.egress = subject.egress;
  const bool on_link = routes.back != nullptr && routes.back->kind == RouteKind::kOnLink &&
                       routes.back->port == o.in.value();
  judgement.reason = admit(image, subject, space, o.source, on_link ? o.mac : nullptr);
  if (judgement.reason != Reason::kAllowed) return judgement;
  if (routes.forth == nullptr) {
    judgement.reason = Reason::kNoRoute;
    return judgement;
  }

  const image::PortRecord& out = image.ports()[routes.forth->port];
  judgement.out = PortId{routes.forth->port};
  const ZoneId out_zone{out.zone};
  if (zone_kind(image, routes.forth->port) == ZoneKind::kInternet &&
      kind_of(o.family, o.destination) == AddressKind::kPrivate) {
    judgement.reason = Reason::kDestinationPrivate;
    return judgement;
  }
  Target target = find_target(image, SpaceId{out.space}, o.destination, o.protocol, out_zone);
  target.translated = o.translated;
  judgement.to_unit = target.unit;
  judgement.service = target.service;
  const Access access = decide(image, moment, subject, target);
  judgement.reason = access.decision.reason;
  judgement.rule = access.decision.rule;
  judgement.audits = access.audits;
  return judgement;
}

bool admission_asks_mac(const Image& image, const Opening& o, const Routes& routes) noexcept {
  if (routes.back == nullptr || routes.back->kind != RouteKind::kOnLink ||
      routes.back->port != o.in.value()) {
    return false;
  }
  const SpaceId space{image.ports()[o.in.index()].space};
  const Subject subject = find_subject(image, space, o.source, ZoneId{});
  if (subject.unit.is_none() ||
      image.units()[subject.unit.index()].admission != image::Admission::kBound) {
    return false;
  }
  const image::TerminalSlot* terminal = image.terminal_at(space, o.source);
  return terminal != nullptr && terminal->has_mac != 0;
}

}  // namespace meiguan::fastpath
