// Where the pipeline looks out for attacks: at first packets, at echo requests, and at flows that
// ended without an answer. What is known of an ordinary packet of a known flow says nothing new.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

// A destination that has so many connections half open does not complete them.
constexpr std::uint32_t kManyHalfOpen = 256;
// Who has so many flows works for many: what it turns to is compared with where it fails.
constexpr std::uint32_t kBusySource = 256;

Event about(const FlowKey& key, const Sighting& sighting) noexcept {
  Event event;
  event.attack = sighting.type;
  event.reason = Reason::kAllowed;
  event.protocol = key.protocol;
  event.space = SpaceId{key.space};
  event.source = key.source;
  event.destination = key.destination;
  event.source_port = key.source_port;
  event.destination_port = key.query != 0 ? static_cast<std::uint16_t>(key.query << 8)
                                          : key.destination_port;
  event.packets = sighting.packets;
  event.reply_packets = sighting.distinct;
  return event;
}

// Whether the flow never became a conversation. Of TCP: its initiator has acknowledged nothing,
// whether nobody answered, the port was closed, or it only wanted to see the answer.
bool came_to_nothing(const FlowRecord& flow) noexcept {
  return flow.key.protocol == net::protocol::kTcp ? (flow.tcp_flags[0] & net::TcpHeader::kAck) == 0
                                                  : flow.sides[1].packets() == 0;
}

}  // namespace

void Pipeline::Impl::watch_first_packet(const BurstContext& context, const PacketInfo& info,
                                        const Limits::Claim& claim, const Fate& fate) noexcept {
  const auto tell = [&](const Sighting& sighting) {
    if (sighting.type == AttackType::kNone) [[likely]]
      return;
    Event event = about(info.key, sighting);
    event.reason = fate.reason;
    event.in_port = fate.in;
    event.out_port = fate.out;
    event.unit = fate.unit;
    event.to_unit = fate.to_unit;
    event.service = fate.service;
    event.rule = fate.rule;
    log.attack(event, context.now);
  };
  const bool refused = verdict_of(fate.reason) == Verdict::kDrop && fate.step != NextStep::kReport;
  switch (info.protocol) {
    case net::protocol::kTcp:
      if (refused || fate.reason == Reason::kSynCookie ||
          limits.half_open_towards(claim) >= kManyHalfOpen) {
        tell(attacks.flood(AttackType::kSynFlood, info.key, context.now));
      }
      if (AttackDetector::is_worm_port(info.key.destination_port)) {
        tell(attacks.spread(info.key, context.now));
      }
      break;
    case net::protocol::kUdp:
      tell(attacks.flood(AttackType::kUdpFlood, info.key, context.now));
      break;
    case net::protocol::kIcmp:
    case net::protocol::kIcmp6:
      tell(attacks.flood(AttackType::kIcmpFlood, info.key, context.now));
      break;
    default: break;
  }
  if (refused) {
    tell(attacks.failed(info.key, context.now));
  } else if (limits.flows_from(claim) >= kBusySource) [[unlikely]] {
    attacks.turned(info.key, context.now);
  }
}

void Pipeline::Impl::watch_icmp(const BurstContext& context, const FlowRecord& flow,
                                PortId in) noexcept {
  const Sighting sighting = attacks.flood(AttackType::kIcmpFlood, flow.key, context.now);
  if (sighting.type != AttackType::kNone) tell_of_flow(sighting, flow, in, context.now);
}

void Pipeline::Impl::watch_end(const FlowRecord& flow, Tick at, FlowEnd end) noexcept {
  const bool by_us = end == FlowEnd::kRevoked || end == FlowEnd::kShutdown ||
                     end == FlowEnd::kBlocked;
  if (by_us || !came_to_nothing(flow)) return;
  const Sighting sighting = attacks.failed(flow.key, at);
  if (sighting.type != AttackType::kNone) tell_of_flow(sighting, flow, flow.in(0), at);
}

void Pipeline::Impl::tell_of_flow(const Sighting& sighting, const FlowRecord& flow, PortId in,
                                  Tick at) noexcept {
  Event event = about(flow.key, sighting);
  event.in_port = in;
  event.out_port = flow.in(1);
  event.unit = flow.unit();
  event.to_unit = flow.to_unit();
  event.service = flow.service();
  event.rule = flow.rule;
  log.attack(event, at);
}

}  // namespace meiguan::fastpath
