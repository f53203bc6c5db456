#pragma once

// Frames for tests, fuzz corpora and benchmarks: each function wraps what the one before it made.
//   ethernet(ipv4("10.0.0.1", "10.1.0.1", 6, tcp(1000, 443, "S")))

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/net/address.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath::test {

using Bytes = std::vector<std::uint8_t>;

inline constexpr net::MacAddress kPeerMac{2, 0, 0, 0, 0, 0x22};
inline constexpr net::MacAddress kOwnMac{2, 0, 0, 0, 0, 0x11};

template <typename T>
void append(Bytes& bytes, const T& value) {
  const std::size_t old = bytes.size();
  bytes.resize(old + sizeof value);
  std::memcpy(bytes.data() + old, &value, sizeof value);
}
// Not inlined: GCC 12 warns of overflows in vectors that it has seen through too far.
[[gnu::noinline]] inline void append(Bytes& bytes, const Bytes& more) {
  const std::size_t old = bytes.size();
  bytes.resize(old + more.size());
  if (!more.empty()) std::memcpy(bytes.data() + old, more.data(), more.size());
}
inline Bytes operator+(Bytes left, const Bytes& right) {
  append(left, right);
  return left;
}
inline net::Be16 be16(std::size_t value) {
  return net::Be16::from_host(static_cast<std::uint16_t>(value));
}

inline net::Address address(std::string_view text) {
  // parse_address knows no mapped addresses; the bytes of an IPv4 Address are just that.
  constexpr std::string_view kMapped = "::ffff:";
  if (text.starts_with(kMapped)) text.remove_prefix(kMapped.size());
  const auto parsed = net::parse_address(text);
  if (!parsed) __builtin_trap();  // a typing error in a test
  return *parsed;
}

struct EthernetOptions {
  net::MacAddress source{kPeerMac};
  std::optional<std::uint16_t> vlan{};  // the whole control field
  std::uint16_t tag_type{net::ether_type::kVlan};
  std::size_t padding{0};
};
inline Bytes ethernet(const Bytes& payload, std::uint16_t type, const EthernetOptions& o = {}) {
  Bytes bytes;
  append(bytes, net::EthernetHeader{kOwnMac, o.source, be16(o.vlan ? o.tag_type : type)});
  if (o.vlan) append(bytes, net::VlanTag{be16(*o.vlan), be16(type)});
  append(bytes, payload);
  append(bytes, Bytes(o.padding));
  return bytes;
}
// An IP packet in a frame of its type.
inline Bytes ethernet(const Bytes& packet, const EthernetOptions& o = {}) {
  const bool v6 = !packet.empty() && packet[0] >> 4 == 6;
  return ethernet(packet, v6 ? net::ether_type::kIpv6 : net::ether_type::kIpv4, o);
}

struct Ipv4Options {
  std::uint8_t ttl{64};
  std::uint16_t fragment{0};
  std::uint16_t identification{0x1234};
  Bytes options{};
  std::optional<std::uint8_t> version_length{};
  std::optional<std::uint16_t> total{};
  bool bad_checksum{false};
};
inline Bytes ipv4(std::string_view source, std::string_view destination, std::uint8_t protocol,
                  const Bytes& payload, const Ipv4Options& o = {}) {
  net::Ipv4Header ip{};
  const std::size_t header = sizeof ip + o.options.size();
  ip.version_length = o.version_length.value_or(static_cast<std::uint8_t>(0x40 | header / 4));
  ip.total_length = be16(o.total.value_or(static_cast<std::uint16_t>(header + payload.size())));
  ip.identification = be16(o.identification);
  ip.fragment = be16(o.fragment);
  ip.ttl = o.ttl;
  ip.protocol = protocol;
  std::memcpy(ip.source.data(), address(source).wire(), 4);
  std::memcpy(ip.destination.data(), address(destination).wire(), 4);
  Bytes bytes;
  append(bytes, ip);
  append(bytes, o.options);
  const net::Be16 sum = net::checksum(bytes);
  std::memcpy(bytes.data() + offsetof(net::Ipv4Header, checksum), &sum, sizeof sum);
  if (o.bad_checksum) bytes[10] ^= 1;
  append(bytes, payload);
  return bytes;
}

struct Ipv6Options {
  std::uint8_t hop_limit{64};
  std::optional<std::uint16_t> payload_length{};
  std::uint8_t version{6};
};
inline Bytes ipv6(std::string_view source, std::string_view destination, std::uint8_t next,
                  const Bytes& payload, const Ipv6Options& o = {}) {
  net::Ipv6Header ip{};
  ip.version_class_label = net::Be32::from_host(std::uint32_t{o.version} << 28);
  ip.payload_length = be16(o.payload_length.value_or(static_cast<std::uint16_t>(payload.size())));
  ip.next_header = next;
  ip.hop_limit = o.hop_limit;
  ip.source = address(source).bytes();
  ip.destination = address(destination).bytes();
  Bytes bytes;
  append(bytes, ip);
  append(bytes, payload);
  return bytes;
}

inline std::uint8_t flags_of(std::string_view letters) {
  std::uint8_t flags = 0;
  constexpr std::string_view kLetters = "FSRPAU";
  for (const char letter : letters) {
    flags = static_cast<std::uint8_t>(flags | 1U << kLetters.find(letter));
  }
  return flags;
}
struct TcpOptions {
  std::uint32_t sequence{100};
  std::uint32_t acknowledgment{0};
  std::size_t payload{0};
  std::uint8_t offset{5};
  std::uint16_t window{65535};
  Bytes options{};  // a multiple of 4 bytes, which `offset` need not count
};
inline Bytes tcp(std::uint16_t source, std::uint16_t destination, std::string_view flags,
                 const TcpOptions& o = {}) {
  net::TcpHeader header{};
  header.source_port = be16(source);
  header.destination_port = be16(destination);
  header.sequence = net::Be32::from_host(o.sequence);
  header.acknowledgment = net::Be32::from_host(o.acknowledgment);
  header.offset_reserved = static_cast<std::uint8_t>((o.offset + o.options.size() / 4) << 4);
  header.flags = flags_of(flags);
  header.window = be16(o.window);
  Bytes bytes;
  append(bytes, header);
  append(bytes, o.options);
  append(bytes, Bytes(o.payload));
  return bytes;
}

inline Bytes udp(std::uint16_t source, std::uint16_t destination, std::size_t payload = 8,
                 std::optional<std::uint16_t> length = {}) {
  Bytes bytes;
  append(bytes, net::UdpHeader{be16(source), be16(destination),
                               be16(length.value_or(static_cast<std::uint16_t>(8 + payload))),
                               net::Be16{}});
  append(bytes, Bytes(payload));
  return bytes;
}

inline Bytes icmp(std::uint8_t type, std::uint8_t code, std::uint16_t identifier = 1,
                  const Bytes& body = Bytes(8)) {
  Bytes bytes;
  append(bytes, net::IcmpHeader{type, code, net::Be16{}, be16(identifier), be16(1)});
  append(bytes, body);
  const net::Be16 sum = net::checksum(bytes);
  std::memcpy(bytes.data() + 2, &sum, 2);
  return bytes;
}

// A whole IPv6 packet with an ICMPv6 message; `message` from its type on, its checksum is put in.
inline Bytes icmp6_packet(std::string_view source, std::string_view destination, Bytes message,
                          std::uint8_t hop_limit = 64) {
  if (message.size() >= 4) {
    message[2] = message[3] = 0;
    const net::Be16 sum = net::finish_checksum(
        net::sum_words(message,
                       net::sum_pseudo_header(net::Family::kIpv6, address(source),
                                              address(destination), net::protocol::kIcmp6,
                                              static_cast<std::uint32_t>(message.size()))));
    std::memcpy(message.data() + 2, &sum, 2);
  }
  return ipv6(source, destination, net::protocol::kIcmp6, message, {hop_limit, {}, 6});
}

// A neighbour solicitation or advertisement message.
inline Bytes neighbour(std::uint8_t type, std::string_view target, std::uint32_t flags = 0,
                       const Bytes& options = {}) {
  net::NeighbourMessage message{};
  message.type = type;
  message.flags = net::Be32::from_host(flags);
  message.target = address(target).bytes();
  Bytes bytes;
  append(bytes, message);
  append(bytes, options);
  return bytes;
}

inline Bytes arp(std::uint16_t operation, std::string_view sender, std::string_view target) {
  net::ArpPacket packet{};
  packet.hardware = be16(1);
  packet.protocol = be16(net::ether_type::kIpv4);
  packet.hardware_length = 6;
  packet.protocol_length = 4;
  packet.operation = be16(operation);
  packet.sender_mac = kPeerMac;
  std::memcpy(packet.sender_address.data(), address(sender).wire(), 4);
  std::memcpy(packet.target_address.data(), address(target).wire(), 4);
  Bytes bytes;
  append(bytes, packet);
  return bytes;
}

}  // namespace meiguan::fastpath::test
