#pragma once

// The counter segment: shared memory in which every cell has one writer and only ever grows.
//
//   SegmentHeader | block 0 | block 1 | ...       one block for each worker, and a last one for
//                                                 the main thread (held packets, own packets)
//   block: reasons[kReasonCodes] | ports | units | services | rules | BlockTotals
//
// Readers add the blocks up and take differences in time. Cells are 8-byte aligned; a writer stores
// each with one relaxed atomic store, so that no reader sees half a number.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/reason.h"

namespace meiguan::fastpath {

// Grows by one writer; read by anyone.
class Counter {
 public:
  void add(std::uint64_t n) noexcept {
    // One writer: a plain read of its own last store, no read-modify-write on the bus.
    value_.store(value_.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return value_.load(std::memory_order_relaxed);
  }

 private:
  std::atomic<std::uint64_t> value_{0};
};
static_assert(sizeof(Counter) == 8 && std::atomic<std::uint64_t>::is_always_lock_free);

struct Traffic {
  Counter packets;
  Counter bytes;  // of IP packets, from the first byte of the IP header
  void add(std::uint64_t n_packets, std::uint64_t n_bytes) noexcept {
    packets.add(n_packets);
    bytes.add(n_bytes);
  }
};

struct ReasonCounters {
  Traffic traffic;  // by reason, frames of any kind; bytes of frames without FCS
};

// By PortId (a sub-port counts for itself, not for its parent too). Bytes of frames without FCS.
struct PortCounters {
  Traffic received;
  Traffic sent;             // handed to the device
  Counter dropped;          // packets that came in by this port and ended in a drop
  Counter local;            // packets that came in by this port for the gateway itself
  Counter transmit_failed;  // judged to leave by this port, but the device had no room or no link
};

// By UnitId, forwarded traffic only but for `denied`.
struct UnitCounters {
  Traffic sent;      // by terminals of the unit
  Traffic received;  // by terminals of the unit
  Counter flows;     // started by the unit
  Counter denied;    // packets of the unit that were dropped at admission or later
};

// By ServiceId (the most specific at the destination of the flow).
struct ServiceCounters {
  Traffic requests;  // towards the service
  Traffic replies;
  Counter flows;
  Counter denied;
};

// By RuleId.
struct RuleCounters {
  Traffic traffic;  // packets of flows that the rule allowed, both directions; of a deny, the drops
  Counter hits;     // first packets that the rule decided
  Counter audited;  // first packets that came past it (audit rules)
};

struct BlockTotals {
  Counter packets;  // ended, whatever the reason: equals the sum over reasons
  Counter flows_created;
  Counter flows_ended;  // expired, closed or revoked; live = created - ended
  Counter events_lost;  // events that found the ring full
  Counter handovers;
  Counter exceptions_lost;  // for the gateway itself or to be reported, and its queue was full
  Counter reserved[2];
};

struct SegmentHeader {
  static constexpr std::uint64_t kMagic = 0x31544e434e41474dULL;  // "MGANCNT1"
  std::uint64_t magic;
  std::uint32_t blocks;
  std::uint32_t ports;  // capacities of one block
  std::uint32_t units;
  std::uint32_t services;
  std::uint32_t rules;
  std::uint32_t flow_capacity;  // of one worker
  std::uint64_t block_bytes;
  std::uint64_t first_block;  // offset of block 0
};

struct CounterCapacity {
  std::uint32_t ports{256};
  std::uint32_t units{32768};
  std::uint32_t services{8192};
  std::uint32_t rules{65536};
};

// One writer's part of the segment; it owns nothing.
class CounterBlock {
 public:
  CounterBlock() = default;
  // `memory` holds block_bytes(capacity) bytes, 64-byte aligned, zero at first.
  CounterBlock(std::byte* memory, const CounterCapacity& capacity) noexcept;

  [[nodiscard]] static std::size_t block_bytes(const CounterCapacity& capacity) noexcept;

  [[nodiscard]] const CounterCapacity& capacity() const noexcept { return capacity_; }
  [[nodiscard]] ReasonCounters& reason(Reason r) const noexcept {
    return reasons_[static_cast<std::size_t>(r) % kReasonCodes];
  }
  // Ids beyond the capacity are refused when an image is loaded; here they are an invariant.
  [[nodiscard]] PortCounters& port(PortId id) const noexcept { return ports_[id.index()]; }
  [[nodiscard]] UnitCounters& unit(UnitId id) const noexcept { return units_[id.index()]; }
  [[nodiscard]] ServiceCounters& service(ServiceId id) const noexcept {
    return services_[id.index()];
  }
  [[nodiscard]] RuleCounters& rule(RuleId id) const noexcept { return rules_[id.index()]; }
  [[nodiscard]] BlockTotals& totals() const noexcept { return *totals_; }

 private:
  CounterCapacity capacity_;
  ReasonCounters* reasons_{};
  PortCounters* ports_{};
  UnitCounters* units_{};
  ServiceCounters* services_{};
  RuleCounters* rules_{};
  BlockTotals* totals_{};
};

}  // namespace meiguan::fastpath
