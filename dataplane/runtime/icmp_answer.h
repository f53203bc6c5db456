#pragma once

// What the gateway says by ICMP and ICMPv6: echo replies, and why a packet did not pass, as whole
// frames. Pure; how often it is said is decided elsewhere. net/icmp_build.h makes the packets.

#include <cstdint>
#include <span>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/net/icmp_build.h"
#include "dataplane/runtime/discovery.h"
#include "dataplane/runtime/interfaces.h"

namespace meiguan::runtime {

// The IP packet in a frame, without padding; `info` is the frame's own.
[[nodiscard]] std::span<const std::uint8_t> packet_in(const fastpath::PacketInfo& info,
                                                      std::span<const std::uint8_t> frame) noexcept;

// The reply to an echo request that came in on `in`, for the station `to` that sent it; empty where
// `packet` is no echo request with the right checksum.
[[nodiscard]] FrameBytes build_echo_reply(const Interface& in, const net::MacAddress& to,
                                          const fastpath::PacketInfo& info,
                                          std::span<const std::uint8_t> packet);

// The error about `packet`, to leave by `out` for the station `to` (zero: yet to be found); `mtu`
// is of "too big". Empty where nothing may be said (net::may_answer_with_error), or `out` has no
// address to speak from.
[[nodiscard]] FrameBytes build_error(const Interface& out, const net::MacAddress& to,
                                     const fastpath::PacketInfo& info,
                                     std::span<const std::uint8_t> packet, net::IcmpProblem problem,
                                     std::uint32_t mtu);

}  // namespace meiguan::runtime
