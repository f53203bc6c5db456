#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "dataplane/net/wire.h"

namespace meiguan::policy {

// The protocols that have a name of their own; all others are written `proto-NUMBER`.
inline constexpr std::array<std::pair<std::string_view, std::uint8_t>, 5> kProtocolNames{
    {{"tcp", net::protocol::kTcp},
     {"udp", net::protocol::kUdp},
     {"sctp", net::protocol::kSctp},
     {"icmp", net::protocol::kIcmp},
     {"icmp6", net::protocol::kIcmp6}}};

[[nodiscard]] constexpr std::optional<std::uint8_t> protocol_named(std::string_view text) {
  for (const auto& [name, number] : kProtocolNames) {
    if (text == name) return number;
  }
  return std::nullopt;
}

// Empty for a protocol without a name.
[[nodiscard]] constexpr std::string_view protocol_name(std::uint8_t protocol) {
  for (const auto& [name, number] : kProtocolNames) {
    if (protocol == number) return name;
  }
  return {};
}

[[nodiscard]] constexpr bool has_ports(std::uint8_t protocol) {
  return protocol == net::protocol::kTcp || protocol == net::protocol::kUdp ||
         protocol == net::protocol::kSctp;
}

}  // namespace meiguan::policy
