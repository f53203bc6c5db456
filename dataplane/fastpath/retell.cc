#include "dataplane/fastpath/retell.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "dataplane/fastpath/change.h"
#include "dataplane/fastpath/translate.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

using net::Be16;
using net::Be32;
using net::TcpHeader;

constexpr std::size_t kMostOptions = 40;
constexpr std::uint8_t kOptionEnd = 0, kOptionNothing = 1, kOptionSack = 5;

Be32 be32_at(const std::uint8_t* at) noexcept {
  Be32 value;
  std::memcpy(&value, at, sizeof value);
  return value;
}

// parse has seen that the options are well-formed; what is not is left alone.
void shift_sack(std::span<std::uint8_t> options, const SequenceShift& of) noexcept {
  for (std::size_t at = 0; at < options.size();) {
    const std::uint8_t kind = options[at];
    if (kind == kOptionEnd) return;
    if (kind == kOptionNothing) {
      ++at;
      continue;
    }
    if (at + 1 == options.size()) return;
    const std::size_t end = at + options[at + 1];
    if (end < at + 2 || end > options.size()) return;
    if (kind == kOptionSack) {
      for (std::size_t edge = at + 2; edge + sizeof(Be32) <= end; edge += sizeof(Be32)) {
        const Be32 known = Be32::from_host(of.back(be32_at(&options[edge]).host()));
        std::memcpy(&options[edge], &known, sizeof known);
      }
    }
    at = end;
  }
}

// Numbers by differences, so that a wrong checksum stays wrong.
void shift_numbers(std::uint8_t* tcp, std::size_t header_bytes,
                   const Retelling& retelling) noexcept {
  Change change;
  const std::uint32_t sequence = be32_at(tcp + offsetof(TcpHeader, sequence)).host();
  change.put(tcp + offsetof(TcpHeader, sequence),
             Be32::from_host(retelling.sender->forth(sequence)));
  if ((tcp[offsetof(TcpHeader, flags)] & TcpHeader::kAck) != 0) {
    const std::uint32_t number = be32_at(tcp + offsetof(TcpHeader, acknowledgment)).host();
    change.put(tcp + offsetof(TcpHeader, acknowledgment),
               Be32::from_host(retelling.receiver->back(number)));
    // An edge may stand at an odd place: the sum is of the words as they are aligned.
    std::array<std::uint8_t, kMostOptions> options{};
    const std::size_t bytes = std::min(header_bytes - sizeof(TcpHeader), kMostOptions);
    std::memcpy(options.data(), tcp + sizeof(TcpHeader), bytes);
    shift_sack(std::span{options}.first(bytes), *retelling.receiver);
    for (std::size_t i = 0; i + 4 <= bytes; i += 4) {
      std::array<std::uint8_t, 4> word;
      std::memcpy(word.data(), &options[i], word.size());
      change.put(tcp + sizeof(TcpHeader) + i, word);
    }
  }
  Be16 checksum;
  std::memcpy(&checksum, tcp + offsetof(TcpHeader, checksum), sizeof checksum);
  checksum = change.applied_to(checksum);
  std::memcpy(tcp + offsetof(TcpHeader, checksum), &checksum, sizeof checksum);
}

// The sum over the upper layer with its pseudo-header; zero says that it is right.
Be16 sum_transport(std::span<const std::uint8_t> packet, const PacketInfo& info,
                   std::size_t upper_bytes) noexcept {
  const std::uint64_t pseudo = net::sum_pseudo_header(info.family, info.key.source,
                                                      info.key.destination, info.protocol,
                                                      static_cast<std::uint32_t>(upper_bytes));
  return net::finish_checksum(net::sum_words(packet.last(upper_bytes), pseudo));
}

void put_length(std::uint8_t* packet, net::Family family, std::uint16_t bytes) noexcept {
  if (family == net::Family::kIpv6) {
    const Be16 payload = Be16::from_host(
        static_cast<std::uint16_t>(bytes - sizeof(net::Ipv6Header)));
    std::memcpy(packet + offsetof(net::Ipv6Header, payload_length), &payload, sizeof payload);
    return;
  }
  Change change;
  change.put(packet + offsetof(net::Ipv4Header, total_length), Be16::from_host(bytes));
  Be16 checksum;
  std::memcpy(&checksum, packet + offsetof(net::Ipv4Header, checksum), sizeof checksum);
  checksum = change.applied_to(checksum);
  std::memcpy(packet + offsetof(net::Ipv4Header, checksum), &checksum, sizeof checksum);
}

void put_text(Frame& frame, PacketInfo& info, std::uint8_t* text,
              const SequenceShift& shift) noexcept {
  std::uint8_t* const packet = frame.data + info.l3_offset;
  std::uint8_t* const end = packet + info.ip_bytes;
  std::uint8_t* const rest = text + shift.was;
  std::memmove(text + shift.is, rest, static_cast<std::size_t>(end - rest));
  std::memcpy(text, shift.text.data(), shift.is);
  info.ip_bytes = static_cast<std::uint16_t>(info.ip_bytes + shift.is - shift.was);
  frame.length = info.l3_offset + std::uint32_t{info.ip_bytes};
  put_length(packet, info.family, info.ip_bytes);
}

// A datagram's payload; its checksum was right, or there was none.
void put_message(Frame& frame, PacketInfo& info, std::string_view message) noexcept {
  std::span<std::uint8_t> packet{frame.data + info.l3_offset, info.ip_bytes};
  std::span<std::uint8_t> payload;
  if (!find_udp_payload(packet, info.family, payload)) return;
  const std::size_t at = packet.size() - payload.size();
  const std::size_t upper_bytes = sizeof(net::UdpHeader) + message.size();
  std::memcpy(frame.data + info.l3_offset + at, message.data(), message.size());
  info.ip_bytes = static_cast<std::uint16_t>(at + message.size());
  frame.length = info.l3_offset + std::uint32_t{info.ip_bytes};
  packet = {frame.data + info.l3_offset, info.ip_bytes};
  put_length(packet.data(), info.family, info.ip_bytes);
  std::uint8_t* const udp = packet.data() + packet.size() - upper_bytes;
  const Be16 length = Be16::from_host(static_cast<std::uint16_t>(upper_bytes));
  std::memcpy(udp + offsetof(net::UdpHeader, length), &length, sizeof length);
  Be16 checksum;
  std::memcpy(&checksum, udp + offsetof(net::UdpHeader, checksum), sizeof checksum);
  if (checksum == Be16{} && info.family == net::Family::kIpv4) return;
  std::memset(udp + offsetof(net::UdpHeader, checksum), 0, sizeof checksum);
  checksum = sum_transport(packet, info, upper_bytes);
  // RFC 768: a sum of zero is sent as all ones.
  if (checksum == Be16{}) checksum = Be16::from_host(0xffff);
  std::memcpy(udp + offsetof(net::UdpHeader, checksum), &checksum, sizeof checksum);
}

// The sequence number in the first 8 bytes of a quoted segment, and its checksum where that is
// quoted, too: then the message's own does not see any of it.
void retell_quoted(std::span<std::uint8_t> packet, const PacketInfo& info,
                   const Retelling& retelling) noexcept {
  net::Reader left{{}};
  if (!find_transport(packet, info.family, left)) return;
  const std::size_t message = packet.size() - left.left();
  if (!left.skip(sizeof(net::IcmpHeader))) return;
  const std::span<std::uint8_t> quoted = packet.last(left.left());
  net::Reader segment{{}};
  if (!find_transport(quoted, info.family, segment) || segment.left() < 8) return;
  std::uint8_t* const tcp = quoted.data() + (quoted.size() - segment.left());
  Change inner;
  const std::uint32_t sent = be32_at(tcp + offsetof(TcpHeader, sequence)).host();
  inner.put(tcp + offsetof(TcpHeader, sequence), Be32::from_host(retelling.sender->back(sent)));
  Change outer = inner;
  if (segment.left() >= offsetof(TcpHeader, urgent)) {
    Be16 checksum;
    std::memcpy(&checksum, tcp + offsetof(TcpHeader, checksum), sizeof checksum);
    outer.put(tcp + offsetof(TcpHeader, checksum), inner.applied_to(checksum));
  }
  Be16 checksum;
  std::uint8_t* const at = packet.data() + message + offsetof(net::IcmpHeader, checksum);
  std::memcpy(&checksum, at, sizeof checksum);
  checksum = outer.applied_to(checksum);
  std::memcpy(at, &checksum, sizeof checksum);
}

}  // namespace

bool find_tcp_payload(std::span<std::uint8_t> packet, net::Family family,
                      std::span<std::uint8_t>& payload) noexcept {
  net::Reader left{{}};
  TcpHeader tcp;
  if (!find_transport(packet, family, left) || !left.peek(tcp)) return false;
  if (!left.skip((tcp.offset_reserved >> 4U) * 4U)) return false;
  payload = packet.last(left.left());
  return true;
}

bool find_udp_payload(std::span<std::uint8_t> packet, net::Family family,
                      std::span<std::uint8_t>& payload) noexcept {
  net::Reader left{{}};
  net::UdpHeader udp;
  if (!find_transport(packet, family, left) || !left.peek(udp)) return false;
  if (udp.length.host() != left.left() || !left.skip(sizeof udp)) return false;
  payload = packet.last(left.left());
  return true;
}

bool transport_checksum_holds(std::span<const std::uint8_t> packet,
                              const PacketInfo& info) noexcept {
  net::Reader left{{}};
  if (!find_transport(packet, info.family, left)) return false;
  net::UdpHeader udp;
  if (info.protocol == net::protocol::kUdp && info.family == net::Family::kIpv4 && left.peek(udp) &&
      udp.checksum == Be16{}) {
    return true;  // RFC 768: there is none
  }
  return sum_transport(packet, info, left.left()) == Be16{};
}

void retell(Frame& frame, PacketInfo& info, const Retelling& retelling) noexcept {
  std::span<std::uint8_t> packet{frame.data + info.l3_offset, info.ip_bytes};
  if (info.kind == PacketKind::kIcmpError) {
    retell_quoted(packet, info, retelling);
    return;
  }
  if (!retelling.message.empty()) {
    put_message(frame, info, retelling.message);
    return;
  }
  std::span<std::uint8_t> payload;
  if (!find_tcp_payload(packet, info.family, payload)) return;
  net::Reader left{{}};
  if (!find_transport(packet, info.family, left)) return;
  const std::size_t at = packet.size() - left.left();
  shift_numbers(packet.data() + at, left.left() - payload.size(), retelling);
  if (!retelling.edits) return;
  put_text(frame, info, payload.data() + retelling.at, *retelling.sender);
  packet = {frame.data + info.l3_offset, info.ip_bytes};
  std::uint8_t* const checksum = packet.data() + at + offsetof(TcpHeader, checksum);
  std::memset(checksum, 0, sizeof(Be16));
  const Be16 sum = sum_transport(packet, info, packet.size() - at);
  std::memcpy(checksum, &sum, sizeof sum);
}

}  // namespace meiguan::fastpath
