#pragma once

// What the gateway itself does with packets that are for it: answers ARP, neighbour discovery and
// echo requests, and tells senders why a packet did not pass. Where a port has a TAP, the kernel
// answers for the port's own addresses, and the gateway for those of its translations alone; next
// hops are found by the gateway in any case, so that forwarding never hangs on the kernel. Free of
// DPDK, clocks and I/O.

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/runtime/interfaces.h"
#include "dataplane/runtime/machine.h"
#include "dataplane/runtime/neighbours.h"
#include "dataplane/runtime/outlet.h"
#include "dataplane/runtime/token_bucket.h"

namespace meiguan::runtime {

class OwnStack {
 public:
  OwnStack(fastpath::NeighbourTable& table, std::uint32_t capacity, Outlet& outlet);

  // A new image is about to be in force. `interfaces` live until the next call.
  void adopt(const Interfaces& interfaces, fastpath::Tick now);
  // Tells all segments our addresses.
  void announce(fastpath::Tick now);

  // A frame for the gateway, as it was received on `in`.
  void consume(PortId in, std::span<const std::uint8_t> frame, fastpath::Tick now);
  // A frame that was dropped with a reason that its sender may be told, as it was received.
  void report(const fastpath::Fate& fate, std::span<const std::uint8_t> frame, fastpath::Tick now);
  // A packet that was held in vain; `frame` is as it would have been sent.
  void report_unresolved(const fastpath::Fate& fate, std::span<const std::uint8_t> frame,
                         fastpath::Tick now);
  // A frame that the kernel sends by the TAP of `out`.
  void from_machine(PortId out, std::span<const std::uint8_t> frame, const image::Blocks& blocked,
                    fastpath::Tick now);
  [[nodiscard]] const Machine::Counts& machine() const noexcept { return machine_.counts(); }
  void tick(fastpath::Tick now) { neighbours_.tick(now); }

  [[nodiscard]] Neighbours& neighbours() noexcept { return neighbours_; }
  [[nodiscard]] const Neighbours& neighbours() const noexcept { return neighbours_; }

 private:
  void answer_arp(const Interface& in, std::span<const std::uint8_t> frame, fastpath::Tick now);
  void answer_discovery(const Interface& in, const fastpath::PacketInfo& info,
                        std::span<const std::uint8_t> frame, fastpath::Tick now);

  [[nodiscard]] bool is_for_machine(const Interface& in, const net::Address& to) const;
  void give_machine(const Interface& in, const fastpath::PacketInfo& info,
                    std::span<const std::uint8_t> frame, fastpath::Tick now);

  Outlet& outlet_;
  Machine machine_;
  Neighbours neighbours_;
  const Interfaces* interfaces_{};
  TokenBucket answers_{2000, 500};  // ARP and ND answers
  TokenBucket echoes_{1000, 200};
  TokenBucket errors_{100, 50};
};

}  // namespace meiguan::runtime
