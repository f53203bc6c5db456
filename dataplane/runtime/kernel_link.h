#pragma once

// What the kernel says of a network interface, and the few settings of it that the gateway needs
// where a port takes its frames from the kernel (af_xdp, af_packet). Asked by ioctl, in the network
// namespace of this process; /sys may show another one's.

#include <cstdint>
#include <optional>
#include <string>

#include "dataplane/net/address.h"

namespace meiguan::runtime::kernel_link {

struct State {
  bool up{false};       // switched on
  bool carrier{false};  // and something is at the other end
  std::uint16_t mtu{0};
  net::MacAddress mac{};
  std::uint32_t queues{1};  // combined channels in use
};

// Nothing where there is no such interface.
[[nodiscard]] std::optional<State> look(const std::string& interface);

// The kernel's number of the interface: another one where it was deleted and made again; 0: none.
[[nodiscard]] unsigned index(const std::string& interface);

// Each returns false, with errno set, where the kernel refuses.
[[nodiscard]] bool bring_up(const std::string& interface);
[[nodiscard]] bool stop_arp(const std::string& interface);
[[nodiscard]] bool set_mtu(const std::string& interface, std::uint16_t mtu);
[[nodiscard]] bool set_mac(const std::string& interface, const net::MacAddress& mac);

// Frames must reach the gateway as they were on the wire: not merged (GRO, LRO), and with their
// VLAN tag in its place where `keep_tags` (a tag that the device took off is lost to AF_XDP).
// Best effort; what a device cannot switch is left.
void keep_frames_whole(const std::string& interface, bool keep_tags);

}  // namespace meiguan::runtime::kernel_link
