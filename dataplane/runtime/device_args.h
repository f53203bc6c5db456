#pragma once

// From the `device` of a gateway file to the device that DPDK is asked for. Pure.

#include <cstdint>
#include <string>
#include <string_view>

#include "dataplane/image/format.h"
#include "dataplane/runtime/failure.h"

namespace meiguan::runtime {

struct DeviceArgs {
  std::string bus;   // "vdev" or "pci"
  std::string name;  // of the device on its bus, such as net_af_packet0
  std::string arguments;
  bool operator==(const DeviceArgs&) const = default;
};

struct DeviceRequest {
  image::DeviceKind kind{};
  std::string target;  // behind the kind's name: an interface, an address, or arguments
  unsigned index{0};   // makes the device's name its own
  unsigned queues{1};
  std::uint16_t mtu{1500};
};

// `device` as it stands in the image ("af_packet:eth1" or "eth1" alike).
[[nodiscard]] std::string device_target(std::string_view device);

// Errors: an empty target, a name that the kernel cannot have, a device that is not for packets.
[[nodiscard]] Outcome<DeviceArgs> device_args(const DeviceRequest& request);

// Bytes of an Ethernet frame with one VLAN tag that carries `mtu` bytes.
[[nodiscard]] constexpr std::uint32_t frame_bytes(std::uint16_t mtu) noexcept {
  return std::uint32_t{mtu} + 14 + 4;
}

// The room that a packet buffer needs for a port of that MTU: a ring frame of AF_PACKET is copied
// into one buffer, so it is as large as such a frame. A power of two, at least 2048.
[[nodiscard]] std::uint32_t buffer_room(std::uint16_t mtu) noexcept;

}  // namespace meiguan::runtime
