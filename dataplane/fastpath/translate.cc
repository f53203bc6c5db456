#include "dataplane/fastpath/translate.h"

#include <array>
#include <bit>
#include <cstring>
#include <span>

#include "dataplane/fastpath/change.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

bool find_transport(std::span<const std::uint8_t> packet, net::Family family,
                    net::Reader& left) noexcept {
  net::Reader reader{packet};
  if (family == net::Family::kIpv4) {
    net::Ipv4Header ip;
    if (!reader.peek(ip) || (ip.fragment.host() & net::Ipv4Header::kOffsetMask) != 0 ||
        !reader.skip((ip.version_length & 0x0fU) * 4U)) {
      return false;
    }
  } else {
    net::Ipv6Header ip;
    if (!reader.read(ip)) return false;
    std::uint8_t next = ip.next_header;
    Extensions found;
    if (walk_extensions(reader, next, found) != Reason::kAllowed) return false;
    if (found.fragment && !found.first_fragment) return false;
  }
  left = reader;
  return true;
}

namespace {

using net::Be16;
using net::Family;

// Beside UDP, whose place for the checksum they share (RFC 3828, RFC 4340 section 5.1).
constexpr std::uint8_t kDccp = 33;
constexpr std::uint8_t kUdpLite = 136;

// Adjusts the checksum at `at` and tells `outer`, which covers it, of that.
void adjust(std::uint8_t* at, const Change& change, Change& outer) noexcept {
  Be16 checksum;
  std::memcpy(&checksum, at, sizeof checksum);
  outer.put(at, change.applied_to(checksum));
}

// Zero says that there is no checksum: it stays, and the sum that would be zero is written as the
// other zero.
void adjust_udp(std::uint8_t* at, const Change& change, Change& outer) noexcept {
  Be16 checksum;
  std::memcpy(&checksum, at, sizeof checksum);
  if (checksum == Be16{}) return;
  checksum = change.applied_to(checksum);
  outer.put(at, checksum == Be16{} ? Be16::from_host(0xffff) : checksum);
}

// The addresses of an IP header, which stand side by side, and the header's checksum; the answer is
// what the pseudo-header of the transport's checksum sees of it.
Change put_addresses(std::uint8_t* ip, Family family, const net::Address& source,
                     const net::Address& destination, Change& outer) noexcept {
  Change change;
  if (family == Family::kIpv4) {
    std::array<net::Ipv4Bytes, 2> ends;
    std::memcpy(ends[0].data(), source.bytes().data() + 12, sizeof ends[0]);
    std::memcpy(ends[1].data(), destination.bytes().data() + 12, sizeof ends[1]);
    change.put(ip + offsetof(net::Ipv4Header, source), ends);
    adjust(ip + offsetof(net::Ipv4Header, checksum), change, outer);
  } else {
    const std::array<net::Ipv6Bytes, 2> ends{source.bytes(), destination.bytes()};
    change.put(ip + offsetof(net::Ipv6Header, source), ends);
  }
  outer.add(change);
  return change;
}

// The fields of a transport header that are `key`'s, as far as they are there: a quotation may end
// early (RFC 792: behind 8 bytes).
void put_transport(std::uint8_t* transport, const net::Reader& left, const FlowKey& key,
                   Change change, Change& outer) noexcept {
  switch (key.protocol) {
    case net::protocol::kTcp:
    case net::protocol::kUdp: {
      const std::array<Be16, 2> ports{Be16::from_host(key.source_port),
                                      Be16::from_host(key.destination_port)};
      Change of_ports;
      of_ports.put(transport, ports);
      outer.add(of_ports);
      change.add(of_ports);
      if (key.protocol == net::protocol::kUdp) {
        adjust_udp(transport + offsetof(net::UdpHeader, checksum), change, outer);
      } else if (std::array<std::uint8_t, offsetof(net::TcpHeader, urgent)> up_to_checksum;
                 left.peek(up_to_checksum)) {
        adjust(transport + offsetof(net::TcpHeader, checksum), change, outer);
      }
      return;
    }
    case net::protocol::kIcmp:
    case net::protocol::kIcmp6: {
      // ICMP has no pseudo-header, ICMPv6 has one (RFC 4443 section 2.3).
      if (key.protocol == net::protocol::kIcmp) change = Change{};
      if (key.query != 0) {
        Change of_identifier;
        of_identifier.put(transport + offsetof(net::IcmpHeader, identifier),
                          Be16::from_host(key.source_port));
        outer.add(of_identifier);
        change.add(of_identifier);
      }
      adjust(transport + offsetof(net::IcmpHeader, checksum), change, outer);
      return;
    }
    case kDccp:
    case kUdpLite:
      adjust_udp(transport + offsetof(net::UdpHeader, checksum), change, outer);
      return;
    default: return;
  }
}

void put_packet(std::uint8_t* packet, std::size_t bytes, Family family, const FlowKey& key,
                Change& outer) noexcept {
  net::Reader left{{}};
  net::UdpHeader least;
  const bool has_transport = find_transport({packet, bytes}, family, left) && left.peek(least);
  const Change addresses = put_addresses(packet, family, key.source, key.destination, outer);
  if (!has_transport) return;
  const std::size_t at = bytes - left.left();
  put_transport(packet + at, left, key, addresses, outer);
}

void put_error(std::uint8_t* packet, const PacketInfo& info, const FlowKey& to) noexcept {
  net::Reader left{{}};
  if (!find_transport({packet, info.ip_bytes}, info.family, left)) return;
  std::uint8_t* const message = packet + (info.ip_bytes - left.left());
  if (!left.skip(sizeof(net::IcmpHeader))) return;
  // What the message carries behind its header; in it, the quotation's own checksums are words like
  // any others.
  Change covered;
  put_packet(message + sizeof(net::IcmpHeader), left.left(), info.family, to, covered);
  const bool hides = to.destination != info.key.destination;
  Change none;
  const Change outside = put_addresses(packet, info.family,
                                       hides ? to.destination : info.error_source, to.source, none);
  if (info.family == Family::kIpv6) covered.add(outside);
  adjust(message + offsetof(net::IcmpHeader, checksum), covered, none);
}

// What nearly all packets are: IPv4, whole, TCP or UDP.
bool is_plain(const std::uint8_t* packet, const PacketInfo& info) noexcept {
  Be16 fragment;
  std::memcpy(&fragment, packet + offsetof(net::Ipv4Header, fragment), sizeof fragment);
  return info.kind == PacketKind::kPacket && info.family == Family::kIpv4 &&
         (info.protocol == net::protocol::kTcp || info.protocol == net::protocol::kUdp) &&
         (fragment.host() & (net::Ipv4Header::kMoreFragments | net::Ipv4Header::kOffsetMask)) == 0;
}

template <typename T>
T load(const std::uint8_t* at) noexcept {
  T value;
  std::memcpy(&value, at, sizeof value);
  return value;
}
template <typename T>
void store(std::uint8_t* at, T value) noexcept {
  std::memcpy(at, &value, sizeof value);
}

// As put_packet and identify for such a packet, of which all is read before anything is written: a
// load that reaches into a store just before it waits until that one is through.
void put_plain(std::uint8_t* packet, const FlowKey& key, const Be16* identification) noexcept {
  constexpr std::size_t kIdentification = offsetof(net::Ipv4Header, identification);
  constexpr std::size_t kChecksum = offsetof(net::Ipv4Header, checksum);
  constexpr std::size_t kSource = offsetof(net::Ipv4Header, source);
  constexpr std::size_t kDestination = offsetof(net::Ipv4Header, destination);
  const bool udp = key.protocol == net::protocol::kUdp;
  std::uint8_t* const transport = packet + (packet[0] & 0x0fU) * 4U;
  std::uint8_t* const covering = transport + (udp ? offsetof(net::UdpHeader, checksum)
                                                  : offsetof(net::TcpHeader, checksum));
  const auto source = load<std::uint32_t>(key.source.bytes().data() + 12);
  const auto destination = load<std::uint32_t>(key.destination.bytes().data() + 12);
  const auto ports = std::bit_cast<std::uint32_t>(
      std::array<Be16, 2>{Be16::from_host(key.source_port), Be16::from_host(key.destination_port)});

  Change addresses;
  addresses.see(load<std::uint32_t>(packet + kSource), source);
  addresses.see(load<std::uint32_t>(packet + kDestination), destination);
  Change header = addresses;
  if (identification != nullptr) {
    header.see(load<std::uint16_t>(packet + kIdentification),
               std::bit_cast<std::uint16_t>(*identification));
  }
  Change covered = addresses;
  covered.see(load<std::uint32_t>(transport), ports);
  const auto header_checksum = load<Be16>(packet + kChecksum);
  const auto checksum = load<Be16>(covering);

  store(packet + kSource, source);
  store(packet + kDestination, destination);
  store(packet + kChecksum, header.applied_to(header_checksum));
  if (identification != nullptr) store(packet + kIdentification, *identification);
  store(transport, ports);
  if (udp && checksum == Be16{}) return;
  const Be16 adjusted = covered.applied_to(checksum);
  store(covering, udp && adjusted == Be16{} ? Be16::from_host(0xffff) : adjusted);
}

}  // namespace

void identify(std::uint8_t* packet, Be16 identification) noexcept {
  Change change;
  change.put(packet + offsetof(net::Ipv4Header, identification), identification);
  Change none;
  adjust(packet + offsetof(net::Ipv4Header, checksum), change, none);
}

void translate(std::uint8_t* packet, const PacketInfo& info, const FlowKey& to) noexcept {
  if (is_plain(packet, info)) [[likely]] {
    put_plain(packet, to, nullptr);
    return;
  }
  if (info.kind == PacketKind::kIcmpError) {
    put_error(packet, info, to);
    return;
  }
  Change none;
  put_packet(packet, info.ip_bytes, info.family, to, none);
}

void translate(std::uint8_t* packet, const PacketInfo& info, const FlowKey& to,
               Be16 identification) noexcept {
  if (is_plain(packet, info)) [[likely]] {
    put_plain(packet, to, &identification);
    return;
  }
  translate(packet, info, to);
  identify(packet, identification);
}

}  // namespace meiguan::fastpath
