#include "dataplane/net/icmp_build.h"

#include <algorithm>
#include <cstring>

#include "dataplane/net/checksum.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::net {
namespace {

constexpr std::uint8_t kOwnTtl = 64;
constexpr std::uint8_t kInternetworkControl = 0xc0;  // RFC 1812 section 4.3.2.5

struct TypeCode {
  std::uint8_t type;
  std::uint8_t code;
};

constexpr TypeCode type_of(IcmpProblem problem, Family family) noexcept {
  const bool v4 = family == Family::kIpv4;
  switch (problem) {
    case IcmpProblem::kTimeExceeded:
      return v4 ? TypeCode{icmp::kTimeExceeded, 0} : TypeCode{icmp6::kTimeExceeded, 0};
    case IcmpProblem::kTooBig:
      return v4 ? TypeCode{icmp::kUnreachable, 4} : TypeCode{icmp6::kPacketTooBig, 0};
    case IcmpProblem::kNoRoute:
      return v4 ? TypeCode{icmp::kUnreachable, 0} : TypeCode{icmp6::kUnreachable, 0};
    case IcmpProblem::kHostUnreachable:
      return v4 ? TypeCode{icmp::kUnreachable, 1} : TypeCode{icmp6::kUnreachable, 3};
    case IcmpProblem::kProhibited: break;
  }
  return v4 ? TypeCode{icmp::kUnreachable, 13} : TypeCode{icmp6::kUnreachable, 1};
}

// Whose packets no error is sent for, as source or destination.
bool is_one_host_v4(const Ipv4Bytes& a, bool as_source) noexcept {
  const bool multicast_or_above = a[0] >= 224;
  return !multicast_or_above && !(as_source && (a[0] == 0 || a[0] == 127));
}
bool is_one_host_v6(const Ipv6Bytes& a, bool as_source) noexcept {
  return a[0] != 0xff && !(as_source && a == Ipv6Bytes{});
}

bool may_answer_v4(Reader reader) noexcept {
  Ipv4Header ip;
  if (!reader.read(ip)) return false;
  const std::size_t header_bytes = (ip.version_length & 0x0fU) * 4U;
  if (header_bytes < sizeof ip || !reader.skip(header_bytes - sizeof ip)) return false;
  if ((ip.fragment.host() & Ipv4Header::kOffsetMask) != 0) return false;
  if (!is_one_host_v4(ip.source, true) || !is_one_host_v4(ip.destination, false)) return false;
  if (ip.protocol != protocol::kIcmp) return true;
  std::uint8_t type;
  // Of ICMP only queries and their replies may be answered: all else is or may be an error.
  return reader.read(type) &&
         (type == icmp::kEchoRequest || type == icmp::kEchoReply ||
          (type >= icmp::kTimestampRequest && type <= icmp::kInformationReply));
}

bool may_answer_v6(Reader reader) noexcept {
  Ipv6Header ip;
  if (!reader.read(ip)) return false;
  if (!is_one_host_v6(ip.source, true) || !is_one_host_v6(ip.destination, false)) return false;
  std::uint8_t next = ip.next_header;
  while (next == protocol::kHopByHop || next == protocol::kRouting ||
         next == protocol::kDestinationOptions || next == protocol::kFragment) {
    ExtensionHeader header;
    if (!reader.peek(header)) return false;
    std::size_t bytes = (header.length + 1U) * 8U;
    if (next == protocol::kFragment) {
      FragmentHeader fragment;
      if (!reader.peek(fragment) || (fragment.offset_more.host() & 0xfff8) != 0) return false;
      bytes = sizeof fragment;
    }
    if (!reader.skip(bytes)) return false;
    next = header.next_header;
  }
  if (next != protocol::kIcmp6) return true;
  std::uint8_t type;
  return reader.read(type) && type >= 128 && type != icmp6::kRedirect;
}

template <typename T>
void put(std::uint8_t*& at, const T& header) noexcept {
  std::memcpy(at, &header, sizeof header);
  at += sizeof header;
}

std::size_t build_v4(std::span<std::uint8_t> out, TypeCode type, std::uint32_t mtu,
                     const Address& source, std::span<const std::uint8_t> packet) noexcept {
  constexpr std::size_t kHeaders = sizeof(Ipv4Header) + sizeof(IcmpHeader);
  const std::size_t quoted = std::min(packet.size(), kMostIcmpErrorBytes - kHeaders);
  const std::size_t total = kHeaders + quoted;
  Ipv4Header inner;
  if (total > out.size() || !Reader{packet}.read(inner)) return 0;

  Ipv4Header ip{};
  ip.version_length = 0x45;
  ip.service = kInternetworkControl;
  ip.total_length = Be16::from_host(static_cast<std::uint16_t>(total));
  ip.fragment = Be16::from_host(Ipv4Header::kDontFragment);
  ip.ttl = kOwnTtl;
  ip.protocol = protocol::kIcmp;
  std::memcpy(ip.source.data(), source.wire(), ip.source.size());
  ip.destination = inner.source;
  IcmpHeader header{};
  header.type = type.type;
  header.code = type.code;
  // RFC 1191: the next hop's MTU stands in the last two of the eight bytes.
  header.sequence = Be16::from_host(static_cast<std::uint16_t>(std::min(mtu, 65535U)));

  std::uint8_t* at = out.data();
  put(at, ip);
  put(at, header);
  std::memcpy(at, packet.data(), quoted);
  header.checksum = checksum(out.subspan(sizeof ip, total - sizeof ip));
  ip.checksum = checksum(out.first(sizeof ip));
  at = out.data();
  put(at, ip);
  put(at, header);
  return total;
}

std::size_t build_v6(std::span<std::uint8_t> out, TypeCode type, std::uint32_t mtu,
                     const Address& source, std::span<const std::uint8_t> packet) noexcept {
  constexpr std::size_t kHeaders = sizeof(Ipv6Header) + sizeof(IcmpHeader);
  const std::size_t quoted = std::min(packet.size(), kMostIcmp6ErrorBytes - kHeaders);
  const std::size_t total = kHeaders + quoted;
  Ipv6Header inner;
  if (total > out.size() || !Reader{packet}.read(inner)) return 0;

  Ipv6Header ip{};
  ip.version_class_label = Be32::from_host(6U << 28);
  ip.payload_length = Be16::from_host(static_cast<std::uint16_t>(total - sizeof ip));
  ip.next_header = protocol::kIcmp6;
  ip.hop_limit = kOwnTtl;
  ip.source = source.bytes();
  ip.destination = inner.source;
  IcmpHeader header{};
  header.type = type.type;
  header.code = type.code;
  header.identifier = Be16::from_host(static_cast<std::uint16_t>(mtu >> 16));
  header.sequence = Be16::from_host(static_cast<std::uint16_t>(mtu));

  std::uint8_t* at = out.data();
  put(at, ip);
  put(at, header);
  std::memcpy(at, packet.data(), quoted);
  const std::span<const std::uint8_t> message = out.subspan(sizeof ip, total - sizeof ip);
  header.checksum = finish_checksum(
      sum_words(message,
                sum_pseudo_header(Family::kIpv6, source, Address::v6_wire(inner.source.data()),
                                  protocol::kIcmp6, static_cast<std::uint32_t>(message.size()))));
  at = out.data() + sizeof ip;
  put(at, header);
  return total;
}

bool reply_v4(std::span<std::uint8_t> packet) noexcept {
  Reader reader{packet};
  Ipv4Header ip;
  IcmpHeader header;
  if (!reader.read(ip)) return false;
  const std::size_t header_bytes = (ip.version_length & 0x0fU) * 4U;
  if (header_bytes < sizeof ip || !reader.skip(header_bytes - sizeof ip)) return false;
  const std::size_t message_bytes = reader.left();
  if (ip.protocol != protocol::kIcmp || !reader.read(header) || header.type != icmp::kEchoRequest ||
      header.code != 0) {
    return false;
  }
  const std::span<std::uint8_t> message = packet.last(message_bytes);
  if (checksum(message) != Be16{}) return false;
  std::swap(ip.source, ip.destination);
  ip.ttl = kOwnTtl;
  ip.checksum = Be16{};
  std::memcpy(packet.data(), &ip, sizeof ip);
  ip.checksum = checksum(packet.first(header_bytes));
  std::memcpy(packet.data(), &ip, sizeof ip);
  header.type = icmp::kEchoReply;
  header.checksum = Be16{};
  std::memcpy(message.data(), &header, sizeof header);
  header.checksum = checksum(message);
  std::memcpy(message.data(), &header, sizeof header);
  return true;
}

bool reply_v6(std::span<std::uint8_t> packet) noexcept {
  Reader reader{packet};
  Ipv6Header ip;
  IcmpHeader header;
  if (!reader.read(ip)) return false;
  const std::size_t message_bytes = reader.left();
  if (ip.next_header != protocol::kIcmp6 || !reader.read(header) ||
      header.type != icmp6::kEchoRequest || header.code != 0) {
    return false;
  }
  const std::span<std::uint8_t> message = packet.last(message_bytes);
  // The pseudo-header's sum does not mind that the addresses change places.
  const std::uint64_t pseudo = sum_pseudo_header(Family::kIpv6, Address::v6_wire(ip.source.data()),
                                                 Address::v6_wire(ip.destination.data()),
                                                 protocol::kIcmp6,
                                                 static_cast<std::uint32_t>(message_bytes));
  if (finish_checksum(sum_words(message, pseudo)) != Be16{}) return false;
  std::swap(ip.source, ip.destination);
  ip.hop_limit = kOwnTtl;
  std::memcpy(packet.data(), &ip, sizeof ip);
  header.type = icmp6::kEchoReply;
  header.checksum = Be16{};
  std::memcpy(message.data(), &header, sizeof header);
  header.checksum = finish_checksum(sum_words(message, pseudo));
  std::memcpy(message.data(), &header, sizeof header);
  return true;
}

unsigned version_of(std::span<const std::uint8_t> packet) noexcept {
  std::uint8_t first;
  return Reader{packet}.read(first) ? first >> 4 : 0;
}

}  // namespace

bool may_answer_with_error(std::span<const std::uint8_t> packet) noexcept {
  switch (version_of(packet)) {
    case 4: return may_answer_v4(Reader{packet});
    case 6: return may_answer_v6(Reader{packet});
    default: return false;
  }
}

std::size_t build_icmp_error(std::span<std::uint8_t> out, IcmpProblem problem, std::uint32_t mtu,
                             const Address& source, std::span<const std::uint8_t> packet) noexcept {
  if (!may_answer_with_error(packet)) return 0;
  const Family family = version_of(packet) == 4 ? Family::kIpv4 : Family::kIpv6;
  if (source.family() != family) return 0;
  const std::uint32_t told = problem == IcmpProblem::kTooBig ? mtu : 0;
  const TypeCode type = type_of(problem, family);
  return family == Family::kIpv4 ? build_v4(out, type, told, source, packet)
                                 : build_v6(out, type, told, source, packet);
}

bool make_echo_reply(std::span<std::uint8_t> packet) noexcept {
  switch (version_of(packet)) {
    case 4: return reply_v4(packet);
    case 6: return reply_v6(packet);
    default: return false;
  }
}

}  // namespace meiguan::net
