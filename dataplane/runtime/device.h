#pragma once

// A main port's device: from the image's words to an Ethernet port of DPDK that runs.

#include <rte_mempool.h>
#include <rte_spinlock.h>

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dataplane/image/format.h"
#include "dataplane/net/address.h"
#include "dataplane/runtime/device_args.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/packet_sockets.h"

namespace meiguan::runtime {

class Device {
 public:
  struct Wanted {
    std::string port;  // its name, for messages
    image::DeviceKind kind{};
    std::string target;
    bool has_mac{false};
    net::MacAddress mac{};
    std::uint16_t mtu{1500};  // the largest of the port's and its sub-ports'
    bool has_sub_ports{false};
    unsigned index{0};
    unsigned workers{1};
  };

  // Creates the device, sets it up with up to a queue for each worker, and starts it. AF_XDP falls
  // back to AF_PACKET, with a warning, where the kernel or the driver refuses.
  [[nodiscard]] static Outcome<std::unique_ptr<Device>> open(const Wanted& wanted,
                                                             rte_mempool* pool);
  // What can be said without creating anything: a known interface, a sensible name.
  [[nodiscard]] static Outcome<void> check(const Wanted& wanted);
  // Its kernel interface is gone, or another one has taken its name: nothing more comes or goes by
  // it. Always false of a device that has none.
  [[nodiscard]] bool lost() const;
  // Of a lost device, in this order: shut() ends its use at once, and when no worker can still be
  // in a burst of it, release() lets it go; open_again() takes the interface of that name, with the
  // MAC of before. An error leaves it shut, to be tried again.
  void shut() noexcept;
  void release() noexcept { destroy(); }
  [[nodiscard]] Outcome<void> open_again(rte_mempool* pool);
  // Whether workers may ask it for frames.
  [[nodiscard]] bool is_open() const noexcept { return open_.load(std::memory_order_acquire); }
  // Stops the device, closes it and takes it off its bus.
  ~Device();
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  [[nodiscard]] const Wanted& wanted() const noexcept { return wanted_; }
  [[nodiscard]] std::uint16_t id() const noexcept { return id_; }  // of the DPDK port
  [[nodiscard]] const net::MacAddress& mac() const noexcept { return mac_; }
  [[nodiscard]] std::uint16_t receive_queues() const noexcept { return receive_queues_; }
  [[nodiscard]] std::uint16_t transmit_queues() const noexcept { return transmit_queues_; }
  // Frames come through the kernel, so that a worker may sleep while there are none.
  [[nodiscard]] bool through_kernel() const noexcept { return through_kernel_; }
  // No hardware filters frames for other stations.
  [[nodiscard]] bool hears_others() const noexcept { return through_kernel_ || promiscuous_; }

  // Before the machine has addresses of its own behind this port: where the kernel sees the port's
  // frames as well (af_packet), its interface gets another MAC and no ARP, so that it takes none of
  // them past the gateway. False, with errno, where the kernel refuses.
  [[nodiscard]] bool step_aside();
  // Asks the link's state again; logs where it has changed. The main thread's.
  void watch_link();
  [[nodiscard]] bool up() const noexcept { return up_.load(std::memory_order_relaxed); }
  struct Statistics {
    std::uint64_t missed{0};  // frames that the device, or the kernel for it, had no room for
    std::uint64_t errors{0};
  };
  [[nodiscard]] Statistics statistics() noexcept;  // the main thread's

  // Where workers have to share a transmit queue they take this first.
  [[nodiscard]] rte_spinlock_t& transmit_lock() noexcept { return transmit_lock_; }

 private:
  explicit Device(const Wanted& wanted) : wanted_{wanted} {}
  [[nodiscard]] Outcome<void> prepare_interface();
  [[nodiscard]] Outcome<void> create(image::DeviceKind kind);
  [[nodiscard]] Outcome<void> set_up(rte_mempool* pool);
  [[nodiscard]] Outcome<void> set_up_address();
  void destroy() noexcept;

  Wanted wanted_;
  image::DeviceKind kind_{};  // in use; AF_PACKET where AF_XDP was refused
  DeviceArgs args_;
  bool created_{false};
  bool started_{false};
  std::uint16_t id_{0};
  net::MacAddress mac_{};
  std::uint16_t receive_queues_{0};
  std::uint16_t transmit_queues_{0};
  bool through_kernel_{false};
  bool promiscuous_{false};  // hardware that has no filter for multicast
  bool aside_{false};        // see step_aside()
  unsigned interface_{0};    // of the kernel's numbering, where it has one
  PacketSockets sockets_;    // with AF_PACKET
  std::atomic<bool> open_{true};
  std::atomic<bool> up_{true};
  rte_spinlock_t transmit_lock_ = RTE_SPINLOCK_INITIALIZER;
};

// Packet buffers that a device keeps for itself, for the size of the pool.
[[nodiscard]] std::uint32_t buffers_of(const Device::Wanted& wanted) noexcept;

}  // namespace meiguan::runtime
