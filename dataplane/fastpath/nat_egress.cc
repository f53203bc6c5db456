// The IPv4 egress: mappings of pool ports, and the blocks that they come from.

#include <algorithm>
#include <bit>

#include "dataplane/fastpath/nat.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

using image::Image;
using image::NatKind;
using image::RouteKind;

constexpr std::uint16_t kWellKnown = 1024;
constexpr unsigned kMostRemotes = 64;  // flows of a mapping that a filter looks at

bool is_query(const FlowKey& key) noexcept { return key.query != 0; }

BlockShape shape_of(const image::EgressRecord& egress) noexcept {
  const unsigned ports = std::clamp<unsigned>(egress.block_ports, kLeastBlockPorts,
                                              kMostBlockPorts);
  return {static_cast<std::uint16_t>(std::bit_floor(ports)), egress.blocks_per_address,
          egress.first_port, egress.last_port};
}

}  // namespace

Reason Nat::map_source(const Image& image, std::uint16_t egress, FlowTime now, Tick tick,
                       NatPlan& plan) noexcept {
  PortKind kind;
  if (!port_kind(plan.key, kind)) return Reason::kNatUntranslatable;
  const image::EgressRecord& record = image.egresses()[egress];
  std::uint32_t number = mappings_.find_inside(plan.key.source, plan.key.source_port,
                                               plan.key.space, kind);
  if (number != MappingTable::kNone && !in_force(image, record, mappings_[number])) {
    mappings_.retire(number);
    number = MappingTable::kNone;
  }
  if (number == MappingTable::kNone) {
    if (const Reason reason = new_mapping(image, egress, kind, now, tick, plan);
        reason != Reason::kAllowed) {
      return reason;
    }
    number = plan.mapping;
  }
  const Mapping& mapping = mappings_[number];
  plan.mapping = number;
  plan.reply.destination = mapping.outside;
  plan.reply.destination_port = mapping.outside_port;
  if (is_query(plan.key)) plan.reply.source_port = mapping.outside_port;
  return Reason::kAllowed;
}

bool Nat::in_force(const Image& image, const image::EgressRecord& egress,
                   const Mapping& mapping) const noexcept {
  if (mapping.outside_port < egress.first_port || mapping.outside_port > egress.last_port) {
    return false;
  }
  const image::RouteRecord* const route = image.route_to(kSharedSpace, mapping.outside);
  if (route == nullptr || route->kind != RouteKind::kNat) return false;
  const image::NatPrefix& prefix = image.nat_prefixes()[route->nat];
  return prefix.kind == NatKind::kPool && prefix.first >= egress.first_pool &&
         prefix.first - egress.first_pool < egress.pools;
}

bool Nat::still_outward(const Image& image, std::uint16_t egress, PortId in, PortId out,
                        const Translation* translation, NatPlan& plan) noexcept {
  if (plan.mapping != Translation::kNone) {
    // From outside by a mapping, which is the destination's: the source stays.
    plan.reply.space = image.ports()[out.index()].space;
    return translation != nullptr && translation->mapping == plan.mapping &&
           plan.reply.space == plan.key.space;
  }
  if (translation == nullptr || translation->mapping == Translation::kNone) {
    // Nothing but a mapping is ever taken, so that asking for one is to be avoided.
    PortKind kind;
    const bool would_map = plan.key.source.family() == net::Family::kIpv4 &&
                           plan.key.space == image.ports()[out.index()].space &&
                           needs_egress(image, in, out, plan) && egress != image::kNoEgress &&
                           port_kind(plan.key, kind);
    return !would_map && outward(image, egress, in, out, 0, 0, plan) == Reason::kAllowed;
  }
  const Mapping& mapping = mappings_[translation->mapping];
  plan.reply.space = image.ports()[out.index()].space;
  if (plan.reply.space != plan.key.space || egress == image::kNoEgress ||
      !needs_egress(image, in, out, plan)) {
    return false;
  }
  if (!in_force(image, image.egresses()[egress], mapping)) {
    mappings_.retire(translation->mapping);
    return false;
  }
  plan.mapping = translation->mapping;
  plan.reply.destination = mapping.outside;
  plan.reply.destination_port = mapping.outside_port;
  if (is_query(plan.key)) plan.reply.source_port = mapping.outside_port;
  return true;
}

// In the blocks that the inside address has, then in a new one; the right range and parity first
// (RFC 4787 REQ-3 and REQ-4), any port before none.
Reason Nat::new_mapping(const Image& image, std::uint16_t egress, PortKind kind, FlowTime now,
                        Tick tick, NatPlan& plan) noexcept {
  const image::EgressRecord& record = image.egresses()[egress];
  const BlockShape shape = shape_of(record);
  const FlowKey& key = plan.key;
  if (mappings_.full()) return Reason::kNatTableFull;
  Mapping ends;
  ends.inside = key.source;
  ends.inside_port = key.source_port;
  ends.space = key.space;
  ends.kind = kind;
  const bool wants_low = key.source_port < kWellKnown && shape.first_port < kWellKnown &&
                         kind != PortKind::kIcmp;
  std::uint32_t taken = PortBlocks::kNone;
  std::optional<std::uint16_t> port;
  enum class Range : std::uint8_t { kRight, kAny };
  const auto search = [&](Range range, bool parity) {
    for (std::uint32_t b = blocks_.first_of(key.source, key.space); b != PortBlocks::kNone && !port;
         b = blocks_.next_of(b)) {
      Mapping where;
      where.outside = blocks_[b].outside;
      where.outside_port = blocks_[b].first_port;
      if (where.outside_port < shape.first_port) where.outside_port = shape.first_port;
      if (!in_force(image, record, where)) continue;
      const bool right = (blocks_[b].first_port < kWellKnown) == wants_low;
      if (range == Range::kRight && !right) continue;
      port = blocks_.take_port(b, kind, key.source_port, parity);
      if (port && (*port < shape.first_port || *port > shape.last_port)) {
        // The block is of another range than the one in force.
        blocks_.give_port(b, kind, *port);
        port.reset();
      }
      if (port) taken = b;
    }
  };
  const auto open_block = [&](bool low) {
    const std::uint32_t b = take_block(image, egress, shape, plan, low, tick);
    if (b == PortBlocks::kNone) return;
    port = blocks_.take_port(b, kind, key.source_port, kind == PortKind::kUdp);
    if (!port) port = blocks_.take_port(b, kind, key.source_port, false);
    taken = b;
  };
  search(Range::kRight, kind == PortKind::kUdp);
  if (!port) open_block(wants_low);
  if (!port) search(Range::kAny, kind == PortKind::kUdp);
  if (!port) search(Range::kAny, false);
  if (!port && wants_low) open_block(false);
  if (!port) return blocks_.has_room() ? Reason::kNatPoolFull : Reason::kNatTableFull;
  ends.outside = blocks_[taken].outside;
  ends.outside_port = *port;
  ends.block = taken;
  plan.mapping = mappings_.add(ends, now);
  return Reason::kAllowed;
}

// At the pool address where the inside address has its other blocks, or else at one that its own
// value chooses, then the ones behind that.
std::uint32_t Nat::take_block(const Image& image, std::uint16_t egress, const BlockShape& shape,
                              const NatPlan& plan, bool low, Tick tick) noexcept {
  const image::EgressRecord& record = image.egresses()[egress];
  const net::Address& inside = plan.key.source;
  const std::uint16_t space = plan.key.space;
  const auto told = [&](std::uint32_t number) {
    if (number != PortBlocks::kNone) log_.block(EventKind::kBlockTaken, blocks_[number], tick);
    return number;
  };
  unsigned held = 0;
  for (std::uint32_t b = blocks_.first_of(inside, space); b != PortBlocks::kNone;
       b = blocks_.next_of(b)) {
    ++held;
  }
  if (held >= shape.blocks_per_address) return PortBlocks::kNone;
  for (std::uint32_t b = blocks_.first_of(inside, space); b != PortBlocks::kNone;
       b = blocks_.next_of(b)) {
    Mapping where;
    where.outside = blocks_[b].outside;
    where.outside_port = shape.first_port;
    if (!in_force(image, record, where)) continue;
    return told(blocks_.take(inside, space, where.outside, shape, low));
  }

  const auto pools = image.pools().subspan(record.first_pool, record.pools);
  std::uint64_t addresses = 0;
  for (const image::PoolRecord& pool : pools) addresses += std::uint64_t{1} << (32 - pool.length);
  auto& of_side = exhausted_[low ? 1 : 0];
  Exhausted& exhausted = of_side[egress % of_side.size()];
  if (exhausted.egress != egress || exhausted.image != image.checksum() ||
      exhausted.returns != blocks_.returns()) {
    exhausted = {blocks_.returns(), image.checksum(), 0, 0, egress};
  }
  const auto take_at = [&](std::uint64_t place) {
    const image::PoolRecord* pool = pools.data();
    while (place >> (32 - pool->length) != 0) {
      place -= std::uint64_t{1} << (32 - pool->length);
      ++pool;
    }
    Mapping where;
    where.outside = net::Address::v4(pool->address.v4_value() + static_cast<std::uint32_t>(place));
    where.outside_port = shape.first_port;
    if (!in_force(image, record, where)) return PortBlocks::kNone;
    return told(blocks_.take(inside, space, where.outside, shape, low));
  };
  if (exhausted.addresses == addresses) return PortBlocks::kNone;
  // Its own choice, then the ones behind those that are known to have nothing.
  const std::uint64_t chosen = blocks_.choose(inside, space, addresses);
  if (exhausted.addresses == 0) exhausted.first = chosen;
  const std::uint64_t ahead = (chosen + addresses - exhausted.first) % addresses;
  if (ahead > exhausted.addresses) {
    const std::uint32_t number = take_at(chosen);
    if (number != PortBlocks::kNone) return number;
  }
  for (std::uint64_t i = 0; i < kMostAddresses && exhausted.addresses < addresses; ++i) {
    const std::uint32_t number = take_at((exhausted.first + exhausted.addresses) % addresses);
    if (number != PortBlocks::kNone) return number;
    ++exhausted.addresses;
  }
  return PortBlocks::kNone;
}

std::uint32_t Nat::admits(const Image& image, const image::NatPrefix& prefix, const FlowKey& packet,
                          const TranslationTable& translations) const noexcept {
  if (prefix.kind != NatKind::kPool || packet.protocol != net::protocol::kUdp) {
    return Mapping::kNone;
  }
  const image::EgressRecord& egress = image.egresses()[image.pools()[prefix.first].egress];
  const std::uint32_t number = mappings_.find_outside(packet.destination, packet.destination_port,
                                                      PortKind::kUdp);
  if (number == MappingTable::kNone) return Mapping::kNone;
  const Mapping& mapping = mappings_[number];
  if (mapping.flows == 0 || (mapping.marks & Mapping::kRetired) != 0) return Mapping::kNone;
  switch (egress.filtering) {
    case image::Filtering::kEndpointIndependent: return number;
    case image::Filtering::kAddressDependent: {
      std::uint32_t at = mapping.newest;
      for (unsigned i = 0; i < kMostRemotes && at != Translation::kNone; ++i) {
        // The remote end is the destination of a flow that came from outside by this mapping.
        const FlowKey& reply = translations[at].reply;
        const bool from_outside = reply.source == mapping.inside &&
                                  reply.source_port == mapping.inside_port;
        if ((from_outside ? reply.destination : reply.source) == packet.source) return number;
        at = translations[at].next;
      }
      return Mapping::kNone;
    }
    case image::Filtering::kAddressAndPortDependent: break;
  }
  return Mapping::kNone;
}

void Nat::join(TranslationTable& translations, std::uint32_t number,
               std::uint32_t mapping) noexcept {
  Translation& translation = translations[number];
  translation.mapping = mapping;
  if (mapping == Translation::kNone) return;
  Mapping& m = mappings_[mapping];
  translation.next = m.newest;
  if (m.newest != Translation::kNone) translations[m.newest].previous = number;
  m.newest = number;
  mappings_.use(mapping);
}

void Nat::leave(TranslationTable& translations, std::uint32_t number, FlowTime now) noexcept {
  const Translation& translation = translations[number];
  if (translation.mapping == Translation::kNone) return;
  if (translation.next != Translation::kNone) {
    translations[translation.next].previous = translation.previous;
  }
  if (translation.previous != Translation::kNone) {
    translations[translation.previous].next = translation.next;
  } else {
    mappings_[translation.mapping].newest = translation.next;
  }
  mappings_.unuse(translation.mapping, now);
}

void Nat::expire(FlowTime now, Tick tick) noexcept {
  constexpr std::uint32_t kMostAtOnce = 16;
  mappings_.expire(now, kRest, kMostAtOnce, [&](const Mapping& mapping) {
    blocks_.give_port(mapping.block, mapping.kind, mapping.outside_port);
    if (!blocks_[mapping.block].empty()) return;
    log_.block(EventKind::kBlockReturned, blocks_[mapping.block], tick);
    blocks_.give_back(mapping.block);
  });
}

}  // namespace meiguan::fastpath
