#include "dataplane/fastpath/nat.h"

#include <algorithm>
#include <bit>
#include <span>

#include "dataplane/fastpath/npt.h"
#include "dataplane/fastpath/translate.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

using image::Image;
using image::NatKind;

bool is_icmp(std::uint8_t protocol) noexcept {
  return protocol == net::protocol::kIcmp || protocol == net::protocol::kIcmp6;
}

bool contains(const net::Address& prefix, std::uint8_t length,
              const net::Address& address) noexcept {
  return prefix.family() == address.family() &&
         net::Prefix::around(address, length).address() == prefix;
}

// `address` with the first `length` bits of `prefix`; both are of one family.
net::Address with_prefix(const net::Address& address, const net::Address& prefix,
                         std::uint8_t length) noexcept {
  const unsigned bits = length + (address.family() == net::Family::kIpv4 ? 96U : 0U);
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (unsigned i = 0; i * 8 < bits; ++i) {
    const unsigned here = bits - i * 8 < 8 ? bits - i * 8 : 8;
    const unsigned mask = 0xff00U >> here & 0xff;
    bytes[i] = static_cast<std::uint8_t>((prefix.bytes()[i] & mask) | (bytes[i] & ~mask & 0xff));
  }
  return net::Address::v6(bytes);  // in the mapped form where it is IPv4
}

// Of several endpoints the one with the highest number that a hash makes of it and the remote end
// (rendezvous): the others keep theirs when one comes or goes. No secret, so that every worker and
// every start agree.
std::uint64_t weight(const net::Address& remote, const image::PublishEndpoint& endpoint) noexcept {
  constexpr HashSeed kSeed = HashSeed::from(6);
  const auto a = std::bit_cast<std::array<std::uint64_t, 2>>(remote.bytes());
  const auto b = std::bit_cast<std::array<std::uint64_t, 2>>(endpoint.address.bytes());
  const std::uint64_t one = fold_multiply(a[0] ^ kSeed.keys[0], a[1] ^ kSeed.keys[1]);
  const std::uint64_t two = fold_multiply(b[0] ^ kSeed.keys[2], b[1] ^ kSeed.keys[3]);
  return fold_multiply(one ^ kSeed.keys[4], (two + endpoint.port) | 1);
}

std::uint16_t port_at(const image::PublishEndpoint& endpoint, const FlowKey& key) noexcept {
  return endpoint.port == 0 || is_icmp(key.protocol) ? key.destination_port : endpoint.port;
}

Reason publish(const Image& image, const image::NatPrefix& prefix, const FlowKey* kept,
               NatPlan& plan) noexcept {
  const FlowKey& key = plan.key;
  const std::uint16_t value = is_icmp(key.protocol) ? key.query : key.destination_port;
  for (const image::PublishRecord& record : image.publishes().subspan(prefix.first, prefix.count)) {
    if (record.public_address != key.destination) continue;
    if (record.protocol != 0 && record.protocol != key.protocol) continue;
    if (value < record.first_port || value > record.last_port) continue;
    const image::PublishEndpoint* best = nullptr;
    std::uint64_t most = 0;
    for (const image::PublishEndpoint& endpoint :
         image.publish_endpoints().subspan(record.first_endpoint, record.endpoints)) {
      if (kept != nullptr && kept->source == endpoint.address &&
          kept->source_port == port_at(endpoint, key)) {
        best = &endpoint;
        break;
      }
      const std::uint64_t w = weight(key.source, endpoint);
      if (best == nullptr || w > most) {
        best = &endpoint;
        most = w;
      }
    }
    if (best == nullptr) return Reason::kNatUnsolicited;
    plan.reply.source = best->address;
    plan.reply.source_port = port_at(*best, key);
    plan.reply.space = record.space;
    return plan.reply.source_port != key.destination_port && !can_change_ports(key.protocol)
               ? Reason::kNatUntranslatable
               : Reason::kAllowed;
  }
  return Reason::kNatUnsolicited;
}

}  // namespace

bool port_kind(const FlowKey& key, PortKind& kind) noexcept {
  switch (key.protocol) {
    case net::protocol::kTcp: kind = PortKind::kTcp; return true;
    case net::protocol::kUdp: kind = PortKind::kUdp; return true;
    case net::protocol::kIcmp: kind = PortKind::kIcmp; return key.query != 0;
    default: return false;
  }
}

Nat::Nat(const NatOptions& options, const HashSeed& seed, EventLog& log)
    : log_{log}, mappings_{options.mappings, seed}, blocks_{options.blocks, seed} {}

Reason Nat::inward(const Image& image, const image::RouteRecord& route, const FlowKey* kept,
                   NatPlan& plan) const noexcept {
  const image::NatPrefix& prefix = image.nat_prefixes()[route.nat];
  const FlowKey& key = plan.key;
  plan.to_public = true;
  plan.kind = prefix.kind;
  switch (prefix.kind) {
    case NatKind::kPublish: return publish(image, prefix, kept, plan);
    case NatKind::kPool: {
      // Of hairpins, only those of ports: a ping's identifier is its sender's own, not a place
      // (RFC 5508 REQ-7 asks it of addresses that are translated one to one).
      PortKind kind;
      if (!port_kind(key, kind) || kind == PortKind::kIcmp) return Reason::kNatUnsolicited;
      const std::uint32_t number = mappings_.find_outside(key.destination, key.destination_port,
                                                          kind);
      if (number == MappingTable::kNone || mappings_[number].flows == 0) {
        return Reason::kNatUnsolicited;
      }
      const Mapping& mapping = mappings_[number];
      plan.reply.source = mapping.inside;
      plan.reply.source_port = mapping.inside_port;
      plan.reply.space = mapping.space;
      return Reason::kAllowed;
    }
    case NatKind::kTranslate: {
      const image::TranslateRecord& record = image.translates()[prefix.first];
      plan.reply.source = with_prefix(key.destination, record.inside, record.length);
      plan.reply.space = record.space;
      return Reason::kAllowed;
    }
    case NatKind::kNpt: {
      const image::NptRecord& record = image.npt_prefixes()[prefix.first];
      const auto inside = translate_prefix(key.destination, record.outside, record.inside,
                                           record.length);
      if (!inside) return Reason::kNatUntranslatable;
      plan.reply.source = *inside;
      return Reason::kAllowed;
    }
  }
  return Reason::kNatUnsolicited;
}

// What leaves towards the internet, and what comes back in to an inside end by its public address:
// that end must see where to answer (RFC 4787 REQ-9). A packet that goes back out of the port that
// it came in by would be answered past the gateway otherwise.
bool Nat::needs_egress(const Image& image, PortId in, PortId out, const NatPlan& plan) noexcept {
  const auto kind_of_zone = [&](PortId port) {
    return image.zones()[image.ports()[port.index()].zone].kind;
  };
  if (kind_of_zone(out) == image::ZoneKind::kInternet) return true;
  if (!plan.to_public || kind_of_zone(in) == image::ZoneKind::kInternet) return false;
  return plan.kind == NatKind::kPool || plan.kind == NatKind::kNpt || in == out;
}

namespace {

// The source as the shared space sees it: the same answer whoever asks.
bool translate_source(const Image& image, NatPlan& plan) noexcept {
  for (const image::TranslateRecord& record : image.translates()) {
    if (record.space != plan.key.space) continue;
    if (!contains(record.inside, record.length, plan.key.source)) continue;
    plan.reply.destination = with_prefix(plan.key.source, record.outside, record.length);
    return true;
  }
  return false;
}

Reason translate_source_prefix(const Image& image, const image::EgressRecord& egress,
                               NatPlan& plan) noexcept {
  for (const image::NptRecord& record :
       image.npt_prefixes().subspan(egress.first_npt, egress.npts)) {
    if (!contains(record.inside, record.length, plan.key.source)) continue;
    const auto outside = translate_prefix(plan.key.source, record.inside, record.outside,
                                          record.length);
    if (!outside) return Reason::kNatUntranslatable;
    plan.reply.destination = *outside;
    return Reason::kAllowed;
  }
  return Reason::kInternetIsolated;  // covered by an egress, but by none of its prefixes
}

}  // namespace

void Nat::translate_alone(const Image& image, std::uint16_t egress, PortId out,
                          NatPlan& plan) noexcept {
  if (image.ports()[out.index()].space != plan.key.space) {
    (void)translate_source(image, plan);
  } else if (plan.key.source.family() == net::Family::kIpv6 && egress != image::kNoEgress) {
    (void)translate_source_prefix(image, image.egresses()[egress], plan);
  }
}

Reason Nat::outward(const Image& image, std::uint16_t egress, PortId in, PortId out, FlowTime now,
                    Tick tick, NatPlan& plan) noexcept {
  const std::uint16_t space = image.ports()[out.index()].space;
  plan.reply.space = space;
  if (space != plan.key.space && plan.key.space != kSharedSpace.value()) {
    return translate_source(image, plan) ? Reason::kAllowed : Reason::kZoneIsolated;
  }
  if (!needs_egress(image, in, out, plan)) return Reason::kAllowed;
  if (egress == image::kNoEgress) {
    const bool leaves = image.zones()[image.ports()[out.index()].zone].kind ==
                        image::ZoneKind::kInternet;
    return leaves ? Reason::kInternetIsolated : Reason::kAllowed;
  }
  if (plan.key.source.family() == net::Family::kIpv6) {
    return translate_source_prefix(image, image.egresses()[egress], plan);
  }
  return map_source(image, egress, now, tick, plan);
}

}  // namespace meiguan::fastpath
