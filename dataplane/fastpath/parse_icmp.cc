#include "dataplane/fastpath/parse.h"

#include <array>
#include <span>

#include "dataplane/net/checksum.h"

// ICMP (RFC 792, RFC 6918) and ICMPv6 (RFC 4443). Three sorts of messages matter: queries, which
// may open a flow, and their replies, which belong to one; errors, which belong to the flow of the
// packet that they quote; and the rest, which belongs to nothing that a gateway lets through.

namespace meiguan::fastpath {
namespace {

using net::Reader;

struct IcmpType {
  enum class Sort : std::uint8_t { kOther, kRequest, kReply, kError };
  Sort sort;
  std::uint8_t codes;        // the highest legal code
  std::uint8_t least_bytes;  // of the message
  std::uint8_t query;        // the type of the request, for both of a pair
};

constexpr IcmpType request(std::uint8_t type, std::uint8_t bytes) noexcept {
  return {IcmpType::Sort::kRequest, 0, bytes, type};
}
constexpr IcmpType reply(std::uint8_t query, std::uint8_t bytes) noexcept {
  return {IcmpType::Sort::kReply, 0, bytes, query};
}
constexpr IcmpType error(std::uint8_t highest_code) noexcept {
  return {IcmpType::Sort::kError, highest_code, 8, 0};
}

using Types = std::array<IcmpType, 256>;

// Written out: GCC 12 emits zeros for the elements of a constant array that only their default
// member initializers give a value.
constexpr Types no_types() noexcept {
  Types types{};
  types.fill(IcmpType{IcmpType::Sort::kOther, 255, 8, 0});
  return types;
}

constexpr Types kIcmpTypes = [] {
  Types types = no_types();
  types[net::icmp::kEchoRequest] = request(net::icmp::kEchoRequest, 8);
  types[net::icmp::kEchoReply] = reply(net::icmp::kEchoRequest, 8);
  types[net::icmp::kTimestampRequest] = request(net::icmp::kTimestampRequest, 20);
  types[net::icmp::kTimestampReply] = reply(net::icmp::kTimestampRequest, 20);
  types[net::icmp::kInformationRequest] = request(net::icmp::kInformationRequest, 8);
  types[net::icmp::kInformationReply] = reply(net::icmp::kInformationRequest, 8);
  types[net::icmp::kUnreachable] = error(15);
  types[net::icmp::kSourceQuench] = error(0);
  // No redirect: a router's word to a host of its own link (RFC 792), which nobody may relay.
  types[net::icmp::kTimeExceeded] = error(1);
  types[net::icmp::kParameterProblem] = error(2);
  return types;
}();

constexpr Types kIcmp6Types = [] {
  Types types = no_types();
  types[net::icmp6::kEchoRequest] = request(net::icmp6::kEchoRequest, 8);
  types[net::icmp6::kEchoReply] = reply(net::icmp6::kEchoRequest, 8);
  types[net::icmp6::kUnreachable] = error(8);     // RFC 4443, 6550, 8883
  types[net::icmp6::kPacketTooBig] = error(255);  // its code is to be ignored
  types[net::icmp6::kTimeExceeded] = error(1);
  types[net::icmp6::kParameterProblem] = error(10);  // RFC 4443, 7112, 8883, 8754
  return types;
}();

Reason parse_message(Reader& reader, PacketInfo& info, const Types& types) noexcept {
  const std::size_t bytes = reader.left();
  net::IcmpHeader header;
  if (!reader.read(header)) return Reason::kTransportTruncated;
  const IcmpType& type = types[header.type];
  if (header.code > type.codes || bytes < type.least_bytes) return Reason::kIcmpInvalid;
  info.value = header.type;
  info.icmp_code = header.code;
  switch (type.sort) {
    case IcmpType::Sort::kRequest:
    case IcmpType::Sort::kReply: {
      const bool asks = type.sort == IcmpType::Sort::kRequest;
      info.key.query = type.query;
      info.key.source_port = info.key.destination_port = header.identifier.host();
      info.match_mask = asks ? match::kInitiator : match::kResponder;
      info.without_flow = asks ? Reason::kAllowed : Reason::kIcmpUnsolicited;
      return Reason::kAllowed;
    }
    case IcmpType::Sort::kError:
      info.without_flow = Reason::kIcmpUnsolicited;
      return info.family == net::Family::kIpv4 ? parse_quoted_ipv4(reader, info)
                                               : parse_quoted_ipv6(reader, info);
    case IcmpType::Sort::kOther: break;
  }
  info.match_mask = 0;
  info.without_flow = Reason::kIcmpUnsolicited;
  return Reason::kAllowed;
}

// Makes room for the quoted packet in `info.key`.
void begin_quotation(PacketInfo& info) noexcept {
  info.kind = PacketKind::kIcmpError;
  info.error_source = info.key.source;
  info.error_destination = info.key.destination;
  info.key = FlowKey{};
}

// Which of a datagram's fragments is quoted, if it had any.
enum class Piece : std::uint8_t { kWhole, kFirst, kLater };

// The length that the quoted UDP header tells, and those that no whole packet falls below.
bool is_quoted_length_legal(std::uint8_t protocol, std::size_t bytes, std::size_t udp_length,
                            Piece piece) noexcept {
  switch (protocol) {
    case net::protocol::kTcp: return bytes >= sizeof(net::TcpHeader);
    case net::protocol::kUdp:
      return udp_length >= sizeof(net::UdpHeader) &&
             (piece == Piece::kWhole ? udp_length == bytes : udp_length >= bytes);
    default: return bytes >= 8;
  }
}

// The first bytes of the quoted transport header: 8 of them are always there (RFC 792), and IPv6
// quotes as much as fits. `bytes` is how many the quoted packet had behind its IP headers; a later
// fragment tells no ports.
Reason parse_quoted_transport(Reader& reader, PacketInfo& info, const Types& types,
                              std::uint8_t icmp_protocol, std::size_t bytes, Piece piece) noexcept {
  const bool whole = piece != Piece::kLater;
  info.match_mask = whole ? match::kEither : 0;
  const std::uint8_t protocol = info.key.protocol;
  if (whole && (protocol == net::protocol::kTcp || protocol == net::protocol::kUdp ||
                protocol == net::protocol::kSctp)) {
    net::UdpHeader ports;
    if (!reader.read(ports)) return Reason::kIcmpInvalid;
    if (!is_quoted_length_legal(protocol, bytes, ports.length.host(), piece)) {
      return Reason::kIcmpInvalid;
    }
    info.key.source_port = ports.source_port.host();
    info.key.destination_port = ports.destination_port.host();
    // TCP's sequence number stands where UDP has length and checksum.
    info.tcp_sequence = std::uint32_t{ports.length.host()} << 16 | ports.checksum.host();
  } else if (whole && protocol == icmp_protocol) {
    net::IcmpHeader header;
    if (!reader.read(header)) return Reason::kIcmpInvalid;
    const IcmpType& type = types[header.type];
    // RFC 1122 section 3.2.2, RFC 4443 section 2.4 (e): no error answers an error.
    if (type.sort == IcmpType::Sort::kError) return Reason::kIcmpInvalid;
    info.key.query = type.query;
    info.key.source_port = info.key.destination_port = header.identifier.host();
    info.match_mask = type.sort == IcmpType::Sort::kRequest ? match::kInitiator
                      : type.sort == IcmpType::Sort::kReply ? match::kResponder
                                                            : std::uint8_t{0};
  }
  // An error goes to the sender of what it quotes; one that does not belongs to no flow.
  if (info.key.source != info.error_destination) info.match_mask = 0;
  return Reason::kAllowed;
}

}  // namespace

Reason parse_icmp(Reader reader, PacketInfo& info) noexcept {
  return parse_message(reader, info, kIcmpTypes);
}

Reason parse_icmp6(Reader reader, PacketInfo& info) noexcept {
  std::uint8_t type;
  if (reader.peek(type) && type >= net::icmp6::kRouterSolicitation &&
      type <= net::icmp6::kRedirect) {
    return parse_neighbour_discovery(reader, info);
  }
  return parse_message(reader, info, kIcmp6Types);
}

Reason parse_quoted_ipv4(Reader reader, PacketInfo& info) noexcept {
  begin_quotation(info);
  const std::span<const std::uint8_t> quoted = reader.rest();
  net::Ipv4Header ip;
  if (!reader.read(ip)) return Reason::kIcmpInvalid;
  const std::size_t header_bytes = (ip.version_length & 0x0fU) * 4U;
  if (ip.version_length >> 4 != 4 || header_bytes < sizeof ip ||
      ip.total_length.host() < header_bytes || !reader.skip(header_bytes - sizeof ip)) {
    return Reason::kIcmpInvalid;
  }
  // RFC 5508 REQ-3 (a).
  if (net::checksum(quoted.first(header_bytes)) != net::Be16{}) return Reason::kIcmpInvalid;
  info.key.source = net::Address::v4_wire(ip.source.data());
  info.key.destination = net::Address::v4_wire(ip.destination.data());
  info.key.protocol = ip.protocol;
  const std::uint16_t fragment = ip.fragment.host();
  const Piece piece = (fragment & net::Ipv4Header::kOffsetMask) != 0      ? Piece::kLater
                      : (fragment & net::Ipv4Header::kMoreFragments) != 0 ? Piece::kFirst
                                                                          : Piece::kWhole;
  return parse_quoted_transport(reader, info, kIcmpTypes, net::protocol::kIcmp,
                                ip.total_length.host() - header_bytes, piece);
}

Reason parse_quoted_ipv6(Reader reader, PacketInfo& info) noexcept {
  begin_quotation(info);
  net::Ipv6Header ip;
  if (!reader.read(ip) || ip.version_class_label.host() >> 28 != 6) return Reason::kIcmpInvalid;
  std::uint8_t next = ip.next_header;
  const std::size_t before = reader.left();
  Extensions found;
  if (walk_extensions(reader, next, found) != Reason::kAllowed) return Reason::kIcmpInvalid;
  info.key.source = net::Address::v6_wire(ip.source.data());
  info.key.destination = net::Address::v6_wire(ip.destination.data());
  info.key.protocol = next;
  const std::size_t payload = ip.payload_length.host();
  // Extension headers are counted in, so that less than they took up cannot be.
  const std::size_t extensions = before - reader.left();
  if (payload < extensions) return Reason::kIcmpInvalid;
  const Piece piece = !found.fragment        ? Piece::kWhole
                      : found.first_fragment ? Piece::kFirst
                                             : Piece::kLater;
  return parse_quoted_transport(reader, info, kIcmp6Types, net::protocol::kIcmp6,
                                payload - extensions, piece);
}

}  // namespace meiguan::fastpath
