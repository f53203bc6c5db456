#include "dataplane/fastpath/parse.h"

#include <boost/test/unit_test.hpp>

#include <memory>
#include <random>
#include <string>

#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

struct Case {
  std::string name;
  Bytes frame;
  Reason want;
};

// Parses a copy that ends exactly where the frame does, so that a sanitizer sees any read beyond.
PacketInfo parse_exactly(const Bytes& frame) {
  const std::unique_ptr<std::uint8_t[]> copy{new std::uint8_t[frame.size()]};
  if (!frame.empty()) std::memcpy(copy.get(), frame.data(), frame.size());
  PacketInfo info;
  parse({copy.get(), frame.size()}, info);
  return info;
}

std::string_view name_of_reason(Reason reason) {
  const ReasonInfo* info = find_reason(reason);
  return info != nullptr ? info->name : "?";
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    BOOST_TEST(name_of_reason(parse_exactly(c.frame).reason) == name_of_reason(c.want), c.name);
  }
}

Bytes v4(std::uint8_t protocol, const Bytes& payload, const Ipv4Options& o = {}) {
  return ethernet(ipv4("10.0.0.5", "10.1.0.9", protocol, payload, o));
}
Bytes v6(std::uint8_t next, const Bytes& payload, const Ipv6Options& o = {}) {
  return ethernet(ipv6("2001:db8::5", "2001:db8:1::9", next, payload, o));
}
Bytes cut(Bytes frame, std::size_t bytes) {
  frame.resize(frame.size() - bytes);
  return frame;
}

BOOST_AUTO_TEST_CASE(ethernet_and_vlan) {
  const Bytes packet = ipv4("10.0.0.5", "10.1.0.9", 17, udp(1, 2));
  check({
      {"nothing", {}, Reason::kFrameShort},
      {"13 bytes", Bytes(13), Reason::kFrameShort},
      {"an 802.3 length", ethernet(Bytes(46), 46), Reason::kFrameType},
      {"lldp", ethernet(Bytes(46), 0x88cc), Reason::kFrameType},
      {"tagged", ethernet(packet, {.vlan = 100}), Reason::kAllowed},
      {"cut in the tag", cut(ethernet({}, 0x0800, {.vlan = 100}), 1), Reason::kFrameShort},
      {"two tags", ethernet(Bytes(50), 0x8100, {.vlan = 100}), Reason::kVlanNested},
      {"service tag and tag", ethernet(Bytes(50), 0x8100, {.vlan = 5, .tag_type = 0x88a8}),
       Reason::kVlanNested},
      {"unknown type behind a tag", ethernet(Bytes(46), 0x88cc, {.vlan = 100}), Reason::kFrameType},
  });
  BOOST_TEST(parse_exactly(ethernet(packet, {.vlan = 0x6064})).vlan() == 100);
  BOOST_TEST(parse_exactly(ethernet(packet, {.vlan = 0x6064})).l3_offset == 18);
}

// RFC 826.
BOOST_AUTO_TEST_CASE(arp_packets) {
  const Bytes request = arp(1, "10.0.0.5", "10.0.0.1");
  const auto with = [&](std::size_t at, std::uint8_t value) {
    Bytes changed = request;
    changed[at] = value;
    return ethernet(changed, net::ether_type::kArp);
  };
  check({
      {"request", ethernet(request, net::ether_type::kArp), Reason::kAllowed},
      {"padded reply",
       ethernet(arp(2, "10.0.0.5", "10.0.0.1"), net::ether_type::kArp, {.padding = 18}),
       Reason::kAllowed},
      {"cut", cut(ethernet(request, net::ether_type::kArp), 1), Reason::kArpInvalid},
      {"hardware type", with(1, 6), Reason::kArpInvalid},
      {"protocol type", with(2, 0x86), Reason::kArpInvalid},
      {"hardware length", with(4, 8), Reason::kArpInvalid},
      {"protocol length", with(5, 16), Reason::kArpInvalid},
      {"operation 3", with(7, 3), Reason::kArpInvalid},
      {"operation 0", with(7, 0), Reason::kArpInvalid},
      {"sender is a group", with(8, 1), Reason::kArpInvalid},
  });
}

// RFC 791 section 3.1, RFC 1812 section 5.2.2.
BOOST_AUTO_TEST_CASE(ipv4_headers) {
  const Bytes payload = udp(1000, 53);
  const std::uint8_t u = net::protocol::kUdp;
  check({
      {"plain", v4(u, payload), Reason::kAllowed},
      {"ethernet padding", ethernet(ipv4("10.0.0.5", "10.1.0.9", u, payload), {.padding = 20}),
       Reason::kAllowed},
      {"jumbo", v4(u, udp(1, 2, 8900)), Reason::kAllowed},
      {"version 5", v4(u, payload, {.version_length = std::uint8_t{0x55}}),
       Reason::kIpHeaderInvalid},
      {"header length 4", v4(u, payload, {.version_length = std::uint8_t{0x44}}),
       Reason::kIpHeaderInvalid},
      {"header longer than the packet", v4(u, payload, {.version_length = std::uint8_t{0x4f}}),
       Reason::kIpHeaderInvalid},
      {"total shorter than the header", v4(u, payload, {.total = std::uint16_t{19}}),
       Reason::kIpHeaderInvalid},
      {"total longer than the frame", v4(u, payload, {.total = std::uint16_t{1000}}),
       Reason::kIpTruncated},
      {"cut in the header", cut(v4(u, payload), 20), Reason::kIpTruncated},
      {"cut in the payload", cut(v4(u, payload), 1), Reason::kIpTruncated},
      {"no packet at all", ethernet({}, net::ether_type::kIpv4), Reason::kIpTruncated},
      {"checksum", v4(u, payload, {.bad_checksum = true}), Reason::kIpChecksum},
      {"v6 in a v4 frame", ethernet(Bytes(60, 0x60), net::ether_type::kIpv4),
       Reason::kIpHeaderInvalid},
  });
  BOOST_TEST(parse_exactly(v4(u, payload)).ip_bytes == 36);
}

// RFC 791 section 3.1; RFC 7126; domain.md 1.7 line h.
BOOST_AUTO_TEST_CASE(ipv4_options) {
  const auto options = [](Bytes bytes) {
    bytes.resize((bytes.size() + 3) / 4 * 4);
    return v4(net::protocol::kUdp, udp(1000, 53), {.options = bytes});
  };
  check({
      {"router alert", options({148, 4, 0, 0}), Reason::kAllowed},
      {"no operation", options({1, 1, 1, 1}), Reason::kAllowed},
      {"what follows the end is not read", options({0, 131, 99, 99}), Reason::kAllowed},
      {"forty bytes", options(Bytes(40, 1)), Reason::kAllowed},
      {"record route", options({7, 7, 4, 0, 0, 0, 0}), Reason::kIpOptionForbidden},
      {"timestamp", options({68, 8, 5, 0, 0, 0, 0, 0}), Reason::kIpOptionForbidden},
      {"loose source route", options({1, 131, 7, 4, 10, 0, 0, 1}), Reason::kIpOptionForbidden},
      {"strict source route", options({137, 7, 4, 10, 0, 0, 1}), Reason::kIpOptionForbidden},
      {"traceroute", options({82, 4, 0, 0}), Reason::kIpOptionForbidden},
      {"stream id", options({136, 4, 0, 0}), Reason::kIpOptionForbidden},
      {"security label", options({134, 6, 0, 0, 0, 1}), Reason::kAllowed},
      {"unknown", options({158, 4, 0, 0}), Reason::kAllowed},
      {"length 0", options({130, 0, 0, 0}), Reason::kIpOptionInvalid},
      {"length 1", options({130, 1, 0, 0}), Reason::kIpOptionInvalid},
      {"beyond the header", options({130, 5, 0, 0}), Reason::kIpOptionInvalid},
      {"no room for the length", options({1, 1, 1, 130}), Reason::kIpOptionInvalid},
      {"checksum covers options",
       v4(net::protocol::kUdp, udp(1, 2), {.options = {1, 1, 1, 1}, .bad_checksum = true}),
       Reason::kIpChecksum},
  });
}

// RFC 791 section 3.2, RFC 1858, RFC 3128; domain.md 1.7 line a.
BOOST_AUTO_TEST_CASE(ipv4_fragments) {
  constexpr std::uint16_t kMore = 0x2000;
  const Bytes segment = tcp(1000, 80, "S", {.payload = 20});
  check({
      {"first", v4(6, segment, {.fragment = kMore}), Reason::kAllowed},
      {"last", v4(17, Bytes(13), {.fragment = 5}), Reason::kAllowed},
      {"middle of uneven length", v4(17, Bytes(13), {.fragment = kMore | 5}),
       Reason::kFragmentInvalid},
      {"ping of death", v4(1, Bytes(100), {.fragment = 0x1fff}), Reason::kFragmentInvalid},
      {"tiny first", v4(6, Bytes(8), {.fragment = kMore}), Reason::kFragmentInvalid},
      {"tcp at offset 1", v4(6, Bytes(32), {.fragment = kMore | 1}), Reason::kFragmentInvalid},
      {"udp at offset 1", v4(17, Bytes(32), {.fragment = kMore | 1}), Reason::kAllowed},
      {"empty", v4(17, {}, {.fragment = 7}), Reason::kFragmentInvalid},
      {"the reserved flag", v4(6, segment, {.fragment = 0x8000}), Reason::kIpHeaderInvalid},
      {"the reserved flag and DF", v4(6, segment, {.fragment = 0xc000}), Reason::kIpHeaderInvalid},
  });
  BOOST_TEST((parse_exactly(v4(6, segment, {.fragment = kMore})).kind == PacketKind::kFragment));
  BOOST_TEST(parse_exactly(v4(6, segment, {.fragment = 0x4000})).dont_fragment);
}

// RFC 9293 sections 3.1 and 3.10.
BOOST_AUTO_TEST_CASE(tcp_segments) {
  std::vector<Case> cases{
      {"19 bytes", v4(6, Bytes(19)), Reason::kTransportTruncated},
      {"no bytes", v4(6, {}), Reason::kTransportTruncated},
      {"offset 4", v4(6, tcp(1, 2, "S", {.offset = 4})), Reason::kTcpInvalid},
      {"offset beyond the segment", v4(6, tcp(1, 2, "S", {.payload = 3, .offset = 6})),
       Reason::kTcpInvalid},
      {"options fill the segment", v4(6, tcp(1, 2, "S", {.payload = 4, .offset = 6})),
       Reason::kAllowed},
      {"data in a SYN (RFC 7413)", v4(6, tcp(1, 2, "S", {.payload = 40})), Reason::kAllowed},
      {"source port 0", v4(6, tcp(0, 2, "S")), Reason::kPortZero},
      {"destination port 0", v4(6, tcp(1, 0, "S")), Reason::kPortZero},
      {"over v6", v6(6, tcp(1, 2, "S")), Reason::kAllowed},
  };
  for (const char* legal : {"S", "SA", "R", "RA", "A", "PA", "FA", "FPA", "AU", "FAU", "SP"}) {
    cases.push_back({legal, v4(6, tcp(1, 2, legal)), Reason::kAllowed});
  }
  for (const char* nonsense :
       {"", "F", "P", "U", "FPU", "SF", "SFA", "SR", "SRA", "FRA", "FSRPAU", "FR", "PU"}) {
    cases.push_back({nonsense, v4(6, tcp(1, 2, nonsense)), Reason::kTcpFlags});
  }
  check(cases);
  const PacketInfo fin = parse_exactly(v4(6, tcp(1, 2, "FA", {.sequence = 7, .payload = 10})));
  BOOST_TEST(fin.tcp_end == 18U);
}

// RFC 768; RFC 9260 section 3.
BOOST_AUTO_TEST_CASE(udp_and_sctp) {
  const auto sctp = [](std::uint16_t source, std::uint32_t tag, const Bytes& chunks) {
    Bytes bytes;
    append(bytes, net::SctpHeader{be16(source), be16(3868), net::Be32::from_host(tag), {}});
    return v4(132, bytes + chunks);
  };
  const Bytes init{1, 0, 0, 20, 0, 0, 0, 1, 0, 0, 0, 1, 0, 1, 0, 1, 0, 0, 0, 1};
  const Bytes data{0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 9, 0, 0, 0};
  check({
      {"source port 0", v4(17, udp(0, 53)), Reason::kAllowed},
      {"empty datagram", v4(17, udp(1, 53, 0)), Reason::kAllowed},
      {"destination port 0", v4(17, udp(1, 0)), Reason::kPortZero},
      {"7 bytes", v4(17, Bytes(7)), Reason::kTransportTruncated},
      {"length too long", v4(17, udp(1, 2, 8, std::uint16_t{17})), Reason::kUdpLength},
      {"length too short", v4(17, udp(1, 2, 8, std::uint16_t{15})), Reason::kUdpLength},
      {"length 0", v4(17, udp(1, 2, 8, std::uint16_t{0})), Reason::kUdpLength},
      {"init", sctp(1000, 0, init), Reason::kAllowed},
      {"data", sctp(1000, 5, data), Reason::kAllowed},
      {"data, last padding missing",
       sctp(1000, 5, {0, 3, 0, 17, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 9}), Reason::kAllowed},
      {"two chunks", sctp(1000, 5, data + data), Reason::kAllowed},
      {"no chunk", sctp(1000, 5, {}), Reason::kSctpInvalid},
      {"chunk of length 3", sctp(1000, 5, {0, 0, 0, 3}), Reason::kSctpInvalid},
      {"chunk beyond the packet", sctp(1000, 5, {0, 0, 0, 9, 0, 0}), Reason::kSctpInvalid},
      {"init with a tag", sctp(1000, 5, init), Reason::kSctpInvalid},
      {"data without a tag", sctp(1000, 0, data), Reason::kSctpInvalid},
      {"init and data", sctp(1000, 0, init + data), Reason::kSctpInvalid},
      {"port 0", sctp(0, 0, init), Reason::kPortZero},
      {"11 bytes", v4(132, Bytes(11)), Reason::kTransportTruncated},
  });
  // Which of them may open a flow (RFC 9260 sections 5.1 and 8.3).
  const auto without_flow = [](const Bytes& frame) {
    return name_of_reason(parse_exactly(frame).without_flow);
  };
  BOOST_TEST(without_flow(sctp(1000, 0, init)) == "allowed");
  BOOST_TEST(without_flow(sctp(1000, 5, {4, 0, 0, 8, 0, 1, 0, 4})) == "allowed");
  BOOST_TEST(without_flow(sctp(1000, 5, data)) == "sctp-no-state");
  BOOST_TEST(without_flow(sctp(1000, 5, data + Bytes{4, 0, 0, 8, 0, 1, 0, 4})) == "sctp-no-state");
}

// Legal whatever they carry: no ports to be judged by, and of three a header that is known.
BOOST_AUTO_TEST_CASE(other_protocols) {
  check({
      {"gre", v4(47, Bytes(4)), Reason::kAllowed},
      {"esp", v4(50, Bytes(16)), Reason::kAllowed},
      {"ah", v4(51, Bytes(24)), Reason::kAllowed},
      {"gre, cut", v4(47, Bytes(3)), Reason::kTransportTruncated},
      {"esp, cut", v4(50, Bytes(7)), Reason::kTransportTruncated},
      {"ah, cut", v6(51, Bytes(11)), Reason::kTransportTruncated},
      {"ospf", v4(89, Bytes(24)), Reason::kAllowed},
      {"unknown and empty", v4(253, {}), Reason::kAllowed},
      {"esp over v6", v6(50, Bytes(16)), Reason::kAllowed},
      {"no next header (RFC 8200 section 4.7)", v6(59, {}), Reason::kAllowed},
      {"unknown next header", v6(200, Bytes(3)), Reason::kAllowed},
      {"icmpv6 over v4", v4(58, Bytes(8)), Reason::kIcmpInvalid},
      {"icmp over v6", v6(1, Bytes(8)), Reason::kIcmpInvalid},
  });
}

// No cut of any frame may be read past its end, or be taken for whole.
BOOST_AUTO_TEST_CASE(every_cut_is_noticed) {
  const Bytes quoted = ipv4("10.1.0.9", "10.0.0.5", 17, udp(53, 1000));
  for (const Bytes& frame :
       {v4(6, tcp(1, 2, "S")), v4(17, udp(1, 2), {.options = {148, 4, 0, 0}}),
        v6(60, Bytes{6, 0, 1, 4, 0, 0, 0, 0} + tcp(1, 2, "S")), v4(1, icmp(3, 1, 0, quoted)),
        ethernet(arp(1, "10.0.0.5", "10.0.0.1"), net::ether_type::kArp)}) {
    BOOST_TEST(parse_exactly(frame).well_formed());
    for (std::size_t bytes = 1; bytes <= frame.size(); ++bytes) {
      BOOST_TEST(!parse_exactly(cut(frame, bytes)).well_formed());
    }
  }
}

}  // namespace
}  // namespace meiguan::fastpath
