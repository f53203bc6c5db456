#include "dataplane/fastpath/counters.h"

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::fastpath {
namespace {

// Each array starts on a cache line of its own.
constexpr std::size_t lines(std::size_t bytes) noexcept { return (bytes + 63) & ~std::size_t{63}; }

template <typename T>
T* take(std::byte*& at, std::size_t count) noexcept {
  auto* const array = reinterpret_cast<T*>(at);
  at += lines(count * sizeof(T));
  return array;
}

}  // namespace

CounterBlock::CounterBlock(std::byte* memory, const CounterCapacity& capacity) noexcept
    : capacity_{capacity},
      reasons_{take<ReasonCounters>(memory, kReasonCodes)},
      ports_{take<PortCounters>(memory, capacity.ports)},
      units_{take<UnitCounters>(memory, capacity.units)},
      services_{take<ServiceCounters>(memory, capacity.services)},
      rules_{take<RuleCounters>(memory, capacity.rules)},
      totals_{take<BlockTotals>(memory, 1)} {}

std::size_t CounterBlock::block_bytes(const CounterCapacity& capacity) noexcept {
  return lines(kReasonCodes * sizeof(ReasonCounters)) +
         lines(capacity.ports * sizeof(PortCounters)) +
         lines(capacity.units * sizeof(UnitCounters)) +
         lines(capacity.services * sizeof(ServiceCounters)) +
         lines(capacity.rules * sizeof(RuleCounters)) + lines(sizeof(BlockTotals));
}

void count_packet(const CounterBlock& counters, const Fate& fate,
                  std::uint32_t frame_bytes) noexcept {
  counters.totals().packets.add(1);
  counters.reason(fate.reason).traffic.add(1, frame_bytes);
  const Verdict verdict = verdict_of(fate.reason);
  if (fate.in.is_some()) {
    PortCounters& port = counters.port(fate.in);
    port.received.add(1, frame_bytes);
    if (verdict == Verdict::kDrop) port.dropped.add(1);
    if (verdict == Verdict::kLocal) port.local.add(1);
  }
  // A flow is reported as its initiator sees it; a reply is sent by the other side.
  const UnitId sender = fate.reply ? fate.to_unit : fate.unit;
  const UnitId receiver = fate.reply ? fate.unit : fate.to_unit;
  if (verdict == Verdict::kForward) [[likely]] {
    if (sender.is_some()) counters.unit(sender).sent.add(1, fate.ip_bytes);
    if (receiver.is_some()) counters.unit(receiver).received.add(1, fate.ip_bytes);
    if (fate.service.is_some()) {
      ServiceCounters& service = counters.service(fate.service);
      (fate.reply ? service.replies : service.requests).add(1, fate.ip_bytes);
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
