#pragma once

// Headers as they stand on the wire. They are read and written whole, by copy (reader.h), so that
// no pointer is ever unaligned.

#include <array>
#include <cstdint>

#include "dataplane/net/address.h"
#include "dataplane/net/byte_order.h"

namespace meiguan::net {

namespace ether_type {
inline constexpr std::uint16_t kIpv4 = 0x0800;
inline constexpr std::uint16_t kArp = 0x0806;
inline constexpr std::uint16_t kVlan = 0x8100;         // IEEE 802.1Q
inline constexpr std::uint16_t kServiceVlan = 0x88a8;  // IEEE 802.1ad
inline constexpr std::uint16_t kIpv6 = 0x86dd;
}  // namespace ether_type

namespace protocol {
inline constexpr std::uint8_t kHopByHop = 0;
inline constexpr std::uint8_t kIcmp = 1;
inline constexpr std::uint8_t kTcp = 6;
inline constexpr std::uint8_t kUdp = 17;
inline constexpr std::uint8_t kRouting = 43;
inline constexpr std::uint8_t kFragment = 44;
inline constexpr std::uint8_t kGre = 47;
inline constexpr std::uint8_t kEsp = 50;
inline constexpr std::uint8_t kAuthentication = 51;
inline constexpr std::uint8_t kIcmp6 = 58;
inline constexpr std::uint8_t kNoNextHeader = 59;
inline constexpr std::uint8_t kDestinationOptions = 60;
inline constexpr std::uint8_t kSctp = 132;
}  // namespace protocol

using Ipv4Bytes = std::array<std::uint8_t, 4>;
using Ipv6Bytes = std::array<std::uint8_t, 16>;

struct EthernetHeader {
  MacAddress destination;
  MacAddress source;
  Be16 type;
};
static_assert(sizeof(EthernetHeader) == 14);

struct VlanTag {
  Be16 control;  // priority (3 bits), drop eligible (1), VLAN (12)
  Be16 type;     // of what follows
  static constexpr std::uint16_t kVlanMask = 0x0fff;
};
static_assert(sizeof(VlanTag) == 4);

struct ArpPacket {
  Be16 hardware;
  Be16 protocol;
  std::uint8_t hardware_length;
  std::uint8_t protocol_length;
  Be16 operation;
  MacAddress sender_mac;
  Ipv4Bytes sender_address;
  MacAddress target_mac;
  Ipv4Bytes target_address;
  static constexpr std::uint16_t kEthernet = 1;
  static constexpr std::uint16_t kRequest = 1;
  static constexpr std::uint16_t kReply = 2;
};
static_assert(sizeof(ArpPacket) == 28);

struct Ipv4Header {
  std::uint8_t version_length;
  std::uint8_t service;
  Be16 total_length;
  Be16 identification;
  Be16 fragment;
  std::uint8_t ttl;
  std::uint8_t protocol;
  Be16 checksum;
  Ipv4Bytes source;
  Ipv4Bytes destination;
  static constexpr std::uint16_t kReservedFlag = 0x8000;
  static constexpr std::uint16_t kDontFragment = 0x4000;
  static constexpr std::uint16_t kMoreFragments = 0x2000;
  static constexpr std::uint16_t kOffsetMask = 0x1fff;
};
static_assert(sizeof(Ipv4Header) == 20);

struct Ipv6Header {
  Be32 version_class_label;
  Be16 payload_length;
  std::uint8_t next_header;
  std::uint8_t hop_limit;
  Ipv6Bytes source;
  Ipv6Bytes destination;
};
static_assert(sizeof(Ipv6Header) == 40);

// The first 8 bytes of every IPv6 extension header that has a length.
struct ExtensionHeader {
  std::uint8_t next_header;
  std::uint8_t length;  // in units of 8 bytes, less the first
  std::uint8_t type;    // of a routing header
  std::uint8_t segments_left;
  std::array<std::uint8_t, 4> rest;
};
static_assert(sizeof(ExtensionHeader) == 8);

struct FragmentHeader {
  std::uint8_t next_header;
  std::uint8_t reserved;
  Be16 offset_more;  // offset in units of 8 bytes (13 bits), reserved (2), more fragments (1)
  Be32 identification;
};
static_assert(sizeof(FragmentHeader) == 8);

struct TcpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be32 sequence;
  Be32 acknowledgment;
  std::uint8_t offset_reserved;
  std::uint8_t flags;
  Be16 window;
  Be16 checksum;
  Be16 urgent;
  static constexpr std::uint8_t kFin = 0x01;
  static constexpr std::uint8_t kSyn = 0x02;
  static constexpr std::uint8_t kRst = 0x04;
  static constexpr std::uint8_t kPsh = 0x08;
  static constexpr std::uint8_t kAck = 0x10;
  static constexpr std::uint8_t kUrg = 0x20;
};
static_assert(sizeof(TcpHeader) == 20);

struct UdpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be16 length;
  Be16 checksum;
};
static_assert(sizeof(UdpHeader) == 8);

struct SctpHeader {
  Be16 source_port;
  Be16 destination_port;
  Be32 verification_tag;
  Be32 checksum;
};
static_assert(sizeof(SctpHeader) == 12);

struct SctpChunk {
  std::uint8_t type;
  std::uint8_t flags;
  Be16 length;
  static constexpr std::uint8_t kInit = 1;
  static constexpr std::uint8_t kHeartbeat = 4;
};
static_assert(sizeof(SctpChunk) == 4);

// ICMP and ICMPv6 alike: every message has these 8 bytes (RFC 792; RFC 4443 but for the last 4).
struct IcmpHeader {
  std::uint8_t type;
  std::uint8_t code;
  Be16 checksum;
  Be16 identifier;
  Be16 sequence;
};
static_assert(sizeof(IcmpHeader) == 8);

namespace icmp {
inline constexpr std::uint8_t kEchoReply = 0;
inline constexpr std::uint8_t kUnreachable = 3;
inline constexpr std::uint8_t kSourceQuench = 4;
inline constexpr std::uint8_t kRedirect = 5;
inline constexpr std::uint8_t kEchoRequest = 8;
inline constexpr std::uint8_t kTimeExceeded = 11;
inline constexpr std::uint8_t kParameterProblem = 12;
inline constexpr std::uint8_t kTimestampRequest = 13;
inline constexpr std::uint8_t kTimestampReply = 14;
inline constexpr std::uint8_t kInformationRequest = 15;
inline constexpr std::uint8_t kInformationReply = 16;
}  // namespace icmp

namespace icmp6 {
inline constexpr std::uint8_t kUnreachable = 1;
inline constexpr std::uint8_t kPacketTooBig = 2;
inline constexpr std::uint8_t kTimeExceeded = 3;
inline constexpr std::uint8_t kParameterProblem = 4;
inline constexpr std::uint8_t kEchoRequest = 128;
inline constexpr std::uint8_t kEchoReply = 129;
inline constexpr std::uint8_t kRouterSolicitation = 133;
inline constexpr std::uint8_t kRouterAdvertisement = 134;
inline constexpr std::uint8_t kNeighbourSolicitation = 135;
inline constexpr std::uint8_t kNeighbourAdvertisement = 136;
inline constexpr std::uint8_t kRedirect = 137;
}  // namespace icmp6

// The fixed part of a neighbour solicitation or advertisement (RFC 4861 sections 4.3, 4.4).
struct NeighbourMessage {
  std::uint8_t type;
  std::uint8_t code;
  Be16 checksum;
  Be32 flags;  // of an advertisement
  Ipv6Bytes target;
  static constexpr std::uint32_t kRouter = 0x8000'0000;
  static constexpr std::uint32_t kSolicited = 0x4000'0000;
  static constexpr std::uint32_t kOverride = 0x2000'0000;
};
static_assert(sizeof(NeighbourMessage) == 24);

// An option with a link-layer address of Ethernet.
struct LinkLayerOption {
  std::uint8_t type;
  std::uint8_t length;  // in units of 8 bytes
  MacAddress mac;
  static constexpr std::uint8_t kSource = 1;
  static constexpr std::uint8_t kTarget = 2;
};
static_assert(sizeof(LinkLayerOption) == 8);

}  // namespace meiguan::net
