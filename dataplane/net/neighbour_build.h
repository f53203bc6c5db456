#pragma once

// ARP (RFC 826) and neighbour discovery (RFC 4861) as whole Ethernet frames.

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/link.h"

namespace meiguan::net {

// Room that each of these frames fits, with a VLAN tag.
inline constexpr std::size_t kMostNeighbourFrameBytes = 128;

// All of them return the frame's length, or 0 where `out` has no room. Short frames are for the
// device to pad.
[[nodiscard]] std::size_t build_ethernet(std::span<std::uint8_t> out, const Link& link,
                                         std::uint16_t type) noexcept;

// "Who has `target`? Tell `sender`." To all, or to `link.destination` where it is not zero (a probe
// of a known neighbour, RFC 1122 section 2.3.2.1).
[[nodiscard]] std::size_t build_arp_request(std::span<std::uint8_t> out, const Link& link,
                                            const Address& sender, const Address& target) noexcept;
// "`sender` is at `link.source`", told to the station that asked.
[[nodiscard]] std::size_t build_arp_reply(std::span<std::uint8_t> out, const Link& link,
                                          const Address& sender, const Address& target) noexcept;

// To the solicited-node group of `target`, or to itself where `link.destination` is not zero.
[[nodiscard]] std::size_t build_neighbour_solicitation(std::span<std::uint8_t> out,
                                                       const Link& link, const Address& source,
                                                       const Address& target) noexcept;
// "`target` is at `link.source`", a router's. Where `destination` is the unspecified address the
// question was duplicate address detection: the answer goes to all nodes, unsolicited.
[[nodiscard]] std::size_t build_neighbour_advertisement(std::span<std::uint8_t> out,
                                                        const Link& link, const Address& target,
                                                        const Address& destination) noexcept;

// ff02::1:ffXX:XXXX and its MAC (RFC 4291 section 2.7.1, RFC 2464 section 7).
[[nodiscard]] Address solicited_node(const Address& target) noexcept;
[[nodiscard]] MacAddress multicast_mac(const Address& group) noexcept;

}  // namespace meiguan::net
