#pragma once

// What the kernel says of its routes and links, by rtnetlink (RFC 3549, rtnetlink(7)): from bytes
// to facts, and nothing of sockets. A message that is cut short, or has lengths that do not fit,
// says nothing; what it says beyond what is asked here is passed over.

#include <linux/netlink.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "dataplane/net/address.h"

namespace meiguan::runtime {

struct KernelMessage {
  nlmsghdr header{};
  std::span<const std::byte> body;  // behind the header
};

// Takes the first message off `bytes`; nothing where there is none that is whole.
[[nodiscard]] std::optional<KernelMessage> take_message(std::span<const std::byte>& bytes);

struct KernelHop {
  std::uint32_t interface { 0 };  // of the kernel's numbering
  std::optional<net::Address> via;
};

// A route to hosts, with the next hops that are not dead, in the kernel's order.
struct KernelRoute {
  net::Prefix prefix;
  std::uint32_t table{0};
  std::uint32_t metric{0};  // the lowest holds
  std::vector<KernelHop> hops;
};

enum class RouteReading : std::uint8_t {
  kRoute,
  // Of no concern: the kernel's own (connected, local, groups), learned from whoever advertises or
  // redirects on the link (RFC 4861), a cached one, or one that leads nowhere.
  kPassed,
  // By type of service or source, with an encapsulation, to a next hop of the other family, or by a
  // nexthop object that the message does not spell out (net.ipv4.nexthop_compat_mode = 0).
  kUnsupported,
  kMalformed,
};
// `body` is that of an RTM_NEWROUTE; `route` is written where the answer is kRoute.
[[nodiscard]] RouteReading read_route(std::span<const std::byte> body, KernelRoute& route);

struct KernelLink {
  std::uint32_t index{0};
  std::string name;
  std::uint32_t master{0};     // 0: none
  std::uint32_t vrf_table{0};  // of a VRF; 0: it is none
};
// `body` is that of an RTM_NEWLINK.
[[nodiscard]] std::optional<KernelLink> read_link(std::span<const std::byte> body);

}  // namespace meiguan::runtime
