#pragma once

#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/net/address.h"

namespace meiguan::runtime {

// An allowed packet that waits for its next hop's MAC; whoever holds it owns it.
class HeldPacket {
 public:
  HeldPacket() = default;
  HeldPacket(const HeldPacket&) = delete;
  HeldPacket& operator=(const HeldPacket&) = delete;
  virtual ~HeldPacket() = default;
};

// Where the gateway's own protocols put what they send, and the packets they held. It keeps those
// protocols free of DPDK, so that their tests need none.
class Outlet {
 public:
  Outlet() = default;
  Outlet(const Outlet&) = delete;
  Outlet& operator=(const Outlet&) = delete;
  virtual ~Outlet() = default;

  // A frame of the gateway's own, complete with its VLAN tag, by the port or sub-port `out`.
  virtual void transmit(PortId out, std::span<const std::uint8_t> frame) = 0;
  // The same as a packet that can be held until its next hop's MAC is known; null where there is
  // no room. Its end is not counted, and nobody is told of it.
  [[nodiscard]] virtual std::unique_ptr<HeldPacket> own_packet(
      PortId out, std::span<const std::uint8_t> frame) = 0;
  // Whether the kernel has an interface of its own behind that port, and gives it a frame without
  // a tag; what it has no room for is lost.
  [[nodiscard]] virtual bool has_machine(PortId in) const = 0;
  virtual void to_machine(PortId in, std::span<const std::uint8_t> frame) = 0;
  // The next hop has answered: the packet goes on its way, and is counted.
  virtual void forward(std::unique_ptr<HeldPacket> packet, const net::MacAddress& next_hop) = 0;
  // It will not: the packet ends with `reason`, and is counted.
  virtual void give_up(std::unique_ptr<HeldPacket> packet, fastpath::Reason reason) = 0;
};

}  // namespace meiguan::runtime
