#include "dataplane/fastpath/parse.h"

#include <array>

#include "dataplane/net/checksum.h"

namespace meiguan::fastpath {
namespace {

using net::Reader;

// RFC 826. A sender that is no single station could only ever harm the neighbours' tables.
Reason parse_arp(Reader reader, PacketInfo& info) noexcept {
  net::ArpPacket arp;
  if (!reader.read(arp)) return Reason::kArpInvalid;
  const std::uint16_t operation = arp.operation.host();
  if (arp.hardware.host() != net::ArpPacket::kEthernet ||
      arp.protocol.host() != net::ether_type::kIpv4 || arp.hardware_length != 6 ||
      arp.protocol_length != 4 ||
      (operation != net::ArpPacket::kRequest && operation != net::ArpPacket::kReply) ||
      (arp.sender_mac[0] & 1) != 0) {
    return Reason::kArpInvalid;
  }
  info.kind = PacketKind::kArp;
  info.key.source = net::Address::v4_wire(arp.sender_address.data());
  info.key.destination = net::Address::v4_wire(arp.target_address.data());
  return Reason::kAllowed;
}

constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNoOperation = 1;

// Source routes would lead a packet past the decision; record route and timestamp tell the
// network's shape (RFC 7126 sections 4.3 to 4.6). The others are obsolete (RFC 6814) and to be
// dropped by the other sections of chapter 4: no sender of today means well by them. What is left
// are labels, router alert, which asks nothing of us, and what nobody knows, which passes as RFC
// 1812 section 4.2.2.6 wants it.
constexpr auto kForbiddenOptions = [] {
  std::array<bool, 256> forbidden{};
  constexpr unsigned kRecordRoute = 7;
  constexpr unsigned kTimestamp = 68;
  constexpr unsigned kLooseSourceRoute = 131;
  constexpr unsigned kStrictSourceRoute = 137;
  for (const unsigned type : {kRecordRoute, kTimestamp, kLooseSourceRoute, kStrictSourceRoute}) {
    forbidden[type] = true;
  }
  // Probe and reply MTU, Encode, Traceroute, Stream ID, VISA, EIP, Address Extension, Selective
  // Directed Broadcast, DPS, UMP, FINN.
  for (const unsigned type : {11U, 12U, 15U, 82U, 136U, 142U, 145U, 147U, 149U, 151U, 152U, 205U}) {
    forbidden[type] = true;
  }
  return forbidden;
}();

// RFC 791, RFC 1812 section 5.3.13: what an option says of its own length must fit.
Reason judge_options(Reader options) noexcept {
  std::uint8_t type;
  while (options.read(type) && type != kEnd) {
    if (type == kNoOperation) continue;
    std::uint8_t length;
    if (!options.read(length) || length < 2 || !options.skip(length - 2U)) {
      return Reason::kIpOptionInvalid;
    }
    if (kForbiddenOptions[type]) return Reason::kIpOptionForbidden;
  }
  return Reason::kAllowed;
}

// The least that a first fragment must hold of its transport header, so that none is judged by
// ports that a later one brings.
constexpr std::size_t least_of_first_fragment(std::uint8_t protocol) noexcept {
  switch (protocol) {
    case net::protocol::kTcp: return sizeof(net::TcpHeader);
    case net::protocol::kSctp: return sizeof(net::SctpHeader);
    case net::protocol::kUdp:
    case net::protocol::kIcmp:
    case net::protocol::kIcmp6: return 8;
    default: return 1;
  }
}

// RFC 1858 section 3, RFC 3128, RFC 7112 section 5: a first fragment holds the whole header chain,
// the options of a TCP header included. `upper` holds what it has from the upper layer on.
bool holds_header_chain(std::uint8_t protocol, Reader upper) noexcept {
  if (upper.left() < least_of_first_fragment(protocol)) return false;
  net::TcpHeader tcp;
  return protocol != net::protocol::kTcp || !upper.peek(tcp) ||
         (tcp.offset_reserved >> 4) * 4U <= upper.left();
}

// `part` is what the fragment carries, `offset` counts bytes.
Reason judge_fragment(std::uint8_t protocol, std::size_t offset, Reader part, bool more,
                      std::size_t header_bytes) noexcept {
  const std::size_t bytes = part.left();
  if (bytes == 0 || (more && bytes % 8 != 0)) return Reason::kFragmentInvalid;
  // The datagram that it would become part of must not be longer than any can be (ping of death).
  if (header_bytes + offset + bytes > 65535) return Reason::kFragmentInvalid;
  if (offset == 0 && !holds_header_chain(protocol, part)) return Reason::kFragmentInvalid;
  if (offset == 8 && protocol == net::protocol::kTcp) return Reason::kFragmentInvalid;
  return Reason::kAllowed;
}

Reason finish_ip(Reader reader, PacketInfo& info) noexcept {
  if (info.kind == PacketKind::kFragment) return Reason::kAllowed;
  return parse_transport(reader, info);
}

// RFC 1812 section 5.2.2, but that version and lengths come before the checksum, which cannot be
// computed without them.
Reason parse_ipv4(Reader reader, PacketInfo& info) noexcept {
  const std::span<const std::uint8_t> packet = reader.rest();
  net::Ipv4Header ip;
  if (!reader.read(ip)) return Reason::kIpTruncated;
  if (ip.version_length >> 4 != 4) return Reason::kIpHeaderInvalid;
  const std::size_t header_bytes = (ip.version_length & 0x0fU) * 4U;
  const std::size_t total = ip.total_length.host();
  if (header_bytes < sizeof ip || total < header_bytes) return Reason::kIpHeaderInvalid;
  if (!reader.limit(total - sizeof ip)) return Reason::kIpTruncated;

  info.family = net::Family::kIpv4;
  info.ip_bytes = static_cast<std::uint16_t>(total);
  info.protocol = ip.protocol;
  info.ttl = ip.ttl;
  info.key.protocol = ip.protocol;
  info.key.source = net::Address::v4_wire(ip.source.data());
  info.key.destination = net::Address::v4_wire(ip.destination.data());
  info.kind = PacketKind::kPacket;

  if (header_bytes == sizeof ip) [[likely]] {
    if (!net::checksum_holds(ip)) return Reason::kIpChecksum;
  } else {
    Reader options{{}};
    // Cannot fail: total >= header_bytes.
    if (!reader.split(header_bytes - sizeof ip, options)) return Reason::kIpHeaderInvalid;
    if (net::checksum(packet.first(header_bytes)) != net::Be16{}) return Reason::kIpChecksum;
    if (const Reason reason = judge_options(options); reason != Reason::kAllowed) return reason;
  }

  const std::uint16_t fragment = ip.fragment.host();
  info.dont_fragment = (fragment & net::Ipv4Header::kDontFragment) != 0;
  const bool more = (fragment & net::Ipv4Header::kMoreFragments) != 0;
  const std::size_t offset = (fragment & net::Ipv4Header::kOffsetMask) * 8U;
  constexpr unsigned kNotWhole = 0xffff & ~unsigned{net::Ipv4Header::kDontFragment};
  if ((fragment & kNotWhole) != 0) [[unlikely]] {
    // RFC 791 section 3.1: the first flag is reserved and must be zero.
    if ((fragment & net::Ipv4Header::kReservedFlag) != 0) return Reason::kIpHeaderInvalid;
    info.kind = PacketKind::kFragment;
    if (const Reason reason = judge_fragment(ip.protocol, offset, reader, more, header_bytes);
        reason != Reason::kAllowed) {
      return reason;
    }
  }
  return finish_ip(reader, info);
}

// RFC 8200.
Reason parse_ipv6(Reader reader, PacketInfo& info) noexcept {
  net::Ipv6Header ip;
  if (!reader.read(ip)) return Reason::kIpTruncated;
  if (ip.version_class_label.host() >> 28 != 6) return Reason::kIpHeaderInvalid;
  const std::size_t payload = ip.payload_length.host();
  // RFC 2675 section 3: a jumbogram is longer than any frame; what says to be one is none.
  if (payload == 0 && ip.next_header == net::protocol::kHopByHop) return Reason::kJumbogram;
  // 65535 bytes of payload and the header would not fit `ip_bytes`; no frame is as long.
  if (payload > 65535 - sizeof ip || !reader.limit(payload)) return Reason::kIpTruncated;

  info.family = net::Family::kIpv6;
  info.ip_bytes = static_cast<std::uint16_t>(payload + sizeof ip);
  info.ttl = ip.hop_limit;
  info.dont_fragment = true;
  info.key.source = net::Address::v6_wire(ip.source.data());
  info.key.destination = net::Address::v6_wire(ip.destination.data());
  info.kind = PacketKind::kPacket;

  std::uint8_t next = ip.next_header;
  Extensions found;
  if (const Reason reason = walk_extensions(reader, next, found); reason != Reason::kAllowed) {
    return reason;
  }
  info.protocol = next;
  info.key.protocol = next;
  if (found.fragment) info.kind = PacketKind::kFragment;
  if (found.first_fragment && !holds_header_chain(next, reader)) return Reason::kFragmentInvalid;
  if (found.atomic && next == net::protocol::kIcmp6) {
    std::uint8_t type;
    // RFC 6980: neighbour discovery is never fragmented, not even into one piece.
    if (reader.peek(type) && type >= net::icmp6::kRouterSolicitation &&
        type <= net::icmp6::kRedirect) {
      return Reason::kIcmpInvalid;
    }
  }
  return finish_ip(reader, info);
}

void parse_frame(std::span<const std::uint8_t> frame, PacketInfo& info) noexcept {
  Reader reader{frame};
  net::EthernetHeader ethernet;
  if (!reader.read(ethernet)) return;
  if (((ethernet.destination[0] | ethernet.source[0]) & 1) != 0) [[unlikely]] {
    // IEEE 802.3 section 3.2.3: no station's own address is a group's.
    if ((ethernet.source[0] & 1) != 0) {
      info.reason = Reason::kFrameGroup;
      return;
    }
    info.to_group = true;
  }
  std::uint16_t type = ethernet.type.host();
  std::uint16_t l3_offset = sizeof ethernet;
  if (type == net::ether_type::kVlan || type == net::ether_type::kServiceVlan) [[unlikely]] {
    net::VlanTag tag;
    if (!reader.read(tag)) return;
    // A service tag (IEEE 802.1ad) is for a provider's bridges; alone it is a VLAN nobody has here.
    const bool service = type == net::ether_type::kServiceVlan;
    type = tag.type.host();
    l3_offset += sizeof tag;
    info.tagged = true;
    info.tag = service ? net::VlanTag::kVlanMask : tag.control.host();
    if (type == net::ether_type::kVlan || type == net::ether_type::kServiceVlan) {
      info.reason = Reason::kVlanNested;
      return;
    }
  }
  switch (type) {
    case net::ether_type::kIpv4:
      info.l3_offset = l3_offset;
      info.reason = parse_ipv4(reader, info);
      return;
    case net::ether_type::kIpv6:
      info.l3_offset = l3_offset;
      info.reason = parse_ipv6(reader, info);
      return;
    case net::ether_type::kArp: info.reason = parse_arp(reader, info); return;
    default: info.reason = Reason::kFrameType; return;
  }
}

}  // namespace

void parse(std::span<const std::uint8_t> frame, PacketInfo& info) noexcept {
  parse_frame(frame, info);
  // What came to all is known by no flow: `judge_packet` looks whom it is for.
  if (info.to_group) [[unlikely]]
    info.match_mask = 0;
}

}  // namespace meiguan::fastpath
