#include "dataplane/fastpath/event_log.h"

#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

constexpr Tick kSecond = 1000;

bool is_icmp(std::uint8_t protocol) noexcept {
  return protocol == net::protocol::kIcmp || protocol == net::protocol::kIcmp6;
}

Event event_of_packet(EventKind kind, const PacketInfo& info, const Fate& fate, SpaceId space,
                      Tick now) noexcept {
  Event event;
  event.kind = kind;
  event.reason = fate.reason;
  event.protocol = info.protocol;
  event.space = space;
  event.in_port = fate.in;
  event.out_port = fate.out;
  if (is_icmp(info.protocol)) {
    event.source_port = info.kind == PacketKind::kIcmpError ? std::uint16_t{0}
                                                            : info.key.source_port;
    event.destination_port = static_cast<std::uint16_t>(info.value << 8 | (info.icmp_code & 0xff));
  } else {
    event.source_port = info.key.source_port;
    event.destination_port = info.key.destination_port;
  }
  event.tcp_flags = static_cast<std::uint16_t>(fate.reply ? info.tcp_flags : info.tcp_flags << 8);
  event.time = now;
  event.start = now;
  event.source = info.source();
  event.destination = info.destination();
  event.rule = fate.rule;
  event.unit = fate.unit;
  event.to_unit = fate.to_unit;
  event.service = fate.service;
  event.packets = 1;
  event.bytes = fate.ip_bytes;
  return event;
}

}  // namespace

Event event_of_flow(EventKind kind, const FlowRecord& flow, const Translation* translation,
                    Tick now, FlowEnd end) noexcept {
  Event event;
  event.kind = kind;
  event.reason = end == FlowEnd::kRevoked   ? Reason::kRevoked
                 : end == FlowEnd::kBlocked ? Reason::kBlocked
                                            : Reason::kAllowed;
  event.end = end;
  event.protocol = flow.key.protocol;
  event.space = SpaceId{flow.key.space};
  event.in_port = flow.in(0);
  event.out_port = flow.in(1);
  event.source_port = flow.key.source_port;
  event.destination_port = flow.key.query != 0 || is_icmp(flow.key.protocol)
                               ? static_cast<std::uint16_t>(flow.key.query << 8)
                               : flow.key.destination_port;
  if (flow.key.protocol == net::protocol::kTcp) {
    event.tcp_flags = static_cast<std::uint16_t>(flow.tcp_flags[0] << 8 | flow.tcp_flags[1]);
  }
  event.time = now;
  event.start = milliseconds_of(flow.start, now);
  event.source = flow.key.source;
  event.destination = flow.key.destination;
  event.rule = flow.rule;
  event.unit = flow.unit();
  event.to_unit = flow.to_unit();
  event.service = flow.service();
  event.packets = flow.sides[0].packets();
  event.bytes = flow.sides[0].bytes();
  event.reply_packets = flow.sides[1].packets();
  event.reply_bytes = flow.sides[1].bytes();
  event.generation = flow.generation;
  if (translation != nullptr && !equal(translation->reply, turned(flow.key))) {
    event.translated_source = translation->reply.destination;
    event.translated_destination = translation->reply.source;
    event.translated_source_port = translation->reply.destination_port;
    event.translated_destination_port = translation->reply.source_port;
  }
  return event;
}

void EventLog::block(EventKind kind, const PortBlock& block, Tick now) noexcept {
  if (ring_ == nullptr) return;
  Event event;
  event.kind = kind;
  event.reason = Reason::kAllowed;
  event.space = SpaceId{block.space};
  event.source = block.inside;
  event.destination = block.outside;
  event.source_port = block.first_port;
  event.destination_port = static_cast<std::uint16_t>(block.first_port + (block.ports - 1));
  event.time = now;
  event.start = now;
  push(event);
}

void EventLog::audit(const PacketInfo& info, const Fate& fate, SpaceId space, RuleId rule,
                     Tick now) noexcept {
  if (ring_ == nullptr) return;
  Event event = event_of_packet(EventKind::kAudit, info, fate, space, now);
  event.rule = rule;
  push(event);
}

void EventLog::packet(const PacketInfo& info, const Fate& fate, SpaceId space,
                      std::uint64_t sequence, Tick now) noexcept {
  if (ring_ == nullptr) return;
  Event event = event_of_packet(EventKind::kPacket, info, fate, space, now);
  event.sequence = sequence;
  push(event);
}

void EventLog::attack(Event event, Tick now) noexcept {
  if (ring_ == nullptr) return;
  if (now >= attack_second_end_) {
    attack_second_end_ = now + kSecond;
    attacks_ = 0;
  }
  if (attacks_ == kAttacksPerSecond) {
    counters_.totals().events_lost.add(1);
    return;
  }
  ++attacks_;
  event.kind = EventKind::kAttack;
  event.time = now;
  event.start = now;
  push(event);
}

void EventLog::denial(const PacketInfo& info, const Fate& fate, SpaceId space, Tick now) noexcept {
  if (ring_ == nullptr) return;
  flush_denials(now);
  if (now >= second_end_) {
    second_end_ = now + kSecond;
    told_ = 0;
  }
  Suppressed& suppressed = suppressed_[static_cast<std::size_t>(fate.reason) % kReasonCodes];
  if (told_ == denials_per_second_) {
    // Of a flood only the first passed-over packet is described: the rest is a number.
    if (suppressed.packets++ == 0) {
      suppressed.first = event_of_packet(EventKind::kDenial, info, fate, space, now);
      any_suppressed_ = true;
    } else {
      suppressed.first.bytes += fate.ip_bytes;
    }
    return;
  }
  ++told_;
  Event event = event_of_packet(EventKind::kDenial, info, fate, space, now);
  if (suppressed.packets > 0) {
    event.packets += suppressed.packets;
    event.bytes += suppressed.first.bytes;
    suppressed.packets = 0;
  }
  push(event);
}

void EventLog::tell_suppressed(Tick now) noexcept {
  for (Suppressed& suppressed : suppressed_) {
    if (suppressed.packets == 0) continue;
    suppressed.first.packets = suppressed.packets;
    suppressed.first.time = now;
    suppressed.packets = 0;
    push(suppressed.first);
  }
  any_suppressed_ = false;
}

}  // namespace meiguan::fastpath
