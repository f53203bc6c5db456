#pragma once

// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

#include <bit>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/net/address.h"
#include "dataplane/net/byte_order.h"
#include "dataplane/net/wire.h"

namespace meiguan::net {

// The one's complement sum of `bytes` as 16-bit words in the order of the machine (RFC 1071
// section 2.B: the sum does not depend on it), not yet folded; an odd last byte is padded with
// zero.
[[nodiscard]] std::uint64_t sum_words(std::span<const std::uint8_t> bytes,
                                      std::uint64_t sum = 0) noexcept;

// The sum folded to 16 bits and complemented: what stands in a header.
[[nodiscard]] inline Be16 finish_checksum(std::uint64_t sum) noexcept {
  // Once 64 bits to 32 and a carry, then 32 to 16 and a carry; each fold keeps the value mod 65535.
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return std::bit_cast<Be16>(static_cast<std::uint16_t>(~sum));
}

[[nodiscard]] inline Be16 checksum(std::span<const std::uint8_t> bytes) noexcept {
  return finish_checksum(sum_words(bytes));
}

// The sum of the pseudo-header of TCP, UDP and ICMPv6 (RFC 9293 section 3.1, RFC 8200 section 8.1).
// `family` is the packet's: an IPv6 header may hold what reads as an IPv4 address.
[[nodiscard]] std::uint64_t sum_pseudo_header(Family family, const Address& source,
                                              const Address& destination, std::uint8_t protocol,
                                              std::uint32_t length) noexcept;

// The checksum of a header in which the 16-bit word `before` has become `after` (RFC 1624 eqn. 3).
[[nodiscard]] constexpr Be16 update_checksum(Be16 checksum, Be16 before, Be16 after) noexcept {
  std::uint32_t sum = static_cast<std::uint16_t>(~checksum.host());
  sum += static_cast<std::uint16_t>(~before.host());
  sum += after.host();
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return Be16::from_host(static_cast<std::uint16_t>(~sum));
}

// Whether the 20 bytes of a header without options carry the right checksum.
[[nodiscard]] inline bool checksum_holds(const Ipv4Header& header) noexcept {
  // Words of any size do (RFC 1071 section 2.C): each carry is added in again at the low end.
  std::uint64_t first;
  std::uint64_t second;
  std::uint32_t third;
  static_assert(sizeof first + sizeof second + sizeof third == sizeof header);
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(&header);
  std::memcpy(&first, bytes, sizeof first);
  std::memcpy(&second, bytes + 8, sizeof second);
  std::memcpy(&third, bytes + 16, sizeof third);
  std::uint64_t sum = first + second;
  sum += static_cast<std::uint64_t>(sum < second);
  sum += third;
  sum += static_cast<std::uint64_t>(sum < third);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

}  // namespace meiguan::net
