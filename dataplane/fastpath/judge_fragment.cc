// Fragments: held until their datagram is whole, then judged as the one packet that they are.
//
//   hold_fragment -> FragmentStore::add --whole--> judge_datagram -> judge_as_one -> judge_by_state
//                          |                             |
//                      given up                 every fragment gets its fate
//                          +----------> Pipeline::released <----------+

#include <algorithm>
#include <utility>

#include "dataplane/fastpath/limit_values.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/rewrite.h"
#include "dataplane/fastpath/translate.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

std::span<const std::uint8_t> bytes_of(const Frame& frame) noexcept {
  return {frame.data, frame.length};
}

// What a port number means to held fragments: equal where every port lies where it lay, in the same
// zone and address space as the same others.
std::uint64_t fingerprint(const image::Image& image) noexcept {
  constexpr HashSeed kSeed = HashSeed::from(7);
  std::uint64_t sum = image.ports().size();
  const auto mix = [&](std::uint64_t word) {
    sum = fold_multiply(sum ^ kSeed.keys[0], word ^ kSeed.keys[1]) + kSeed.keys[2];
  };
  for (const image::PortRecord& port : image.ports()) {
    for (const char c : port.name) mix(static_cast<unsigned char>(c));
    mix(std::uint64_t{port.parent} << 48 | std::uint64_t{port.vlan} << 32 |
        std::uint64_t{port.zone} << 16 | port.space);
  }
  return sum;
}

}  // namespace

void Pipeline::Impl::renew_fragments(const BurstContext& context) noexcept {
  fragment_generation = context.generation;
  fragments.begin(fragment_options(context.image));
  const std::uint64_t ports_now = fingerprint(context.image);
  const bool same = std::exchange(fragment_ports, ports_now) == ports_now;
  if (!same && fragments.datagrams() != 0) fragments.give_up_all(false);
}

void Pipeline::Impl::hold_fragment(const BurstContext& context, std::size_t i, const Frame& frame,
                                   Fate& fate) noexcept {
  const PacketInfo& info = infos[i];
  HeldFragment held;
  if (!read_fragment(bytes_of(frame), info, held.part)) {
    fate.reason = Reason::kFragmentInvalid;
    return;
  }
  const image::PortRecord& port = context.image.ports()[fate.in.index()];
  held.frame = frame;
  held.fate = fate;
  held.sequence = sequence + i;  // `account` counts them at the end of the burst
  held.generation = context.generation;
  held.frame_bytes = frame.length;
  held.space = port.space;
  DatagramKey key;
  key.source = info.key.source;
  key.destination = info.key.destination;
  key.identification = held.part.identification;
  key.space = port.space;
  key.zone = port.zone;
  key.family = info.family;
  if (info.family == net::Family::kIpv4) key.protocol = info.protocol;

  FragmentStore::Datagram* whole = nullptr;
  fate.reason = fragments.add(key, held, context.now, whole);
  if (fate.reason != Reason::kAllowed) return;
  fate.reason = Reason::kFragmentIncomplete;  // until all the others are there
  fate.step = NextStep::kHold;
  if (whole != nullptr) judge_datagram(context, *whole);
}

// Addresses once more: by the way that the first fragment came, which is the datagram's, and of
// those that were judged by an earlier image.
Reason Pipeline::Impl::judge_parts(const BurstContext& context,
                                   const FragmentStore::Datagram& datagram, Opening packet,
                                   Routes& routes) noexcept {
  Reason reason = judge_addresses(context.image, packet, routes);
  const HeldFragment* part = fragments.first_of(datagram);
  while (reason == Reason::kAllowed && (part = fragments.next_of(*part)) != nullptr) {
    if (part->generation == context.generation || part->fate.in == packet.in) continue;
    Opening other = packet;
    other.in = part->fate.in;
    other.own_link_local = nullptr;  // an address of that kind did not come this far
    Routes ignored;
    reason = judge_addresses(context.image, other, ignored);
  }
  return reason;
}

void Pipeline::Impl::judge_as_one(const BurstContext& context,
                                  const FragmentStore::Datagram& datagram, PacketInfo& info,
                                  Fate& fate) noexcept {
  const HeldFragment& first = *fragments.first_of(datagram);
  parse(bytes_of(first.frame), info);
  fate.protocol = info.protocol;
  // The ping of death: no packet can be that long (RFC 791 section 3.1, RFC 8200 section 4.5).
  if (first.part.headers + datagram.total > FragmentStore::kMostBytes) {
    fate.reason = Reason::kFragmentInvalid;
    return;
  }
  info.kind = PacketKind::kPacket;
  net::Reader reader{fragments.gather(datagram)};
  const bool there = reader.skip(first.part.upper);
  info.reason = there ? parse_transport(reader, info) : Reason::kFragmentInvalid;
  info.key.space = datagram.key.space;
  // RFC 6980: neighbour discovery is never fragmented.
  if (info.kind == PacketKind::kNeighbourDiscovery) info.reason = Reason::kIcmpInvalid;
  if (!info.well_formed()) {
    fate.reason = info.reason;
    return;
  }
  std::uint32_t sum = 0;
  for (const HeldFragment* part = &first; part != nullptr; part = fragments.next_of(*part)) {
    PacketInfo one;
    parse(bytes_of(part->frame), one);
    info.ttl = std::min(info.ttl, one.ttl);
    info.ip_bytes = std::max(info.ip_bytes, one.ip_bytes);
    sum += one.ip_bytes;
  }
  info.more_packets = static_cast<std::uint16_t>(datagram.count - 1);
  info.more_bytes = sum - info.ip_bytes;

  net::EthernetHeader ethernet;
  std::memcpy(&ethernet, first.frame.data, sizeof ethernet);  // parse has read it: it is there
  Opening packet;
  packet.family = info.family;
  packet.protocol = {info.protocol, info.value};
  packet.source = info.source();
  packet.destination = info.destination();
  packet.in = fate.in;
  packet.mac = &ethernet.source;
  Routes routes;
  fate.reason = judge_parts(context, datagram, packet, routes);
  if (fate.reason != Reason::kAllowed) return;
  // By a list that is newer than its first fragments.
  if (has_blocks() && is_blocked(info, datagram.count)) {
    fate.reason = Reason::kBlocked;
    return;
  }
  if (routes.to_gateway) {
    fate.reason = Reason::kForGateway;  // by an image that is newer than its first fragments
    fate.step = NextStep::kConsume;
    return;
  }
  if (options.workers > 1) {
    const unsigned owner = owner_of(context.image, arriving(info), fate.in, options.workers);
    if (owner != options.worker) {
      fate.step = NextStep::kHandOver;
      fate.owner = static_cast<std::uint16_t>(owner);
      return;
    }
  }
  judge_by_state(context, info, flows.hash(info.key), packet, routes, fate);
}

// The flow has counted one packet. Where it is gone, it counted all of them before it ended.
void Pipeline::Impl::count_rest(const PacketInfo& info) noexcept {
  unsigned direction = 0;
  const std::uint64_t hash = flows.hash(info.key);
  FlowRecord* const flow = info.kind == PacketKind::kIcmpError
                               ? flows.find_quoted(info.key, hash, info.match_mask, direction)
                               : flows.find(info.key, hash, info.match_mask, direction);
  if (flow == nullptr) return;
  if (info.kind == PacketKind::kIcmpError) direction = 1 - direction;
  flow->sides[direction].count(info.more_packets, info.more_bytes);
}

void Pipeline::Impl::judge_datagram(const BurstContext& context,
                                    FragmentStore::Datagram& datagram) noexcept {
  PacketInfo info;
  HeldFragment& first = *fragments.first_of(datagram);
  Fate verdict = first.fate;
  changed = false;
  judge_as_one(context, datagram, info, verdict);
  if (changed && info.kind == PacketKind::kIcmpError && verdict.step == NextStep::kSend) {
    // What it quotes may lie in several fragments: nobody fragments an error of 576 bytes.
    verdict.reason = Reason::kNatUntranslatable;
    verdict.step = NextStep::kDrop;
  }
  if (verdict.step == NextStep::kSend) count_rest(info);
  NextLink next;
  if (verdict.step == NextStep::kSend) {
    find_link(context, verdict, next);
    if (!next.up) {
      verdict.reason = Reason::kPortDown;
      verdict.step = NextStep::kDrop;
    } else if (!next.resolved) {
      verdict.step = NextStep::kResolve;
    }
  }
  const bool leaves = verdict.step == NextStep::kSend || verdict.step == NextStep::kResolve;
  net::Be16 identification;
  for (HeldFragment* part = &first; part != nullptr; part = fragments.next_of(*part)) {
    const Fate arrival = part->fate;
    Fate& fate = part->fate;
    fate = verdict;
    fate.in = arrival.in;
    fate.l3_offset = arrival.l3_offset;
    fate.ip_bytes = arrival.ip_bytes;
    // One word to the sender is enough; and none is said of a later fragment (RFC 1122 section
    // 3.2.2).
    if (fate.step == NextStep::kReport && part != &first) fate.step = NextStep::kDrop;
    if (leaves) {
      PacketInfo own;
      parse(bytes_of(part->frame), own);
      if (changed) {
        std::uint8_t* const packet = part->frame.data + own.l3_offset;
        translate(packet, own, sent_as);
        if (own.family == net::Family::kIpv4) {
          if (part == &first) identification = identification_of(packet);
          identify(packet, identification);
        }
      }
      rewrite(part->frame, own, next.link);
    }
    if (fate.step == NextStep::kHandOver) continue;
    if (has_ended(fate.step)) count_packet(counters, fate, part->frame_bytes);
    info.ip_bytes = fate.ip_bytes;
    if (verdict_of(fate.reason) == Verdict::kDrop) {
      log.denial(info, fate, SpaceId{part->space}, context.now);
    }
    if (trace) log.packet(info, fate, SpaceId{part->space}, part->sequence, context.now);
  }
  changed = false;  // of the frame that made the datagram whole
  fragments.finish(datagram);
}

void Pipeline::Impl::account_released(HeldFragment& part) noexcept {
  PacketInfo info;
  parse(bytes_of(part.frame), info);
  count_packet(counters, part.fate, part.frame_bytes);
  log.denial(info, part.fate, SpaceId{part.space}, now);
  if (trace) log.packet(info, part.fate, SpaceId{part.space}, part.sequence, now);
}

}  // namespace meiguan::fastpath
