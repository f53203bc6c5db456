#pragma once

// The sockets by which DPDK's net_af_packet takes the frames of one interface. Frames that they had
// no room for are counted by the kernel alone: the driver does not ask (DPDK 22.11).

#include <cstdint>
#include <vector>

namespace meiguan::runtime {

class PacketSockets {
 public:
  // Those of this process that are bound to the interface of that number (packet(7)).
  void find(unsigned interface);
  // Before they are closed.
  void forget() noexcept { sockets_.clear(); }

  // Frames that found no room, since the first find(); those of sockets that are forgotten count on
  // as far as they were asked for. Nobody else may ask the kernel: each answer begins anew
  // (PACKET_STATISTICS).
  [[nodiscard]] std::uint64_t dropped() noexcept;
  [[nodiscard]] std::size_t size() const noexcept { return sockets_.size(); }

 private:
  std::vector<int> sockets_;  // the driver's own
  std::uint64_t dropped_{0};
};

}  // namespace meiguan::runtime
