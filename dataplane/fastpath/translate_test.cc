#include "dataplane/fastpath/translate.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include "dataplane/fastpath/npt.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/test_checksums.h"
#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::size_t kEthernet = 14;

// Puts the transport's checksum in, by the naive way: what `wrong_checksum` wants to see.
Bytes sealed(Bytes packet) {
  checksums::Parts parts;
  BOOST_REQUIRE(checksums::split(packet, parts));
  const std::size_t at = parts.transport + (parts.protocol == 6    ? 16
                                            : parts.protocol == 17 ? 6
                                                                   : 2);
  packet[at] = packet[at + 1] = 0;
  std::vector<std::uint8_t> bytes;
  if (parts.protocol != 1) {
    bytes = checksums::pseudo_header(packet, parts, packet.size() - parts.transport);
  }
  bytes.insert(bytes.end(), packet.begin() + static_cast<std::ptrdiff_t>(parts.transport),
               packet.end());
  std::uint16_t sum = checksums::naive(bytes);
  if (parts.protocol == 17 && sum == 0) sum = 0xffff;
  packet[at] = static_cast<std::uint8_t>(sum >> 8);
  packet[at + 1] = static_cast<std::uint8_t>(sum);
  return packet;
}

Bytes icmp_error(std::uint8_t type, std::uint8_t code, const Bytes& quoted) {
  return icmp(type, code, 0, quoted);
}

PacketInfo parsed(const Bytes& packet) {
  PacketInfo info;
  parse(ethernet(packet), info);
  BOOST_REQUIRE(info.well_formed());
  return info;
}

Bytes translated(const Bytes& packet, const FlowKey& to) {
  Bytes copy = packet;
  translate(copy.data(), parsed(packet), to);
  return copy;
}

FlowKey key_of(const Bytes& packet) { return parsed(packet).key; }

// Beside a translation, another identification is written as `identify` alone writes it.
BOOST_AUTO_TEST_CASE(a_translated_packet_takes_another_identification) {
  const std::vector<Bytes> packets{
      sealed(ipv4("10.0.0.1", "10.0.0.2", 17, udp(40000, 53, 9))),
      ipv4("10.0.0.1", "10.0.0.2", 17, udp(40000, 53, 9)),  // without a checksum
      sealed(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(40000, 443, "A", {.payload = 7}))),
      sealed(ipv4("10.0.0.1", "10.0.0.2", 1, icmp(8, 0, 77, Bytes(16)))),
  };
  for (std::uint32_t n = 0; n < 1000; ++n) {
    for (const Bytes& packet : packets) {
      FlowKey to = key_of(packet);
      to.source = net::Address::v4(0xcb00'7100U + n * 0x9e37U);
      if (to.query == 0) to.source_port = static_cast<std::uint16_t>(1 + n * 61);
      const auto number = net::Be16::from_host(static_cast<std::uint16_t>(n * 257));
      Bytes at_once = packet;
      translate(at_once.data(), parsed(packet), to, number);
      Bytes one_by_one = translated(packet, to);
      identify(one_by_one.data(), number);
      BOOST_REQUIRE(at_once == one_by_one);
    }
  }
}

// What is translated is what would have been made with the new addresses and ports in the first
// place, every byte of it.
BOOST_AUTO_TEST_CASE(a_translated_packet_is_as_if_made_so) {
  struct Case {
    const char* name;
    Bytes before;
    Bytes after;
  };
  const auto tcp4 = [](std::string_view from, std::uint16_t fp, std::string_view to,
                       std::uint16_t tp) {
    return sealed(ipv4(from, to, 6, tcp(fp, tp, "A", {.sequence = 77, .payload = 13})));
  };
  const auto udp4 = [](std::string_view from, std::uint16_t fp, std::string_view to,
                       std::uint16_t tp, std::size_t bytes) {
    return sealed(ipv4(from, to, 17, udp(fp, tp, bytes)));
  };
  const auto udp6 = [](std::string_view from, std::uint16_t fp, std::string_view to,
                       std::uint16_t tp) { return sealed(ipv6(from, to, 17, udp(fp, tp, 9))); };
  const auto ping4 = [](std::string_view from, std::string_view to, std::uint16_t id) {
    return sealed(ipv4(from, to, 1, icmp(8, 0, id, Bytes(11))));
  };
  const auto gre4 = [](std::string_view from, std::string_view to) {
    return ipv4(from, to, 47, Bytes(24));
  };
  const Ipv4Options with_options{.options = {7 - 6, 1, 1, 0}};
  const Case cases[] = {
      {"tcp over IPv4", tcp4("10.64.37.9", 4000, "198.51.100.7", 80),
       tcp4("203.0.113.33", 61234, "198.51.100.7", 80)},
      {"udp over IPv4, odd length", udp4("10.64.37.9", 4000, "198.51.100.7", 53, 9),
       udp4("203.0.113.33", 2, "198.51.100.7", 53, 9)},
      {"udp, both ends", udp4("10.64.37.9", 4000, "203.0.113.33", 7000, 8),
       udp4("203.0.113.34", 4001, "10.64.37.8", 53, 8)},
      {"nothing changes", udp4("10.64.37.9", 4000, "198.51.100.7", 53, 9),
       udp4("10.64.37.9", 4000, "198.51.100.7", 53, 9)},
      {"udp without a checksum keeps none", ipv4("10.64.37.9", "198.51.100.7", 17, udp(1, 53)),
       ipv4("203.0.113.33", "198.51.100.7", 17, udp(4097, 53))},
      {"echo", ping4("10.64.37.9", "198.51.100.7", 1), ping4("203.0.113.33", "198.51.100.7", 9999)},
      {"gre has no ports", gre4("10.1.1.9", "59.205.16.10"), gre4("10.200.1.9", "59.205.16.10")},
      {"IPv4 options stay",
       sealed(ipv4("10.64.37.9", "198.51.100.7", 17, udp(5, 53), with_options)),
       sealed(ipv4("203.0.113.33", "198.51.100.7", 17, udp(6, 53), with_options))},
      {"udp over IPv6", udp6("2001:db8:1::9", 4000, "2001:db8:2::10", 53),
       udp6("2001:db8:ffff:1::9", 4000, "2001:db8:2::10", 53)},
      {"echo over IPv6", icmp6_packet("2001:db8:1::9", "2001:db8:2::10", icmp(128, 0, 5)),
       icmp6_packet("2001:db8:9::9", "2001:db8:2::10", icmp(128, 0, 6))},
      {"behind an extension header",
       sealed(ipv6("2001:db8:1::9", "2001:db8:2::10", 60,
                   Bytes{17, 0, 1, 4, 0, 0, 0, 0} + udp(1, 53))),
       sealed(ipv6("2001:db8:9::9", "2001:db8:2::10", 60,
                   Bytes{17, 0, 1, 4, 0, 0, 0, 0} + udp(2, 53)))},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_REQUIRE(wrong_checksum(c.before) == "");
      BOOST_REQUIRE(wrong_checksum(c.after) == "");
      BOOST_TEST(translated(c.before, key_of(c.after)) == c.after,
                 boost::test_tools::per_element());
      BOOST_TEST(translated(c.after, key_of(c.before)) == c.before,
                 boost::test_tools::per_element());
    }
  }
}

// A UDP sum that comes out as zero is sent as 0xffff (RFC 768), whatever it took to get there.
BOOST_AUTO_TEST_CASE(a_udp_checksum_never_becomes_zero) {
  Bytes packet = sealed(ipv4("10.0.0.1", "198.51.100.7", 17, udp(1000, 53)));
  FlowKey to = key_of(packet);
  unsigned zeros = 0;
  for (std::uint32_t port = 1; port < 65536; ++port) {
    to.source_port = static_cast<std::uint16_t>(port);
    const Bytes out = translated(packet, to);
    BOOST_REQUIRE(wrong_checksum(out) == "");
    zeros += out[26] == 0xff && out[27] == 0xff ? 1U : 0U;
    BOOST_REQUIRE(!(out[26] == 0 && out[27] == 0));
  }
  BOOST_TEST(zeros == 1U);
}

// A checksum that is wrong on arrival is as wrong behind: NAT does not vouch for what it carries.
BOOST_AUTO_TEST_CASE(a_wrong_checksum_stays_wrong) {
  Bytes packet = sealed(ipv4("10.0.0.1", "198.51.100.7", 6, tcp(1000, 80, "A")));
  packet[37] ^= 1;
  FlowKey to = key_of(packet);
  to.source_port = 2000;
  BOOST_TEST(wrong_checksum(translated(packet, to)) == "protocol 6");
}

// RFC 5508 REQ-4 and REQ-5: the quotation is put back as its sender made it, the error goes to the
// inside host, and every checksum, the quoted ones too, is right.
BOOST_AUTO_TEST_CASE(an_error_and_what_it_quotes_are_translated) {
  struct Case {
    const char* name;
    Bytes error;  // as it comes in
    FlowKey to;   // the quoted packet as its sender made it
    Bytes after;
  };
  const auto sent = [](std::uint16_t port, std::string_view source, std::string_view destination) {
    return sealed(ipv4(source, destination, 17, udp(port, 53, 20)));
  };
  const Bytes inside = sent(4000, "10.64.37.9", "198.51.100.7");
  const Bytes outside = sent(61000, "203.0.113.33", "198.51.100.7");
  const Bytes segment_in = sealed(ipv4("10.64.37.9", "198.51.100.7", 6, tcp(5, 80, "S")));
  const Bytes segment_out = sealed(ipv4("203.0.113.33", "198.51.100.7", 6, tcp(6, 80, "S")));
  const auto first = [](const Bytes& bytes, std::size_t count) {
    return Bytes(bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(count));
  };
  const auto error4 = [](std::string_view from, std::string_view to, std::uint8_t type,
                         std::uint8_t code, const Bytes& quoted) {
    return ipv4(from, to, 1, icmp_error(type, code, quoted));
  };
  const Bytes ping_in = sealed(ipv4("10.64.37.9", "198.51.100.7", 1, icmp(8, 0, 7)));
  const Bytes ping_out = sealed(ipv4("203.0.113.33", "198.51.100.7", 1, icmp(8, 0, 4711)));
  const Bytes in6 = sealed(ipv6("2001:db8:1::9", "2001:db8:2::1", 17, udp(9, 53)));
  const Bytes out6 = sealed(ipv6("2001:db8:ffff::9", "2001:db8:2::1", 17, udp(9, 53)));
  const Bytes reply_in = sealed(ipv4("198.51.100.7", "203.0.113.33", 17, udp(53, 61000)));
  const Bytes reply_out = sealed(ipv4("198.51.100.7", "10.64.37.9", 17, udp(53, 4000)));
  const Case cases[] = {
      {"a router outside", error4("192.0.2.1", "203.0.113.33", 11, 0, outside), key_of(inside),
       error4("192.0.2.1", "10.64.37.9", 11, 0, inside)},
      {"the server itself", error4("198.51.100.7", "203.0.113.33", 3, 3, outside), key_of(inside),
       error4("198.51.100.7", "10.64.37.9", 3, 3, inside)},
      {"28 bytes are quoted", error4("192.0.2.1", "203.0.113.33", 3, 4, first(outside, 28)),
       key_of(inside), error4("192.0.2.1", "10.64.37.9", 3, 4, first(inside, 28))},
      {"a segment, whole", error4("192.0.2.1", "203.0.113.33", 3, 1, segment_out),
       key_of(segment_in), error4("192.0.2.1", "10.64.37.9", 3, 1, segment_in)},
      {"a segment, its ports only",
       error4("192.0.2.1", "203.0.113.33", 3, 1, first(segment_out, 28)), key_of(segment_in),
       error4("192.0.2.1", "10.64.37.9", 3, 1, first(segment_in, 28))},
      {"a ping", error4("192.0.2.1", "203.0.113.33", 11, 0, ping_out), key_of(ping_in),
       error4("192.0.2.1", "10.64.37.9", 11, 0, ping_in)},
      {"from inside: who reports is hidden",
       error4("10.64.37.254", "198.51.100.7", 3, 1, reply_out), key_of(reply_in),
       error4("203.0.113.33", "198.51.100.7", 3, 1, reply_in)},
      {"IPv6", icmp6_packet("2001:db8:7::1", "2001:db8:ffff::9", icmp_error(2, 0, out6)),
       key_of(in6), icmp6_packet("2001:db8:7::1", "2001:db8:1::9", icmp_error(2, 0, in6))},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_REQUIRE(wrong_checksum(c.error) == "");
      const Bytes out = translated(c.error, c.to);
      BOOST_TEST(wrong_checksum(out) == "");
      BOOST_TEST(out == c.after, boost::test_tools::per_element());
    }
  }
}

// Only the first fragment has ports; the datagram's checksum, which stands in it, covers the whole.
BOOST_AUTO_TEST_CASE(fragments_change_what_they_have) {
  const Bytes before = sealed(ipv4("10.64.37.9", "198.51.100.7", 17, udp(4000, 53, 40)));
  const Bytes after = sealed(ipv4("203.0.113.33", "198.51.100.7", 17, udp(61000, 53, 40)));
  const auto fragment = [](const Bytes& whole, std::size_t from, std::size_t to,
                           std::uint16_t bits) {
    const bool inside = whole[12] == 10;
    return ipv4(inside ? "10.64.37.9" : "203.0.113.33", "198.51.100.7", 17,
                Bytes(whole.begin() + static_cast<std::ptrdiff_t>(20 + from),
                      whole.begin() + static_cast<std::ptrdiff_t>(20 + to)),
                {.fragment = bits});
  };
  const FlowKey to = key_of(after);
  const Bytes first = translated(fragment(before, 0, 24, 0x2000), to);
  const Bytes last = translated(fragment(before, 24, 48, 3), to);
  BOOST_TEST(first == fragment(after, 0, 24, 0x2000), boost::test_tools::per_element());
  BOOST_TEST(last == fragment(after, 24, 48, 3), boost::test_tools::per_element());
}

// RFC 6296.
BOOST_AUTO_TEST_CASE(prefixes_are_translated_without_changing_checksums) {
  struct Case {
    const char* address;
    const char* from;
    const char* to;
    std::uint8_t length;
    const char* want;  // empty: not translatable
  };
  const Case cases[] = {
      // The example of RFC 6296 section 2.1, with the adjustment 0xd550.
      {"fd01:203:405:1::1234", "fd01:203:405::", "2001:db8:1::", 48, "2001:db8:1:d550::1234"},
      {"fd01:203:405:ffff::1", "fd01:203:405::", "2001:db8:1::", 48, ""},
      {"2001:db8:1:36::9", "2001:db8:1:36::", "2001:db8:ffff:1::", 64, "2001:db8:ffff:1:36::9"},
      {"2001:db8:1:36:ffff::9", "2001:db8:1:36::", "2001:db8:ffff:1::", 64,
       "2001:db8:ffff:1:ffff:36:0:9"},
      {"2001:db8:1:36:ffff:ffff:ffff:ffff", "2001:db8:1:36::", "2001:db8:ffff:1::", 64, ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.address) {
      const auto out = translate_prefix(address(c.address), address(c.from), address(c.to),
                                        c.length);
      BOOST_TEST((out ? net::to_string(*out) : std::string{}) == c.want);
      if (!out) continue;
      // Neutral and reversible.
      const auto sum = [](const net::Address& a) {
        return checksums::naive({a.bytes().begin(), a.bytes().end()}) % 0xffff;
      };
      BOOST_TEST(sum(*out) == sum(address(c.address)));
      const auto back = translate_prefix(*out, address(c.to), address(c.from), c.length);
      BOOST_TEST((back ? net::to_string(*back) : std::string{}) == c.address);
    }
  }
}

}  // namespace
}  // namespace meiguan::fastpath
