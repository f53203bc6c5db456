// Which worker a flow belongs to, where several share a gateway: a pure function of the image and
// of a packet as it comes in, equal for both directions whatever translation makes of them.
//
//   towards a pool address             the owner of the port's block (owner_of_port)
//   covered by an egress, to the       by the inside source, whose blocks are of that worker
//     internet
//   towards a published address, or    by the remote end
//     of a published endpoint
//   from a private zone to another,    by the key with the outside address
//     or by NPTv6
//   any other                          by the flow's key
//
// What a helper opens goes between the same two ends as its control flow, by other ports: where a
// service with a helper is at an end, ports do not count.

#include "dataplane/fastpath/decide.h"
#include "dataplane/fastpath/nat.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/port_blocks.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

using image::Image;
using image::NatKind;
using image::RouteKind;
using image::RouteRecord;

std::uint32_t owner_by(const net::Address& end) noexcept {
  FlowKey key;
  key.source = end;
  return owner_of(key);
}

// Whether one of the services at this end has a [[publish]].
bool is_published(const Image& image, SpaceId space, const net::Address& address,
                  const FlowKey& key, std::uint16_t port) noexcept {
  const std::uint16_t value = key.query != 0 ? key.query : port;
  const image::Atom& atom = image.atom_at(space, address);
  return image.targets()[image.target_at(atom, key.protocol, value)].by_publish != 0;
}

// Whether a service with a helper is at an address, and whether one of these has a [[publish]].
struct Served {
  bool helped{false};
  bool published{false};
};
Served served_at(const Image& image, SpaceId space, const net::Address& address) noexcept {
  const image::Atom& atom = image.atom_at(space, address);
  const std::size_t slots = image.targets()[atom.first_target].slots;
  Served served;
  for (const image::TargetRecord& target : image.targets().subspan(atom.first_target, slots)) {
    if (target.service == image::kNone) continue;
    if (image.services()[target.service].helper == image::Helper::kOff) continue;
    served.helped = true;
    if (target.by_publish != 0) served.published = true;
  }
  return served;
}

FlowKey without_ports(FlowKey key) noexcept {
  key.source_port = key.destination_port = 0;
  key.protocol = key.query = 0;
  return key;
}

}  // namespace

std::uint32_t owner_of(const Image& image, const FlowKey& key, PortId in,
                       std::uint32_t workers) noexcept {
  const bool helps = image.has_helpers();
  if (image.nat_prefixes().empty() && !helps) return owner_of(key) % workers;
  const image::PortRecord& port = image.ports()[in.index()];
  const SpaceId space{port.space};
  Served from;
  Served to;
  if (helps) {
    from = served_at(image, space, key.source);
    to = served_at(image, space, key.destination);
  }
  const std::uint32_t by_key = owner_of(from.helped || to.helped ? without_ports(key) : key);
  const RouteRecord* const route = image.route_to(space, key.destination);
  if (route != nullptr && route->kind == RouteKind::kNat) {
    switch (image.nat_prefixes()[route->nat].kind) {
      case NatKind::kPool: return owner_of_port(key.destination_port, workers);
      case NatKind::kPublish: return owner_by(key.source) % workers;
      case NatKind::kTranslate:
      case NatKind::kNpt: return owner_of(helps ? without_ports(key) : key) % workers;
    }
  }
  if (to.published || is_published(image, space, key.destination, key, key.destination_port)) {
    return owner_by(key.source) % workers;
  }
  if (from.published || is_published(image, space, key.source, key, key.source_port)) {
    return owner_by(key.destination) % workers;
  }
  if (route == nullptr) return by_key % workers;
  const image::PortRecord& out = image.ports()[route->port];
  const bool to_internet = image.zones()[out.zone].kind == image::ZoneKind::kInternet;
  if (!to_internet && out.space == port.space) return by_key % workers;
  const Subject subject = find_subject(image, space, key.source, ZoneId{port.zone});
  if (out.space == port.space && subject.egress == image::kNoEgress) {
    return by_key % workers;
  }
  if (out.space == port.space && key.source.family() == net::Family::kIpv4) {
    return owner_by(key.source) % workers;
  }
  NatPlan plan = Nat::plan_for(key);
  plan.key.space = port.space;
  Nat::translate_alone(image, subject.egress, PortId{route->port}, plan);
  return owner_of(helps ? without_ports(plan.reply) : plan.reply) % workers;
}

std::uint32_t Pipeline::owner(const Image& image, std::span<const std::uint8_t> frame, PortId in,
                              std::uint32_t workers) noexcept {
  if (image.nat_prefixes().empty() && !image.has_helpers()) return owner_hash(frame) % workers;
  PacketInfo info;
  parse(frame, info);
  if (!info.well_formed() || !info.is_ip()) return 0;
  if (info.kind == PacketKind::kFragment) return owner_hash(frame) % workers;
  if (info.tagged && info.vlan() != 0) {
    const PortId sub_port = image.sub_port(in, info.vlan());
    if (sub_port.is_none()) return 0;
    in = sub_port;
  }
  return owner_of(image, arriving(info), in, workers);
}

}  // namespace meiguan::fastpath
