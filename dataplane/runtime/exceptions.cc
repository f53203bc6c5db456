#include "dataplane/runtime/exceptions.h"

#include <rte_mbuf.h>
#include <rte_ring.h>

#include <array>
#include <cstring>
#include <utility>

#include "dataplane/runtime/packet.h"

namespace meiguan::runtime {
namespace {

using fastpath::Reason;

class HeldMbuf final : public HeldPacket {
 public:
  explicit HeldMbuf(rte_mbuf* packet) noexcept : packet_{packet} {}
  ~HeldMbuf() override {
    if (packet_ != nullptr) ::rte_pktmbuf_free(packet_);
  }
  [[nodiscard]] rte_mbuf* get() const noexcept { return packet_; }
  [[nodiscard]] rte_mbuf* release() noexcept { return std::exchange(packet_, nullptr); }

 private:
  rte_mbuf* packet_;
};

// A packet of the gateway's own came in by no port; nothing judged or counts it.
bool is_own(const fastpath::Fate& fate) noexcept { return fate.in.is_none(); }

}  // namespace

Exceptions::Exceptions(Shared& shared, rte_mempool* pool, fastpath::CounterBlock counters,
                       fastpath::NeighbourTable& table, std::uint32_t neighbours)
    : shared_{shared},
      pool_{pool},
      counters_{counters},
      stack_{std::make_unique<OwnStack>(table, neighbours, *this)} {}

Exceptions::~Exceptions() {
  stack_->neighbours().give_up_all();
  std::array<void*, 64> packets;
  while (const unsigned count = ::rte_ring_sc_dequeue_burst(shared_.exceptions, packets.data(),
                                                            packets.size(), nullptr)) {
    for (unsigned i = 0; i < count; ++i) {
      auto* packet = static_cast<rte_mbuf*>(packets[i]);
      if (tag_of(packet).fate.step == fastpath::NextStep::kResolve) {
        give_up(std::make_unique<HeldMbuf>(packet), Reason::kNextHopUnresolved);
      } else {
        ::rte_pktmbuf_free(packet);
      }
    }
  }
}

void Exceptions::adopt(const InForce& next, fastpath::Tick now) {
  // What was raised under the image that is still in force is dealt with under it.
  while (generation_ != 0 && drain(now) != 0) {
  }
  auto interfaces = std::make_unique<Interfaces>(next.image(), next.macs);
  same_as_before_.assign(interfaces->all().size(), false);
  for (std::size_t i = 0; interfaces_ && i < interfaces->all().size(); ++i) {
    if (i == interfaces_->all().size()) break;
    const Interface& now_there = interfaces->all()[i];
    const Interface& before = interfaces_->all()[i];
    same_as_before_[i] = now_there.name == before.name && now_there.space == before.space;
  }
  generation_before_ = std::exchange(generation_, next.generation);
  device_of_port_ = next.device_of_port;
  stack_->adopt(*interfaces, now);
  interfaces_ = std::move(interfaces);
  in_force_ = &next;
  place_taps();
}

unsigned Exceptions::drain(fastpath::Tick now) {
  now_ = now;
  std::array<void*, 64> packets;
  const unsigned count = ::rte_ring_sc_dequeue_burst(shared_.exceptions, packets.data(),
                                                     packets.size(), nullptr);
  for (unsigned i = 0; i < count; ++i) deal_with(static_cast<rte_mbuf*>(packets[i]), now);
  return count;
}

// Workers raise by the image before until they have seen the next one: what a change of policy
// found on its way here is dealt with as well, where its port is still the same.
bool Exceptions::is_current(const PacketTag& tag, PortId port) const noexcept {
  return tag.generation == generation_ ||
         (tag.generation == generation_before_ && port.index() < same_as_before_.size() &&
          same_as_before_[port.index()]);
}

void Exceptions::deal_with(rte_mbuf* packet, fastpath::Tick now) {
  const PacketTag tag = tag_of(packet);
  auto held = std::make_unique<HeldMbuf>(packet);
  switch (tag.fate.step) {
    case fastpath::NextStep::kResolve:
      if (is_current(tag, tag.fate.out)) {
        stack_->neighbours().hold(tag.fate.out, tag.fate.next_hop, std::move(held), now);
      } else {
        give_up(std::move(held), Reason::kNextHopUnresolved);
      }
      return;
    case fastpath::NextStep::kConsume:
      if (is_current(tag, tag.fate.in)) stack_->consume(tag.fate.in, frame_of(packet), now);
      return;
    case fastpath::NextStep::kReport:
      if (is_current(tag, tag.fate.in)) stack_->report(tag.fate, frame_of(packet), now);
      return;
    case fastpath::NextStep::kSend:
    case fastpath::NextStep::kAnswer:
    case fastpath::NextStep::kDrop:
    case fastpath::NextStep::kHold:
    case fastpath::NextStep::kHandOver: return;
  }
}

bool Exceptions::link_up(PortId out) const noexcept {
  return out.index() < device_of_port_.size() &&
         shared_.devices[device_of_port_[out.index()]]->up();
}

rte_mbuf* Exceptions::new_packet(PortId out, std::span<const std::uint8_t> frame) {
  if (out.index() >= device_of_port_.size()) return nullptr;
  rte_mbuf* packet = ::rte_pktmbuf_alloc(pool_);
  if (packet == nullptr) return nullptr;
  char* room = ::rte_pktmbuf_append(packet, static_cast<std::uint16_t>(frame.size()));
  if (room == nullptr) {
    ::rte_pktmbuf_free(packet);
    return nullptr;
  }
  std::memcpy(room, frame.data(), frame.size());
  PacketTag& tag = tag_of(packet);
  tag = PacketTag{};
  tag.fate.out = out;
  tag.generation = generation_;
  tag.device = device_of_port_[out.index()];
  return packet;
}

void Exceptions::transmit(PortId out, std::span<const std::uint8_t> frame) {
  rte_mbuf* packet = new_packet(out, frame);
  if (packet == nullptr) return;
  if (::rte_ring_sp_enqueue(shared_.own_frames, packet) != 0) ::rte_pktmbuf_free(packet);
}

std::unique_ptr<HeldPacket> Exceptions::own_packet(PortId out,
                                                   std::span<const std::uint8_t> frame) {
  rte_mbuf* packet = new_packet(out, frame);
  return packet != nullptr ? std::make_unique<HeldMbuf>(packet) : nullptr;
}

void Exceptions::forward(std::unique_ptr<HeldPacket> packet, const net::MacAddress& next_hop) {
  // Only packets that deal_with() held come back.
  auto& held = static_cast<HeldMbuf&>(*packet);
  PacketTag& tag = tag_of(held.get());
  const fastpath::Fate fate = tag.fate;
  if (!link_up(fate.out)) return give_up(std::move(packet), Reason::kPortDown);
  // The frame is complete but for its destination MAC.
  std::memcpy(data_of(held.get()), next_hop.data(), next_hop.size());
  const std::uint32_t bytes = tag.frame_bytes;
  // It was judged by the image in force or by one whose port this still is.
  tag.generation = generation_;
  tag.device = device_of_port_[fate.out.index()];
  if (::rte_ring_sp_enqueue(shared_.own_frames, held.get()) != 0) {
    return give_up(std::move(packet), Reason::kTransmitFull);
  }
  (void)held.release();
  if (!is_own(fate)) fastpath::count_packet(counters_, fate, bytes);
}

void Exceptions::give_up(std::unique_ptr<HeldPacket> packet, Reason reason) {
  auto& held = static_cast<HeldMbuf&>(*packet);
  const PacketTag& tag = tag_of(held.get());
  if (is_own(tag.fate)) return;
  fastpath::Fate fate = tag.fate;
  fate.reason = reason;
  fastpath::count_packet(counters_, fate, tag.frame_bytes);
  // This thread is the one that frees it.
  if (Capture* const capture = shared_.capture.load(std::memory_order_relaxed)) {
    capture->main_tap().dropped(frame_of(held.get()), fate, true);
  }
  if (reason == Reason::kNextHopUnresolved && tag.generation == generation_) {
    stack_->report_unresolved(fate, frame_of(held.get()), now_);
  }
}

}  // namespace meiguan::runtime
