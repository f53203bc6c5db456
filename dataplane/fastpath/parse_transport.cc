#include "dataplane/fastpath/parse.h"

#include <array>

namespace meiguan::fastpath {
namespace {

using net::Reader;
using net::TcpHeader;

// The combinations of FIN, SYN, RST, ACK and URG that a TCP sends (RFC 9293 section 3.10); PSH and
// the ECN bits say nothing here. Everything but a first SYN and a reset carries ACK.
constexpr auto kLegalTcpFlags = [] {
  std::array<bool, 64> legal{};
  constexpr std::uint8_t kUrg = TcpHeader::kUrg;
  for (const unsigned flags :
       {unsigned{TcpHeader::kSyn}, TcpHeader::kSyn | unsigned{TcpHeader::kAck},
        unsigned{TcpHeader::kRst}, TcpHeader::kRst | unsigned{TcpHeader::kAck},
        unsigned{TcpHeader::kAck}, TcpHeader::kAck | unsigned{kUrg},
        TcpHeader::kFin | unsigned{TcpHeader::kAck},
        TcpHeader::kFin | TcpHeader::kAck | unsigned{kUrg}, TcpHeader::kSyn | unsigned{kUrg}}) {
    legal[flags] = true;
    legal[flags | TcpHeader::kPsh] = true;
  }
  return legal;
}();

// As nearly every segment behind the SYNs has them (RFC 7323 appendix A): two fillers, timestamps.
bool holds_timestamps_only(Reader options) noexcept {
  std::array<std::uint8_t, 12> all;
  return options.left() == all.size() && options.peek(all) && all[0] == 1 && all[1] == 1 &&
         all[2] == 8 && all[3] == 10;
}

Reason parse_tcp(Reader reader, PacketInfo& info) noexcept {
  const std::size_t segment = reader.left();
  TcpHeader tcp;
  if (!reader.read(tcp)) return Reason::kTransportTruncated;
  const std::size_t header_bytes = (tcp.offset_reserved >> 4) * 4U;
  if (header_bytes < sizeof tcp || header_bytes > segment) return Reason::kTcpInvalid;
  if (!kLegalTcpFlags[tcp.flags & 0x3f]) return Reason::kTcpFlags;
  info.key.source_port = tcp.source_port.host();
  info.key.destination_port = tcp.destination_port.host();
  if (info.key.source_port == 0 || info.key.destination_port == 0) return Reason::kPortZero;
  info.value = info.key.destination_port;
  info.tcp_flags = tcp.flags;
  const std::uint32_t length = static_cast<std::uint32_t>(segment - header_bytes) +
                               ((tcp.flags & TcpHeader::kSyn) != 0 ? 1 : 0) +
                               ((tcp.flags & TcpHeader::kFin) != 0 ? 1 : 0);
  info.tcp_sequence = tcp.sequence.host();
  info.tcp_end = info.tcp_sequence + length;
  info.tcp_acknowledgment = tcp.acknowledgment.host();
  info.tcp_window = tcp.window.host();
  const bool opens = (tcp.flags & (TcpHeader::kSyn | TcpHeader::kAck)) == TcpHeader::kSyn;
  info.without_flow = opens ? Reason::kAllowed : Reason::kTcpNoState;
  Reader options{{}};
  if (!reader.split(header_bytes - sizeof tcp, options)) return Reason::kTcpInvalid;
  return options.empty() || holds_timestamps_only(options) ? Reason::kAllowed
                                                           : parse_tcp_options(options, info);
}

// RFC 768. A zero checksum is legal over IPv4, and over IPv6 for tunnels (RFC 6935); a source port
// of 0 says that no reply is wanted.
Reason parse_udp(Reader reader, PacketInfo& info) noexcept {
  const std::size_t datagram = reader.left();
  net::UdpHeader udp;
  if (!reader.read(udp)) return Reason::kTransportTruncated;
  if (udp.length.host() != datagram) return Reason::kUdpLength;
  info.key.source_port = udp.source_port.host();
  info.key.destination_port = udp.destination_port.host();
  if (info.key.destination_port == 0) return Reason::kPortZero;
  info.value = info.key.destination_port;
  return Reason::kAllowed;
}

// RFC 9260 sections 3, 6.10 and 8.5.1: an INIT travels alone and with tag 0, nothing else does. An
// association begins with an INIT, its way by further addresses with a heartbeat (section 8.3).
Reason parse_sctp(Reader reader, PacketInfo& info) noexcept {
  net::SctpHeader sctp;
  if (!reader.read(sctp)) return Reason::kTransportTruncated;
  info.key.source_port = sctp.source_port.host();
  info.key.destination_port = sctp.destination_port.host();
  if (info.key.source_port == 0 || info.key.destination_port == 0) return Reason::kPortZero;
  info.value = info.key.destination_port;
  bool init = false;
  bool heartbeat = false;
  unsigned chunks = 0;
  do {
    net::SctpChunk chunk;
    if (!reader.peek(chunk)) return Reason::kSctpInvalid;
    const std::size_t length = chunk.length.host();
    if (length < sizeof chunk || !reader.skip(length)) return Reason::kSctpInvalid;
    init |= chunk.type == net::SctpChunk::kInit;
    heartbeat |= chunks == 0 && chunk.type == net::SctpChunk::kHeartbeat;
    ++chunks;
    // The padding of the last chunk may be missing.
    if (!reader.skip((4 - length % 4) % 4) && !reader.skip(reader.left())) {
      return Reason::kSctpInvalid;
    }
  } while (!reader.empty());
  const bool no_tag = sctp.verification_tag.host() == 0;
  if (init != no_tag || (init && chunks != 1)) return Reason::kSctpInvalid;
  info.without_flow = init || heartbeat ? Reason::kAllowed : Reason::kSctpNoState;
  return Reason::kAllowed;
}

// What is judged by its number alone has at least its fixed header.
Reason whole_header(Reader reader, std::size_t bytes) noexcept {
  return reader.left() < bytes ? Reason::kTransportTruncated : Reason::kAllowed;
}

}  // namespace

Reason parse_transport(Reader reader, PacketInfo& info) noexcept {
  switch (info.protocol) {
    case net::protocol::kTcp: return parse_tcp(reader, info);
    case net::protocol::kUdp: return parse_udp(reader, info);
    case net::protocol::kSctp: return parse_sctp(reader, info);
    case net::protocol::kIcmp:
      return info.family == net::Family::kIpv4 ? parse_icmp(reader, info) : Reason::kIcmpInvalid;
    case net::protocol::kIcmp6:
      return info.family == net::Family::kIpv6 ? parse_icmp6(reader, info) : Reason::kIcmpInvalid;
    case net::protocol::kGre: return whole_header(reader, 4);              // RFC 2784 section 2.1
    case net::protocol::kEsp: return whole_header(reader, 8);              // RFC 4303 section 2
    case net::protocol::kAuthentication: return whole_header(reader, 12);  // RFC 4302 section 2
    default: return Reason::kAllowed;
  }
}

}  // namespace meiguan::fastpath
