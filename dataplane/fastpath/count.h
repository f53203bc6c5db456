#pragma once

// What a packet that has ended adds to the counters: to those that nearly all packets of a burst
// have in common, and to those of its own unit, service and rule.

#include <array>
#include <cstdint>

#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/pipeline.h"

namespace meiguan::fastpath {

// Packets in a row that came in by the same port and ended by the same reason.
struct EndedAlike {
  Reason reason{Reason::kNoImage};
  PortId in;
  std::uint32_t packets{0};
  std::uint64_t bytes{0};  // of frames without FCS

  [[nodiscard]] bool has(const Fate& fate) const noexcept {
    return fate.reason == reason && fate.in == in;
  }
  void add(std::uint32_t frame_bytes) noexcept {
    ++packets;
    bytes += frame_bytes;
  }
};

inline void count_ended(const CounterBlock& counters, const EndedAlike& run) noexcept {
  if (run.packets == 0) return;
  counters.totals().packets.add(run.packets);
  counters.reason(run.reason).traffic.add(run.packets, run.bytes);
  if (!run.in.is_some()) return;
  const Verdict verdict = verdict_of(run.reason);
  PortCounters& port = counters.port(run.in);
  port.received.add(run.packets, run.bytes);
  if (verdict == Verdict::kDrop) port.dropped.add(run.packets);
  if (verdict == Verdict::kLocal) port.local.add(run.packets);
}

// A flow is reported as its initiator sees it; a reply is sent by the other side.
[[gnu::always_inline]] inline void count_parties(const CounterBlock& counters,
                                                 const Fate& fate) noexcept {
  // No branch: replies come between requests as they like.
  const std::array<UnitId, 2> ends{fate.unit, fate.to_unit};
  const UnitId sender = ends[fate.reply];
  const UnitId receiver = ends[1 - fate.reply];
  const Verdict verdict = verdict_of(fate.reason);
  if (verdict == Verdict::kForward) [[likely]] {
    if (sender.is_some()) counters.unit(sender).sent.add(1, fate.ip_bytes);
    if (receiver.is_some()) counters.unit(receiver).received.add(1, fate.ip_bytes);
    if (fate.service.is_some()) {
      ServiceCounters& service = counters.service(fate.service);
      const std::array<Traffic*, 2> ways{&service.requests, &service.replies};
      ways[fate.reply]->add(1, fate.ip_bytes);
    }
    if (fate.rule.is_some()) counters.rule(fate.rule).traffic.add(1, fate.ip_bytes);
    return;
  }
  if (verdict != Verdict::kDrop) return;
  if (sender.is_some()) counters.unit(sender).denied.add(1);
  if (fate.service.is_some()) counters.service(fate.service).denied.add(1);
  if (fate.rule.is_some() && (fate.reason == Reason::kDenied || fate.reason == Reason::kRevoked)) {
    counters.rule(fate.rule).traffic.add(1, fate.ip_bytes);
  }
}

}  // namespace meiguan::fastpath
