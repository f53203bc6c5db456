#pragma once

// The ICMP and ICMPv6 messages that the gateway itself sends, as whole IP packets over byte spans.
// Pure functions: whose address they bear, how often they go out and by which port is the caller's.

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/net/address.h"

namespace meiguan::net {

enum class IcmpProblem : std::uint8_t {
  kTimeExceeded,  // TTL or hop limit used up
  kTooBig,        // `mtu` says what would fit
  kNoRoute,
  kHostUnreachable,  // the next hop does not answer
  kProhibited,       // by policy
};

// Room that any error of the family fits: RFC 1812 section 4.3.2.3 (576 bytes), RFC 4443 section
// 2.4 (c) (the least MTU of IPv6).
inline constexpr std::size_t kMostIcmpErrorBytes = 576;
inline constexpr std::size_t kMostIcmp6ErrorBytes = 1280;

// Whether a packet (from its IP header on) may be answered by an error at all: not an ICMP error
// itself or a redirect, not a later fragment, not from or to what is no single host (RFC 1812
// section 4.3.2.7, RFC 4443 section 2.4 (e)). A packet that is cut or malformed may not. A Packet
// Too Big answers packets to multicast groups too; this gateway forwards none.
[[nodiscard]] bool may_answer_with_error(std::span<const std::uint8_t> packet) noexcept;

// Writes the error about `packet`, to its source and from `source` (of the same family), quoting as
// much as fits. Returns its length; 0 where `out` has no room for it or `packet` may not be
// answered.
[[nodiscard]] std::size_t build_icmp_error(std::span<std::uint8_t> out, IcmpProblem problem,
                                           std::uint32_t mtu, const Address& source,
                                           std::span<const std::uint8_t> packet) noexcept;

// Turns an echo request (from its IP header on) into its reply in place, with a new TTL. False, and
// nothing is changed, where it is none, its checksum is wrong or extension headers stand in
// between.
[[nodiscard]] bool make_echo_reply(std::span<std::uint8_t> packet) noexcept;

}  // namespace meiguan::net
