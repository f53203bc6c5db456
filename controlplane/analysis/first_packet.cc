#include "controlplane/analysis/first_packet.h"

#include <algorithm>
#include <array>

#include "dataplane/net/wire.h"

namespace meiguan::analysis {
namespace {

namespace protocol = net::protocol;
using net::Family;

constexpr std::uint32_t key_of(std::uint8_t number, std::uint16_t value) {
  return std::uint32_t{number} << 16 | value;
}

constexpr std::array<std::uint32_t, 9> kKnown{key_of(protocol::kTcp, 443),
                                              key_of(protocol::kTcp, 80),
                                              key_of(protocol::kTcp, 8080),
                                              key_of(protocol::kTcp, 22),
                                              key_of(protocol::kTcp, 1),
                                              key_of(protocol::kUdp, 53),
                                              key_of(protocol::kUdp, 1),
                                              key_of(protocol::kIcmp, net::icmp::kEchoRequest),
                                              key_of(protocol::kIcmp6, net::icmp6::kEchoRequest)};

// The first value at or after `value` that a first packet of the protocol may have; past 16 bits
// where there is none.
std::uint32_t next_value(Family family, std::uint8_t number, std::uint32_t value) {
  constexpr std::uint32_t kNone = 0x1'0000;
  const auto first_of = [&](std::initializer_list<std::uint8_t> types) {
    for (const std::uint8_t type : types) {
      if (type >= value) return std::uint32_t{type};
    }
    return kNone;
  };
  const bool v6 = family == Family::kIpv6;
  switch (number) {
    case protocol::kTcp:
    case protocol::kUdp:
    case protocol::kSctp: return std::max(value, std::uint32_t{1});
    case protocol::kIcmp:
      return v6 ? kNone
                : first_of({net::icmp::kEchoRequest, net::icmp::kTimestampRequest,
                            net::icmp::kInformationRequest});
    case protocol::kIcmp6: return v6 ? first_of({net::icmp6::kEchoRequest}) : kNone;
    case protocol::kHopByHop:
    case protocol::kRouting:
    case protocol::kFragment:
    case protocol::kDestinationOptions: return v6 || value > 0 ? kNone : 0;
    default: return value > 0 ? kNone : 0;
  }
}

}  // namespace

bool is_first_packet_key(Family family, std::uint32_t key) noexcept {
  const std::uint32_t value = key & 0xffff;
  return next_value(family, static_cast<std::uint8_t>(key >> 16), value) == value;
}

std::optional<std::uint32_t> first_packet_key(Family family, std::uint32_t first,
                                              std::uint32_t end) noexcept {
  for (const std::uint32_t key : kKnown) {
    if (first <= key && key < end && is_first_packet_key(family, key)) return key;
  }
  for (std::uint32_t key = first; key < end; key = (key | 0xffff) + 1) {
    const std::uint32_t value = next_value(family, static_cast<std::uint8_t>(key >> 16),
                                           key & 0xffff);
    if (value > 0xffff) continue;
    const std::uint32_t found = (key & ~std::uint32_t{0xffff}) | value;
    if (found < end) return found;
  }
  return std::nullopt;
}

}  // namespace meiguan::analysis
