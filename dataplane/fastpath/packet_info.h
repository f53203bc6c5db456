#pragma once

#include <cstdint>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// What a well-formed frame holds, as far as the judgement cares.
enum class PacketKind : std::uint8_t {
  kNotIp,  // nothing yet
  kArp,
  kNeighbourDiscovery,  // RFC 4861: never forwarded
  kFragment,            // any fragment but an atomic one; has no ports
  kIcmpError,           // quotes a packet: `key` is the quoted packet's
  kPacket,              // everything else
};

// All that the stages behind parse need to know of a frame; filled by `parse` and trusted since.
struct PacketInfo {
  FlowKey key;                // of the packet, or of the packet that an ICMP error quotes
  net::Address error_source;  // of an ICMP error only: its own addresses
  net::Address error_destination;

  Reason reason{Reason::kFrameShort};  // kAllowed: well-formed
  Reason without_flow{
      Reason::kAllowed};  // how it ends where no flow knows it; kAllowed: it may open one
  PacketKind kind{PacketKind::kNotIp};
  net::Family family{net::Family::kIpv4};

  std::uint8_t protocol{0};  // of the upper layer, whatever stands between
  std::uint8_t ttl{0};       // or the hop limit
  std::uint8_t tcp_flags{0};
  std::uint8_t match_mask{match::kEither};

  std::uint16_t value{0};  // the key of port maps: destination port or ICMP type
  std::uint16_t icmp_code{0};
  std::uint16_t tag{0};  // the 802.1Q control field
  bool tagged{false};
  bool to_group{false};       // the frame's destination is a broadcast or multicast MAC
  bool dont_fragment{false};  // also true of all IPv6

  std::uint16_t l3_offset{0};  // of the IP header; 0 when not IP
  std::uint16_t ip_bytes{0};   // of the IP packet; Ethernet padding does not belong to it
  // Of a datagram in fragments, which is judged as one packet: `ip_bytes` is that of its largest
  // fragment and `ttl` that of the one with the least; these are the packets and bytes beside it.
  std::uint16_t more_packets{0};
  std::uint32_t more_bytes{0};

  std::uint32_t tcp_sequence{0};  // of the first byte of the segment, or of the quoted one
  std::uint32_t tcp_end{0};       // the sequence number behind its last byte, SYN, FIN
  std::uint32_t tcp_acknowledgment{0};
  std::uint32_t tcp_sack_end{0};  // of the SACK block that reaches farthest, where there is one
  std::uint16_t tcp_window{0};    // as in the header
  std::uint8_t tcp_scale{
      kNoScale};  // of a SYN: its window scale, at most 14 (RFC 7323 section 2.3)
  bool tcp_sacks{false};

  static constexpr std::uint8_t kNoScale = 0xff;

  [[nodiscard]] bool well_formed() const noexcept { return reason == Reason::kAllowed; }
  [[nodiscard]] bool is_ip() const noexcept { return l3_offset != 0; }
  [[nodiscard]] const net::Address& source() const noexcept {
    return kind == PacketKind::kIcmpError ? error_source : key.source;
  }
  [[nodiscard]] const net::Address& destination() const noexcept {
    return kind == PacketKind::kIcmpError ? error_destination : key.destination;
  }
  [[nodiscard]] std::uint16_t vlan() const noexcept { return tag & 0x0fff; }
};

}  // namespace meiguan::fastpath
