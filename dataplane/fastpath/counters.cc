#include "dataplane/fastpath/counters.h"

#include "dataplane/fastpath/count.h"
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
  EndedAlike one{fate.reason, fate.in};
  one.add(frame_bytes);
  count_ended(counters, one);
  count_parties(counters, fate);
}

}  // namespace meiguan::fastpath
