#pragma once

// The main thread's side of the packet path: takes what workers raise, gives it to the gateway's
// own protocols, and sends what those want sent, by way of worker 0.

#include <rte_mempool.h>

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/fastpath/counters.h"
#include "dataplane/runtime/in_force.h"
#include "dataplane/runtime/interfaces.h"
#include "dataplane/runtime/outlet.h"
#include "dataplane/runtime/own_stack.h"
#include "dataplane/runtime/packet.h"
#include "dataplane/runtime/tap.h"
#include "dataplane/runtime/worker.h"

namespace meiguan::runtime {

class Exceptions final : public Outlet {
 public:
  // `counters` is the main thread's own block.
  Exceptions(Shared& shared, rte_mempool* pool, fastpath::CounterBlock counters,
             fastpath::NeighbourTable& table, std::uint32_t neighbours);
  ~Exceptions() override;

  // Before an image is put in force: neighbours that are not true of it any more are forgotten, so
  // that no worker sends by the new image to a MAC of the old one's port.
  void adopt(const InForce& next, fastpath::Tick now);
  void announce(fastpath::Tick now) { stack_->announce(now); }
  // Deals with some of what was raised; how much.
  unsigned drain(fastpath::Tick now);
  void tick(fastpath::Tick now) { stack_->tick(now); }
  // Takes what the kernel sends by the TAPs, a limited number of frames; how many.
  unsigned read_taps(fastpath::Tick now);
  // Puts TAPs and their addresses right that somebody has changed or removed, and opens those that
  // could not be opened before. False where one is not there: then the gateway answers for itself.
  bool watch_taps();
  [[nodiscard]] const Machine::Counts& machine() const noexcept { return stack_->machine(); }
  [[nodiscard]] const Neighbours& neighbours() const noexcept { return stack_->neighbours(); }

  void transmit(PortId out, std::span<const std::uint8_t> frame) override;
  [[nodiscard]] std::unique_ptr<HeldPacket> own_packet(
      PortId out, std::span<const std::uint8_t> frame) override;
  [[nodiscard]] bool has_machine(PortId in) const override;
  void to_machine(PortId in, std::span<const std::uint8_t> frame) override;
  void forward(std::unique_ptr<HeldPacket> packet, const net::MacAddress& next_hop) override;
  void give_up(std::unique_ptr<HeldPacket> packet, fastpath::Reason reason) override;

 private:
  [[nodiscard]] rte_mbuf* new_packet(PortId out, std::span<const std::uint8_t> frame);
  void place_taps();
  void deal_with(rte_mbuf* packet, fastpath::Tick now);
  [[nodiscard]] bool link_up(PortId out) const noexcept;
  [[nodiscard]] bool is_current(const PacketTag& tag, PortId port) const noexcept;

  Shared& shared_;
  rte_mempool* pool_;
  fastpath::CounterBlock counters_;
  std::uint32_t generation_{0};
  std::uint32_t generation_before_{0};
  std::vector<bool> same_as_before_;  // by PortId: the image before had this port by this number
  std::vector<std::uint16_t> device_of_port_;
  std::unique_ptr<Interfaces> interfaces_;
  const InForce* in_force_{};        // lives until the next adopt()
  std::map<std::string, Tap> taps_;  // by name
  std::vector<Tap*> tap_of_port_;    // by PortId; null: none, or it is not there
  std::vector<std::uint8_t> tap_room_;
  std::string tap_problem_;  // that was logged last
  fastpath::Tick now_{0};
  std::unique_ptr<OwnStack> stack_;
};

}  // namespace meiguan::runtime
