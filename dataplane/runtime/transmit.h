#pragma once

// Frames on their way out of one worker by one device, sent in bursts.

#include <rte_mbuf.h>

#include <array>
#include <cstdint>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/counters.h"
#include "dataplane/runtime/device.h"

namespace meiguan::runtime {

class Transmit {
 public:
  // `queue` is the worker's own; with `shared` other workers send by it, too.
  Transmit(Device& device, std::uint16_t queue, bool shared, fastpath::CounterBlock counters)
      : device_{&device}, queue_{queue}, shared_{shared}, counters_{counters} {}

  // Takes over `packet`, which is to leave by the port or sub-port `out`.
  void add(rte_mbuf* packet, PortId out) noexcept {
    packets_[waiting_] = packet;
    out_[waiting_] = out;
    bytes_[waiting_] = packet->pkt_len;
    if (++waiting_ == kBurst) flush();
  }
  // Hands to the device what waits. What the device does not take, or has no link for, is lost and
  // counted as failed: the packet's reason was told when it was judged.
  void flush() noexcept {
    if (waiting_ != 0) send();
  }

 private:
  static constexpr std::uint16_t kBurst = 32;
  void send() noexcept;

  Device* device_;
  std::uint16_t queue_;
  bool shared_;
  fastpath::CounterBlock counters_;
  std::uint16_t waiting_{0};
  std::array<rte_mbuf*, kBurst> packets_{};
  std::array<PortId, kBurst> out_{};
  std::array<std::uint32_t, kBurst> bytes_{};
};

}  // namespace meiguan::runtime
