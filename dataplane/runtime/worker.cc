#include "dataplane/runtime/worker.h"

#include <rte_ethdev.h>
#include <rte_pause.h>
#include <rte_prefetch.h>
#include <sys/prctl.h>

#include <algorithm>
#include <cstring>
#include <ctime>

#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"
#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/interfaces.h"
#include "dataplane/runtime/packet.h"

namespace meiguan::runtime {
namespace {

// So many empty rounds go by before a worker whose frames come through the kernel sleeps: about as
// long as a burst in the middle of a transfer keeps one waiting.
constexpr unsigned kSpins = 256;
constexpr unsigned kShortSleeps = 2000;
constexpr long kShortSleepNs = 50'000;
constexpr long kLongSleepNs = 100'000;

// Whether a frame that a promiscuous device shows us is meant for us at all: it is sent to our MAC
// or to a group, and not our own coming back.
bool is_for_us(const rte_mbuf* packet, const net::MacAddress& mac) noexcept {
  if (packet->data_len < sizeof(net::EthernetHeader)) return true;  // the pipeline counts it
  const auto* destination = rte_pktmbuf_mtod(packet, const std::uint8_t*);
  const auto* source = destination + mac.size();
  const bool to_us = (destination[0] & 1) != 0 ||
                     std::memcmp(destination, mac.data(), mac.size()) == 0;
  return to_us && std::memcmp(source, mac.data(), mac.size()) != 0;
}

// ARP, and the two messages of neighbour discovery that find next hops.
bool is_discovery(std::span<const std::uint8_t> frame) noexcept {
  net::Reader reader{frame};
  net::EthernetHeader ethernet;
  if (!reader.read(ethernet)) return false;
  net::BigEndian<std::uint16_t> type = ethernet.type;
  if (net::VlanTag tag; type.host() == net::ether_type::kVlan) {
    if (!reader.read(tag)) return false;
    type = tag.type;
  }
  if (type.host() == net::ether_type::kArp) return true;
  net::Ipv6Header ip;
  net::IcmpHeader icmp;
  return type.host() == net::ether_type::kIpv6 && reader.read(ip) &&
         ip.next_header == net::protocol::kIcmp6 && reader.read(icmp) &&
         (icmp.type == net::icmp6::kNeighbourSolicitation ||
          icmp.type == net::icmp6::kNeighbourAdvertisement);
}

}  // namespace

Worker::Worker(unsigned number, unsigned workers, Shared& shared, fastpath::CounterBlock counters,
               fastpath::EventRing* events, const fastpath::NeighbourTable& neighbours,
               std::uint32_t flow_capacity, const fastpath::FragmentOptions& fragments)
    : number_{number},
      workers_{workers},
      shared_{shared},
      counters_{counters},
      pipeline_{fastpath::PipelineOptions{.flow_capacity = flow_capacity,
                                          .fragments = fragments,
                                          .workers = workers,
                                          .worker = number},
                counters, events, &neighbours} {
  link_up_.resize(shared.devices.size(), true);
  may_sleep_ = true;
  for (std::uint16_t d = 0; d < shared.devices.size(); ++d) {
    Device& device = *shared.devices[d];
    may_sleep_ = may_sleep_ && device.through_kernel();
    for (std::uint16_t q = 0; q < device.receive_queues(); ++q) {
      // Devices of one queue each are spread over the workers.
      if ((d + q) % workers == number) sources_.push_back({d, q});
    }
    const std::uint16_t queues = std::max<std::uint16_t>(device.transmit_queues(), 1);
    transmits_.emplace_back(device, static_cast<std::uint16_t>(number % queues), queues < workers,
                            counters);
  }
}

void Worker::run() {
  // Short sleeps are to be short.
  ::prctl(PR_SET_TIMERSLACK, 1UL);
  ::rte_rcu_qsbr_thread_register(shared_.qsbr, number_);
  ::rte_rcu_qsbr_thread_online(shared_.qsbr, number_);
  unsigned idle = 0;
  while (!shared_.stop.load(std::memory_order_relaxed)) {
    const InForce& in_force = *shared_.in_force.load(std::memory_order_acquire);
    if (in_force.generation != generation_) [[unlikely]]
      begin(in_force);
    Capture* const capture = shared_.capture.load(std::memory_order_acquire);
    tap_ = capture != nullptr ? &capture->tap(number_) : nullptr;
    pipeline_.set_blocks(&in_force.blocked,
                         in_force.blocks ? in_force.blocks->hits(number_)
                                         : std::span<fastpath::Counter>{},
                         in_force.block_revision);
    const fastpath::Tick now = monotonic_ms();
    const unsigned got = poll(in_force, now);
    for (Transmit& transmit : transmits_) transmit.flush();
    pipeline_.expire(now);
    deliver_released(in_force);
    mailbox_.serve(pipeline_);
    if (const bool trace = shared_.trace.load(std::memory_order_relaxed); trace != tracing_) {
      tracing_ = trace;
      pipeline_.set_trace(trace);
    }
    // Nothing of the image is held from here on.
    ::rte_rcu_qsbr_quiescent(shared_.qsbr, number_);
    idle = got != 0 ? 0 : idle + 1;
    if (idle != 0) rest(idle);
  }
  tap_ = nullptr;
  pipeline_.end_all(monotonic_ms(), fastpath::FlowEnd::kShutdown);
  deliver_released(*shared_.in_force.load(std::memory_order_acquire));
  ::rte_rcu_qsbr_thread_offline(shared_.qsbr, number_);
  ::rte_rcu_qsbr_thread_unregister(shared_.qsbr, number_);
}

void Worker::begin(const InForce& in_force) noexcept {
  generation_ = in_force.generation;
  for (std::size_t i = 0; i < in_force.macs.size(); ++i) {
    pipeline_.set_port_mac(PortId{static_cast<std::uint16_t>(i)}, in_force.macs[i]);
    // Ports may have moved to other devices: their links are looked at again.
    pipeline_.set_port_up(PortId{static_cast<std::uint16_t>(i)}, true);
  }
  std::fill(link_up_.begin(), link_up_.end(), true);
}

unsigned Worker::poll(const InForce& in_force, fastpath::Tick now) noexcept {
  unsigned got = 0;
  std::array<rte_mbuf*, kReceive> packets;
  for (const Source& source : sources_) {
    if (!shared_.devices[source.device]->is_open()) [[unlikely]]
      continue;
    const std::uint16_t count = ::rte_eth_rx_burst(shared_.devices[source.device]->id(),
                                                   source.queue, packets.data(), kReceive);
    if (count == 0) continue;
    got += count;
    take(in_force, source.device, {packets.data(), count});
    // There is always room for one more burst.
    if (batched_ > kBatch - kReceive) judge(in_force, now);
  }
  if (workers_ > 1) {
    const unsigned count = ::rte_ring_sc_dequeue_burst(shared_.handovers[number_],
                                                       reinterpret_cast<void**>(packets.data()),
                                                       kReceive, nullptr);
    got += count;
    for (unsigned i = 0; i < count; ++i) {
      batch_[batched_] = packets[i];
      batch_device_[batched_++] = packets[i]->port;
    }
  }
  if (batched_ != 0) judge(in_force, now);
  if (number_ == 0) send_own_frames();
  return got;
}

void Worker::take(const InForce& in_force, std::uint16_t device,
                  std::span<rte_mbuf*> packets) noexcept {
  const Device& from = *shared_.devices[device];
  for (rte_mbuf* packet : packets) ::rte_prefetch0(data_of(packet));
  for (rte_mbuf* packet : packets) {
    if (packet->nb_segs > 1 && ::rte_pktmbuf_linearize(packet) != 0) {
      // No buffer is that large, so neither is the MTU of any port.
      drop(packet, in_force.port_of_device[device], fastpath::Reason::kTooBig);
      continue;
    }
    if (from.hears_others() && !is_for_us(packet, from.mac())) {
      drop(packet, in_force.port_of_device[device], fastpath::Reason::kFrameOtherHost);
      continue;
    }
    // Offload flags of the receiving device mean nothing to the sending one.
    packet->ol_flags = 0;
    if (workers_ > 1) {
      packet->port = device;
      const unsigned owner = fastpath::Pipeline::owner(in_force.image(), frame_of(packet),
                                                       in_force.port_of_device[device], workers_);
      if (owner != number_) {
        hand_over(packet, owner, in_force.port_of_device[device]);
        continue;
      }
    }
    batch_[batched_] = packet;
    batch_device_[batched_++] = device;
  }
}

void Worker::drop(rte_mbuf* packet, PortId in, fastpath::Reason reason) noexcept {
  fastpath::Fate fate;
  fate.in = in;
  fate.reason = reason;
  fastpath::count_packet(counters_, fate, packet->pkt_len);
  if (tap_ != nullptr) tap_->dropped(frame_of(packet), fate, false);
  ::rte_pktmbuf_free(packet);
}

void Worker::look_at_links(const InForce& in_force) noexcept {
  for (std::size_t device = 0; device < link_up_.size(); ++device) {
    const bool up = shared_.devices[device]->up();
    if (up == link_up_[device]) continue;
    link_up_[device] = up;
    for (std::size_t i = 0; i < in_force.device_of_port.size(); ++i) {
      if (in_force.device_of_port[i] == device) {
        pipeline_.set_port_up(PortId{static_cast<std::uint16_t>(i)}, up);
      }
    }
  }
}

void Worker::judge(const InForce& in_force, fastpath::Tick now) noexcept {
  look_at_links(in_force);
  const std::size_t count = std::exchange(batched_, 0);
  for (std::size_t i = 0; i < count; ++i) {
    frames_[i] = {data_of(batch_[i]), batch_[i]->data_len,
                  in_force.port_of_device[batch_device_[i]], batch_[i]};
  }
  if (tap_ != nullptr) [[unlikely]]
    tap_->before({frames_.data(), count});
  pipeline_.process(in_force.image(), in_force.moment, in_force.generation, now,
                    {frames_.data(), count}, {fates_.data(), count});
  if (tap_ != nullptr) [[unlikely]]
    tap_->after({frames_.data(), count}, {fates_.data(), count});
  for (std::size_t i = 0; i < count; ++i) deliver(in_force, batch_[i], frames_[i], fates_[i]);
  deliver_released(in_force);
}

void Worker::deliver(const InForce& in_force, rte_mbuf* packet, const fastpath::Frame& frame,
                     const fastpath::Fate& fate) noexcept {
  switch (fate.step) {
    [[likely]] case fastpath::NextStep::kSend : put_frame(packet, frame);
    transmits_[in_force.device_of_port[fate.out.index()]].add(packet, fate.out);
    break;
    case fastpath::NextStep::kAnswer:
      put_frame(packet, frame);
      transmits_[in_force.device_of_port[fate.in.index()]].add(packet, fate.in);
      break;
    case fastpath::NextStep::kResolve:
    case fastpath::NextStep::kConsume:
    case fastpath::NextStep::kReport: {
      const std::uint32_t received = packet->pkt_len;
      put_frame(packet, frame);
      raise(in_force, packet, fate, received);
      break;
    }
    case fastpath::NextStep::kDrop: ::rte_pktmbuf_free(packet); break;
    case fastpath::NextStep::kHold: break;  // the pipeline has it
    case fastpath::NextStep::kHandOver: hand_over(packet, fate.owner, fate.in); break;
  }
}

void Worker::deliver_released(const InForce& in_force) noexcept {
  while (const std::size_t count = pipeline_.released(frames_, fates_)) {
    if (tap_ != nullptr) tap_->released({frames_.data(), count}, {fates_.data(), count});
    for (std::size_t i = 0; i < count; ++i) {
      deliver(in_force, static_cast<rte_mbuf*>(frames_[i].handle), frames_[i], fates_[i]);
    }
  }
}

void Worker::hand_over(rte_mbuf* packet, unsigned owner, PortId in) noexcept {
  if (::rte_ring_mp_enqueue(shared_.handovers[owner], packet) == 0) {
    counters_.totals().handovers.add(1);
  } else {
    drop(packet, in, fastpath::Reason::kHandoverFull);
  }
}

bool Worker::may_raise(rte_mbuf* packet, const fastpath::Fate& fate) noexcept {
  if (fate.step != fastpath::NextStep::kConsume || is_discovery(frame_of(packet))) return true;
  const unsigned room = ::rte_ring_get_capacity(shared_.exceptions);
  return ::rte_ring_free_count(shared_.exceptions) > room / 2 && consumed_.take(monotonic_ms());
}

void Worker::raise(const InForce& in_force, rte_mbuf* packet, const fastpath::Fate& fate,
                   std::uint32_t frame_bytes) noexcept {
  tag_of(packet) = {fate, in_force.generation, frame_bytes};
  if (may_raise(packet, fate) && ::rte_ring_mp_enqueue(shared_.exceptions, packet) == 0) return;
  if (fate.step == fastpath::NextStep::kResolve) {
    // The one kind that is not counted yet.
    fastpath::Fate lost = fate;
    lost.reason = fastpath::Reason::kExceptionFull;
    fastpath::count_packet(counters_, lost, frame_bytes);
    if (tap_ != nullptr) tap_->dropped(frame_of(packet), lost, true);
  } else {
    counters_.totals().exceptions_lost.add(1);
  }
  ::rte_pktmbuf_free(packet);
}

void Worker::send_own_frames() noexcept {
  std::array<rte_mbuf*, kReceive> packets;
  const unsigned count = ::rte_ring_sc_dequeue_burst(shared_.own_frames,
                                                     reinterpret_cast<void**>(packets.data()),
                                                     kReceive, nullptr);
  for (unsigned i = 0; i < count; ++i) {
    const PacketTag& tag = tag_of(packets[i]);
    if (tap_ != nullptr) tap_->sent(frame_of(packets[i]), tag.fate);
    transmits_[tag.device].add(packets[i], tag.fate.out);
  }
}

void Worker::rest(unsigned& idle) const noexcept {
  if (!may_sleep_ || idle < kSpins) {
    ::rte_pause();
    return;
  }
  const bool long_idle = idle > kSpins + kShortSleeps;
  if (long_idle) idle = kSpins + kShortSleeps;  // stays there, and does not overflow
  const timespec time{0, long_idle ? kLongSleepNs : kShortSleepNs};
  ::clock_nanosleep(CLOCK_MONOTONIC, 0, &time, nullptr);
}

}  // namespace meiguan::runtime
