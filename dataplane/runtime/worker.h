#pragma once

// A worker: one thread on one core that takes frames from its receive queues, has the pipeline
// judge them, and sends them on. It never waits for anybody.
//
//   device queues --+                       +--> transmit by device
//   hand-over ring -+--> batch --> process -+--> exceptions --> main thread
//   main's ring ------------------------------> transmit
//
// With several workers every flow has one owner, Pipeline::owner; a frame
// that another one received is handed over by a ring.

#include <rte_mbuf.h>
#include <rte_rcu_qsbr.h>
#include <rte_ring.h>

#include <array>
#include <atomic>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/runtime/capture.h"
#include "dataplane/runtime/device.h"
#include "dataplane/runtime/in_force.h"
#include "dataplane/runtime/mailbox.h"
#include "dataplane/runtime/token_bucket.h"
#include "dataplane/runtime/transmit.h"

namespace meiguan::runtime {

// What the threads share. Rings and QSBR variable are owned by whoever made this.
struct Shared {
  std::atomic<const InForce*> in_force{nullptr};
  std::atomic<bool> stop{false};
  std::atomic<bool> trace{false};
  std::atomic<Capture*> capture{nullptr};  // freed when no worker looks at it any more
  rte_rcu_qsbr* qsbr{};
  rte_ring* exceptions{};            // workers -> main thread
  rte_ring* own_frames{};            // main thread -> worker 0: frames to send
  std::vector<rte_ring*> handovers;  // by worker; empty where there is but one
  std::vector<std::unique_ptr<Device>> devices;
};

class Worker {
 public:
  Worker(unsigned number, unsigned workers, Shared& shared, fastpath::CounterBlock counters,
         fastpath::EventRing* events, const fastpath::NeighbourTable& neighbours,
         std::uint32_t flow_capacity, const fastpath::FragmentOptions& fragments);

  // Runs until Shared::stop; then ends all flows. On the worker's own thread.
  void run();

  [[nodiscard]] FlowMailbox& mailbox() noexcept { return mailbox_; }

 private:
  static constexpr std::size_t kBatch = fastpath::kMaxBurst;
  static constexpr std::uint16_t kReceive = 32;

  struct Source {
    std::uint16_t device;  // place in Shared::devices
    std::uint16_t queue;
  };

  void begin(const InForce& in_force) noexcept;
  [[nodiscard]] unsigned poll(const InForce& in_force, fastpath::Tick now) noexcept;
  // Puts what a device gave into the batch, or hands it over to its owner.
  void take(const InForce& in_force, std::uint16_t device, std::span<rte_mbuf*> packets) noexcept;
  void drop(rte_mbuf* packet, PortId in, fastpath::Reason reason) noexcept;
  void judge(const InForce& in_force, fastpath::Tick now) noexcept;
  // Does with a frame what its fate says.
  void deliver(const InForce& in_force, rte_mbuf* packet, const fastpath::Frame& frame,
               const fastpath::Fate& fate) noexcept;
  // Delivers held frames whose fate has become known.
  void deliver_released(const InForce& in_force) noexcept;
  void hand_over(rte_mbuf* packet, unsigned owner, PortId in) noexcept;
  // Tells the pipeline which ports have lost or found their link.
  void look_at_links(const InForce& in_force) noexcept;
  // Whether the main thread shall have it: what a flood for the gateway itself could crowd out is
  // never kept waiting behind it.
  [[nodiscard]] bool may_raise(rte_mbuf* packet, const fastpath::Fate& fate) noexcept;
  void raise(const InForce& in_force, rte_mbuf* packet, const fastpath::Fate& fate,
             std::uint32_t frame_bytes) noexcept;
  void send_own_frames() noexcept;
  void rest(unsigned& idle) const noexcept;

  unsigned number_;
  unsigned workers_;
  Shared& shared_;
  fastpath::CounterBlock counters_;
  fastpath::Pipeline pipeline_;
  FlowMailbox mailbox_;
  std::vector<Source> sources_;
  std::vector<Transmit> transmits_;  // by device
  bool may_sleep_{false};
  bool tracing_{false};
  CaptureTap* tap_{nullptr};  // of this round; null: nobody captures
  std::uint32_t generation_{0};
  TokenBucket consumed_{50'000, 4'000};  // for the gateway itself, without discovery
  std::vector<bool> link_up_;            // by device, as the pipeline knows it

  std::size_t batched_{0};
  std::array<rte_mbuf*, kBatch> batch_{};
  std::array<std::uint16_t, kBatch> batch_device_{};
  std::array<fastpath::Frame, kBatch> frames_{};
  std::array<fastpath::Fate, kBatch> fates_{};
};

}  // namespace meiguan::runtime
