#pragma once

// The Internet checksum (RFC 1071) and its incremental update (RFC 1624).

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
[[nodiscard]] Be16 finish_checksum(std::uint64_t sum) noexcept;

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
  std::uint32_t words[5];
  static_assert(sizeof words == sizeof header);
  std::memcpy(words, &header, sizeof words);
  std::uint64_t sum = 0;
  for (const std::uint32_t word : words) sum += word;
  sum = (sum & 0xffff'ffff) + (sum >> 32);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  sum = (sum & 0xffff) + (sum >> 16);
  return sum == 0xffff;
}

}  // namespace meiguan::net
