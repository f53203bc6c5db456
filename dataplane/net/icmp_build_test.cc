#include "dataplane/net/icmp_build.h"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <string>
#include <vector>

#include "dataplane/net/checksum.h"
#include "dataplane/net/neighbour_build.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::net {
namespace {

using Bytes = std::vector<std::uint8_t>;

template <typename T>
void append(Bytes& bytes, const T& value) {
  const std::size_t old = bytes.size();
  bytes.resize(old + sizeof value);
  std::memcpy(bytes.data() + old, &value, sizeof value);
}

Bytes v4_packet(std::uint8_t protocol, std::size_t payload, std::uint8_t first_byte = 0) {
  Ipv4Header ip{};
  ip.version_length = 0x45;
  ip.total_length = Be16::from_host(static_cast<std::uint16_t>(sizeof ip + payload));
  ip.ttl = 1;
  ip.protocol = protocol;
  ip.source = {10, 0, 0, 5};
  ip.destination = {10, 9, 9, 9};
  Bytes bytes;
  append(bytes, ip);
  ip.checksum = checksum(bytes);
  bytes.clear();
  append(bytes, ip);
  bytes.resize(sizeof ip + payload);
  if (payload != 0) bytes[sizeof ip] = first_byte;
  return bytes;
}

Bytes v6_packet(std::uint8_t next, std::size_t payload, std::uint8_t first_byte = 0) {
  Ipv6Header ip{};
  ip.version_class_label = Be32::from_host(6U << 28);
  ip.payload_length = Be16::from_host(static_cast<std::uint16_t>(payload));
  ip.next_header = next;
  ip.hop_limit = 1;
  ip.source = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 5};
  ip.destination = {0x20, 1, 0xd, 0xb8, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};
  Bytes bytes;
  append(bytes, ip);
  bytes.resize(sizeof ip + payload);
  if (payload != 0) bytes[sizeof ip] = first_byte;
  return bytes;
}

const Address kOwn4 = Address::v4(0x0a000001);
const Address kOwn6 = *parse_address("2001:db8::1");

bool v6_checksum_holds(std::span<const std::uint8_t> packet) {
  Reader reader{packet};
  Ipv6Header ip;
  BOOST_REQUIRE(reader.read(ip));
  return finish_checksum(
             sum_words(reader.rest(),
                       sum_pseudo_header(Family::kIpv6, Address::v6_wire(ip.source.data()),
                                         Address::v6_wire(ip.destination.data()), ip.next_header,
                                         static_cast<std::uint32_t>(reader.left())))) == Be16{};
}

BOOST_AUTO_TEST_CASE(errors_quote_as_much_as_fits) {
  struct Case {
    const char* name;
    Bytes packet;
    IcmpProblem problem;
    std::uint32_t mtu;
    std::size_t bytes;  // wanted
    std::uint8_t type, code;
    std::uint32_t rest;
  };
  const std::vector<Case> cases{
      // RFC 792: type 11 code 0.
      {"a short packet whole", v4_packet(17, 20), IcmpProblem::kTimeExceeded, 0, 20 + 8 + 40, 11, 0,
       0},
      // RFC 1812 section 4.3.2.3: at most 576 bytes; RFC 1191: the MTU.
      {"a long packet to 576", v4_packet(17, 1480), IcmpProblem::kTooBig, 1400, 576, 3, 4, 1400},
      {"no route", v4_packet(6, 20), IcmpProblem::kNoRoute, 0, 68, 3, 0, 0},
      // RFC 4443 section 2.4 (c): at most 1280 bytes.
      {"a long v6 packet to 1280", v6_packet(17, 1460), IcmpProblem::kTooBig, 1280, 1280, 2, 0,
       1280},
      {"v6 hop limit", v6_packet(17, 20), IcmpProblem::kTimeExceeded, 0, 40 + 8 + 60, 3, 0, 0},
      {"v6 no route", v6_packet(17, 20), IcmpProblem::kNoRoute, 0, 108, 1, 0, 0},
      {"v6 unreachable host", v6_packet(17, 20), IcmpProblem::kHostUnreachable, 0, 108, 1, 3, 0},
  };
  for (const Case& c : cases) {
    Bytes out(1500);
    const bool v4 = c.packet[0] >> 4 == 4;
    const std::size_t got = build_icmp_error(out, c.problem, c.mtu, v4 ? kOwn4 : kOwn6, c.packet);
    BOOST_TEST(got == c.bytes, c.name);
    out.resize(got);
    Reader reader{out};
    IcmpHeader icmp{};
    const std::size_t header = v4 ? 20 : 40;
    BOOST_REQUIRE(reader.skip(header) && reader.read(icmp));
    BOOST_TEST(int{icmp.type} == int{c.type}, c.name);
    BOOST_TEST(int{icmp.code} == int{c.code}, c.name);
    const std::uint32_t rest = std::uint32_t{icmp.identifier.host()} << 16 | icmp.sequence.host();
    BOOST_TEST(rest == c.rest, c.name);
    BOOST_TEST(std::memcmp(reader.rest().data(), c.packet.data(), reader.left()) == 0, c.name);
    if (v4) {
      BOOST_TEST((checksum(std::span{out}.first(20)) == Be16{}), c.name);
      BOOST_TEST((checksum(std::span{out}.subspan(20)) == Be16{}), c.name);
    } else {
      BOOST_TEST(v6_checksum_holds(out), c.name);
    }
    Bytes tight(c.bytes - 1);
    BOOST_TEST(build_icmp_error(tight, c.problem, c.mtu, v4 ? kOwn4 : kOwn6, c.packet) == 0U,
               c.name);
  }
}

// RFC 1812 section 4.3.2.7, RFC 4443 section 2.4 (e).
BOOST_AUTO_TEST_CASE(some_packets_are_never_answered) {
  Bytes fragment = v4_packet(17, 20);
  fragment[7] = 1;
  Bytes multicast = v4_packet(17, 20);
  multicast[16] = 224;
  Bytes broadcast_source = v4_packet(17, 20);
  broadcast_source[12] = 255;
  Bytes unspecified = v6_packet(17, 20);
  std::fill_n(unspecified.begin() + 8, 16, std::uint8_t{0});
  struct Case {
    const char* name;
    Bytes packet;
    bool want;
  };
  for (const Case& c : std::vector<Case>{
           {"udp", v4_packet(17, 20), true},
           {"echo request", v4_packet(1, 8, 8), true},
           {"icmp error", v4_packet(1, 8, 3), false},
           {"redirect", v4_packet(1, 8, 5), false},
           {"cut icmp", v4_packet(1, 0), false},
           {"later fragment", fragment, false},
           {"to multicast", multicast, false},
           {"from broadcast", broadcast_source, false},
           {"v6 udp", v6_packet(17, 8), true},
           {"v6 echo", v6_packet(58, 8, 128), true},
           {"v6 error", v6_packet(58, 8, 1), false},
           {"v6 redirect", v6_packet(58, 8, 137), false},
           {"v6 from ::", unspecified, false},
           {"empty", {}, false},
           {"cut header", Bytes(10, 0x45), false},
       }) {
    BOOST_TEST(may_answer_with_error(c.packet) == c.want, c.name);
  }
}

BOOST_AUTO_TEST_CASE(an_echo_request_becomes_its_reply) {
  Bytes v4 = v4_packet(1, 40, 8);
  const Be16 sum = checksum(std::span{v4}.subspan(20));
  std::memcpy(v4.data() + 22, &sum, 2);
  Bytes broken = v4;
  broken[30] ^= 1;
  BOOST_TEST(!make_echo_reply(broken));
  BOOST_TEST(make_echo_reply(v4));
  BOOST_TEST(int{v4[20]} == 0);
  BOOST_TEST(int{v4[8]} == 64);
  BOOST_TEST(int{v4[19]} == 5);  // to 10.0.0.5
  BOOST_TEST((checksum(std::span{v4}.first(20)) == Be16{}));
  BOOST_TEST((checksum(std::span{v4}.subspan(20)) == Be16{}));
  BOOST_TEST(!make_echo_reply(v4));  // a reply is not answered

  Bytes v6 = v6_packet(58, 40, 128);
  const Be16 sum6 = finish_checksum(
      sum_words(std::span{v6}.subspan(40),
                sum_pseudo_header(Family::kIpv6, Address::v6_wire(v6.data() + 8),
                                  Address::v6_wire(v6.data() + 24), 58, 40)));
  std::memcpy(v6.data() + 42, &sum6, 2);
  BOOST_TEST(make_echo_reply(v6));
  BOOST_TEST(int{v6[40]} == 129);
  BOOST_TEST(v6_checksum_holds(v6));
}

BOOST_AUTO_TEST_CASE(neighbour_frames_are_whole) {
  const MacAddress own{2, 0, 0, 0, 0, 1};
  const MacAddress peer{2, 0, 0, 0, 0, 2};
  Bytes out(kMostNeighbourFrameBytes);
  // RFC 826: to all stations.
  BOOST_TEST(build_arp_request(out, {{}, own, 0}, kOwn4, Address::v4(0x0a000002)) == 42U);
  BOOST_TEST(int{out[0]} == 0xff);
  BOOST_TEST(build_arp_reply(out, {peer, own, 100}, kOwn4, Address::v4(0x0a000002)) == 46U);
  BOOST_TEST(int{out[12]} == 0x81);
  BOOST_TEST(int{out[15]} == 100);
  BOOST_TEST(int{out[18 + 7]} == 2);

  // RFC 4861 section 4.3; RFC 2464 section 7.
  const Address target = *parse_address("2001:db8::12:3456");
  BOOST_TEST(build_neighbour_solicitation(out, {{}, own, 0}, kOwn6, target) == 86U);
  BOOST_TEST((MacAddress{out[0], out[1], out[2], out[3], out[4], out[5]} ==
              MacAddress{0x33, 0x33, 0xff, 0x12, 0x34, 0x56}));
  BOOST_TEST(v6_checksum_holds(std::span{out}.subspan(14, 72)));
  BOOST_TEST(build_neighbour_advertisement(out, {peer, own, 0}, kOwn6, target) == 86U);
  BOOST_TEST(v6_checksum_holds(std::span{out}.subspan(14, 72)));
  BOOST_TEST(int{out[14 + 40 + 4]} == 0xe0);
  // RFC 4861 section 7.2.4: to duplicate address detection, unsolicited and to all nodes.
  BOOST_TEST(build_neighbour_advertisement(out, {peer, own, 0}, kOwn6, Address{}) == 86U);
  BOOST_TEST(int{out[14 + 40 + 4]} == 0xa0);
  BOOST_TEST(int{out[0]} == 0x33);
  Bytes small(20);
  BOOST_TEST(build_neighbour_solicitation(small, {{}, own, 0}, kOwn6, target) == 0U);
  BOOST_TEST(build_arp_request(small, {{}, own, 0}, kOwn4, kOwn4) == 0U);
}

}  // namespace
}  // namespace meiguan::net
