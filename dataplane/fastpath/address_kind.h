#pragma once

// What an address is by its value alone (policy.md section 5). Whether it is the gateway's own or
// the broadcast address of a connected subnet is in the image's routes.

#include <cstdint>

#include "dataplane/fastpath/reason.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

enum class AddressKind : std::uint8_t {
  kOrdinary,
  kPrivate,    // RFC 1918, RFC 6598, ULA: ordinary but on the internet
  kBroadcast,  // 255.255.255.255
  kMulticast,
  kLoopback,
  kUnspecified,
  kReserved,
  kLinkLocal,
};

[[nodiscard]] constexpr AddressKind kind_of_ipv4(std::uint32_t a) noexcept {
  const std::uint32_t first = a >> 24;
  if (first >= 224) {
    if (a == 0xffff'ffff) return AddressKind::kBroadcast;
    return first < 240 ? AddressKind::kMulticast : AddressKind::kReserved;
  }
  switch (first) {
    case 0: return a == 0 ? AddressKind::kUnspecified : AddressKind::kReserved;
    case 10: return AddressKind::kPrivate;
    case 100: return (a >> 22 & 3) == 1 ? AddressKind::kPrivate : AddressKind::kOrdinary;
    case 127: return AddressKind::kLoopback;
    case 169: return (a >> 16 & 0xff) == 254 ? AddressKind::kLinkLocal : AddressKind::kOrdinary;
    case 172: return (a >> 20 & 0xf) == 1 ? AddressKind::kPrivate : AddressKind::kOrdinary;
    case 192: return (a >> 16 & 0xff) == 168 ? AddressKind::kPrivate : AddressKind::kOrdinary;
    default: return AddressKind::kOrdinary;
  }
}

// Every unicast address outside 2000::/3 that has no name of its own is reserved, also the
// IPv4-mapped ones.
[[nodiscard]] constexpr AddressKind kind_of_ipv6(const net::Address& address) noexcept {
  const auto& b = address.bytes();
  if (b[0] >> 5 == 1) return AddressKind::kOrdinary;
  if (b[0] == 0xff) return AddressKind::kMulticast;
  if (b[0] >> 1 == 0xfc >> 1) return AddressKind::kPrivate;
  if (b[0] == 0xfe && b[1] >> 6 == 2) return AddressKind::kLinkLocal;
  for (std::size_t i = 0; i < 15; ++i) {
    if (b[i] != 0) return AddressKind::kReserved;
  }
  return b[15] == 0   ? AddressKind::kUnspecified
         : b[15] == 1 ? AddressKind::kLoopback
                      : AddressKind::kReserved;
}

// `family` is the packet's.
[[nodiscard]] constexpr AddressKind kind_of(net::Family family,
                                            const net::Address& address) noexcept {
  return family == net::Family::kIpv4 ? kind_of_ipv4(address.v4_value()) : kind_of_ipv6(address);
}

// Whether a packet to this address stays on its link by its nature: the limited broadcast,
// 224.0.0.0/24 (RFC 5771) and multicast of interface or link scope (RFC 4291 section 2.7).
[[nodiscard]] constexpr bool is_link_scope(net::Family family,
                                           const net::Address& address) noexcept {
  if (family == net::Family::kIpv4) {
    const std::uint32_t a = address.v4_value();
    return a == 0xffff'ffff || a >> 8 == 0xe0'0000;
  }
  const auto& b = address.bytes();
  return b[0] == 0xff && (b[1] & 0x0f) <= 2;
}

// The reason for a source of this kind; kAllowed where it may be. `kPrivate` is for the caller.
[[nodiscard]] constexpr Reason source_reason(AddressKind kind) noexcept {
  switch (kind) {
    case AddressKind::kBroadcast: return Reason::kSourceBroadcast;
    case AddressKind::kMulticast: return Reason::kSourceMulticast;
    case AddressKind::kLoopback: return Reason::kSourceLoopback;
    case AddressKind::kUnspecified: return Reason::kSourceUnspecified;
    case AddressKind::kReserved: return Reason::kSourceReserved;
    case AddressKind::kLinkLocal: return Reason::kSourceLinkLocal;
    case AddressKind::kOrdinary:
    case AddressKind::kPrivate: break;
  }
  return Reason::kAllowed;
}

[[nodiscard]] constexpr Reason destination_reason(AddressKind kind) noexcept {
  switch (kind) {
    case AddressKind::kBroadcast: return Reason::kDestinationBroadcast;
    case AddressKind::kMulticast: return Reason::kDestinationMulticast;
    case AddressKind::kLoopback: return Reason::kDestinationLoopback;
    case AddressKind::kUnspecified: return Reason::kDestinationUnspecified;
    case AddressKind::kReserved: return Reason::kDestinationReserved;
    case AddressKind::kLinkLocal: return Reason::kDestinationLinkLocal;
    case AddressKind::kOrdinary:
    case AddressKind::kPrivate: break;
  }
  return Reason::kAllowed;
}

}  // namespace meiguan::fastpath
