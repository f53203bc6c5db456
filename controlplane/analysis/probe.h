#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/fastpath/decide.h"
#include "dataplane/net/address.h"

namespace meiguan::analysis {

// Where a packet is asked to go.
struct Destination {
  net::Address address;
  fastpath::Protocol protocol;
};

// `ADDR[:PORT]/PROTO`, an IPv6 address with a port in brackets; PROTO is tcp, udp, sctp (these with
// a port), icmp, icmp6 (an echo request) or proto-N. Errors say what is missing.
[[nodiscard]] Result<Destination> parse_destination(std::string_view text);

// As `parse_destination` reads it.
[[nodiscard]] std::string to_string(const Destination& destination);

// What the first packet of a flow is made of.
struct Probe {
  net::Address source;
  Destination destination;
  net::MacAddress source_mac{};
  net::MacAddress destination_mac{};
  std::uint16_t vlan{0};  // 0: untagged
};

// The source port of a probe's TCP, UDP and SCTP.
inline constexpr std::uint16_t kProbePort = 50000;

// A well-formed Ethernet frame: a TCP SYN, an empty UDP datagram, an SCTP INIT, an echo request or
// eight zero bytes of another protocol. Hop limit 64, checksums right.
[[nodiscard]] std::vector<std::uint8_t> build_frame(const Probe& probe);

}  // namespace meiguan::analysis
