#pragma once

// The event ring: one producer (a worker), one consumer (the control plane), in shared memory.
// A full ring loses the newest event, counts it, and never blocks the worker.

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/attack.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

enum class EventKind : std::uint8_t {
  kFlowStart = 1,
  kFlowPeriodic = 2,
  kFlowEnd = 3,
  kDenial = 4,  // a packet that was dropped, at a limited rate
  kPacket = 5,  // any packet, while tracing is on
  kAudit = 6,   // a first packet that an audit rule counted
  kAttack = 7,  // a flood or a scan goes on; what several tell of one attack adds up
  // A block of ports of a pool address: `source` is the inside address, `destination` the pool's,
  // the ports are the first and the last of the block.
  kBlockTaken = 8,
  kBlockReturned = 9,
};

enum class FlowEnd : std::uint8_t { kNone, kIdle, kClosed, kReset, kRevoked, kShutdown, kBlocked };

// Fixed size, plain data. Times in milliseconds of the clock that the worker was given.
struct Event {
  EventKind kind{};
  Reason reason{};
  FlowEnd end{};
  std::uint8_t protocol{0};
  SpaceId space;
  PortId in_port;
  PortId out_port;
  std::uint16_t source_port{0};       // ICMP queries: the identifier
  std::uint16_t destination_port{0};  // ICMP: type << 8 | code
  std::uint16_t tcp_flags{0};         // of both directions: initiator's << 8 | responder's
  std::uint64_t sequence{0};          // kPacket: the worker's number of the packet, from 0
  std::uint64_t time{0};
  std::uint64_t start{0};  // of a flow: rounded down to 16 ms
  net::Address source;     // of a flow: its initiator
  net::Address destination;
  RuleId rule;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  // From the initiator; of a denial, an attack: of all packets that it stands for.
  std::uint64_t packets{0};
  std::uint64_t bytes{0};
  std::uint64_t reply_packets{0};  // of a scan: about how many ports or targets it tried
  std::uint64_t reply_bytes{0};
  std::uint32_t generation{0};
  AttackType attack{};  // of kAttack
  std::array<std::uint8_t, 3> reserved{};
  // Of a translated flow: its initiator as the responder sees it, and the responder as it really
  // is; of any other all zero.
  net::Address translated_source;
  net::Address translated_destination;
  std::uint16_t translated_source_port{0};
  std::uint16_t translated_destination_port{0};
  std::uint32_t reserved2{0};
};
static_assert(sizeof(Event) == 168);

struct EventRingHeader {
  alignas(64) std::atomic<std::uint64_t> written{0};  // by the producer
  alignas(64) std::atomic<std::uint64_t> read{0};     // by the consumer
  alignas(64) std::uint64_t capacity{0};              // events, a power of two
};

// A view of a ring in shared memory; it owns nothing. Memory: header, then the events.
class EventRing {
 public:
  EventRing() = default;
  // Views memory of `ring_bytes(capacity)` bytes; `initialise` on the producer's side only.
  EventRing(std::byte* memory, std::uint64_t capacity, bool initialise) noexcept;
  [[nodiscard]] static std::size_t ring_bytes(std::uint64_t capacity) noexcept;

  // False when the ring is full or absent: the event is lost and the caller counts it.
  [[nodiscard]] bool push(const Event& event) noexcept;
  // Copies out at most `out.size()` events; returns how many. A corrupt header yields none.
  [[nodiscard]] std::size_t pop(std::span<Event> out) noexcept;

 private:
  EventRingHeader* header_{};
  Event* events_{};
  std::uint64_t mask_{0};
};

}  // namespace meiguan::fastpath
