#include "dataplane/runtime/own_stack.h"

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/test_frames.h"
#include "dataplane/fastpath/test_image.h"
#include "dataplane/runtime/icmp_answer.h"
#include "dataplane/runtime/test_outlet.h"

namespace meiguan::runtime {
namespace {

using namespace fastpath::test;
using fastpath::Fate;
using fastpath::PacketInfo;
using fastpath::Reason;
using test::TestOutlet;
using test::TestPacket;

struct Fixture {
  explicit Fixture(const fastpath::test::WorldOptions& options = {}) : world{options} {
    stack.adopt(interfaces, 0);
  }

  World world;
  std::vector<net::MacAddress> macs = [this] {
    std::vector<net::MacAddress> result;
    for (const auto& port : world.image().ports()) result.push_back(port.mac);
    return result;
  }();
  Interfaces interfaces{world.image(), macs};
  fastpath::NeighbourTable table{1024};
  TestOutlet outlet;
  OwnStack stack{table, 1024, outlet};

  // The fate of `frame`, dropped for `reason` on its way from lan to core.
  static Fate fate(Reason reason) {
    Fate result;
    result.reason = reason;
    result.in = kLan;
    result.out = kCore;
    return result;
  }
  // What the one frame that was sent says, as the other side would read it.
  PacketInfo said() const {
    PacketInfo info;
    BOOST_REQUIRE_EQUAL(outlet.sent.size(), 1U);
    fastpath::parse(outlet.sent[0].frame, info);
    return info;
  }
};

const Bytes kEcho = icmp(net::icmp::kEchoRequest, 0);

}  // namespace

BOOST_AUTO_TEST_SUITE(own_stack)

struct NatFixture : Fixture {
  NatFixture() : Fixture{{.nat = true}} {}
};

// Public addresses of translations have no station but the gateway: it answers for those that lie
// in a subnet of the port, and only there.
BOOST_FIXTURE_TEST_CASE(public_addresses_are_answered_for_on_their_subnet, NatFixture) {
  struct Case {
    const char* name;
    PortId in;
    const char* sender;
    const char* target;
    bool answered;
  };
  const Case cases[] = {
      {"a pool address", kWan, "203.0.113.254", "203.0.113.33", true},
      {"a published address", kWan, "203.0.113.254", "203.0.113.10", true},
      {"a neighbour's", kWan, "203.0.113.254", "203.0.113.99", false},
      {"a pool address on another port", kLan, "10.64.37.9", "203.0.113.33", false},
      {"of no subnet", kWan, "203.0.113.254", "10.200.1.9", false},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      outlet.sent.clear();
      stack.consume(c.in, ethernet(arp(1, c.sender, c.target), 0x0806), 10);
      BOOST_TEST(outlet.sent.size() == (c.answered ? 1U : 0U));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(arp_for_our_addresses_is_answered_on_their_own_port, Fixture) {
  struct Case {
    const char* name;
    PortId in;
    const char* sender;
    const char* target;
    bool answered;
  };
  const Case cases[] = {
      {"ours", kLan, "10.64.37.9", "10.64.37.1", true},
      {"our second", kLan, "10.64.38.9", "10.64.38.1", true},
      {"a probe, RFC 5227", kLan, "0.0.0.0", "10.64.37.1", true},
      {"somebody else's", kLan, "10.64.37.9", "10.64.37.10", false},
      {"another port's", kLan, "10.64.37.9", "10.0.0.1", false},
      {"the sub-port's address without a tag", kLan, "10.1.1.9", "10.1.1.1", false},
      {"the sub-port's", kVpn, "10.1.1.9", "10.1.1.1", true},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      outlet.sent.clear();
      EthernetOptions options;
      if (c.in == kVpn) options.vlan = 100;
      stack.consume(c.in, ethernet(arp(1, c.sender, c.target), net::ether_type::kArp, options), 0);
      BOOST_TEST(outlet.sent.size() == (c.answered ? 1U : 0U));
      if (!c.answered || outlet.sent.empty()) continue;
      BOOST_TEST((outlet.sent[0].out == c.in));
      BOOST_TEST((outlet.sent[0].ethernet().destination == kPeerMac));
      const bool tagged = outlet.sent[0].ethernet().type.host() == net::ether_type::kVlan;
      BOOST_TEST(tagged == (c.in == kVpn));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(solicitations_for_our_addresses_are_answered, Fixture) {
  struct Case {
    const char* name;
    const char* source;
    const char* target;
    bool answered;
    const char* destination;
  };
  Bytes option;
  append(option, net::LinkLayerOption{net::LinkLayerOption::kSource, 1, kPeerMac});
  const std::string link_local = net::to_string(interfaces.find(kLan)->link_local);
  const Case cases[] = {
      {"ours", "2001:db8:1::9", "2001:db8:1::1", true, "2001:db8:1::9"},
      {"the subnet-router anycast address", "2001:db8:1::9", "2001:db8:1::", true, "2001:db8:1::9"},
      {"our link-local address", "fe80::9", link_local.c_str(), true, "fe80::9"},
      {"duplicate address detection, RFC 4862", "::", "2001:db8:1::1", true, "ff02::1"},
      {"somebody else's", "2001:db8:1::9", "2001:db8:1::10", false, ""},
      {"somebody else's detection", "::", "2001:db8:1::10", false, ""},
      {"another port's", "2001:db8:1::9", "2001:db8:f::1", false, ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      outlet.sent.clear();
      const bool detection = std::string_view{c.source} == "::";
      const std::string group = net::to_string(net::solicited_node(address(c.target)));
      stack.consume(kLan,
                    ethernet(icmp6_packet(c.source, group,
                                          neighbour(net::icmp6::kNeighbourSolicitation, c.target, 0,
                                                    detection ? Bytes{} : option),
                                          255)),
                    0);
      BOOST_TEST(outlet.sent.size() == (c.answered ? 1U : 0U));
      if (outlet.sent.empty()) continue;
      const PacketInfo info = said();
      BOOST_TEST(info.well_formed());
      BOOST_TEST((info.kind == fastpath::PacketKind::kNeighbourDiscovery));
      BOOST_TEST(net::to_string(info.destination()) == c.destination);
    }
  }
}

BOOST_FIXTURE_TEST_CASE(an_answer_to_our_question_lets_packets_go, Fixture) {
  stack.neighbours().hold(kLan, address("2001:db8:1::9"), std::make_unique<TestPacket>(1), 0);
  stack.neighbours().hold(kLan, address("10.64.37.9"), std::make_unique<TestPacket>(2), 0);
  Bytes option;
  append(option, net::LinkLayerOption{net::LinkLayerOption::kTarget, 1, kPeerMac});
  stack.consume(kLan,
                ethernet(
                    icmp6_packet("2001:db8:1::9", "2001:db8:1::1",
                                 neighbour(net::icmp6::kNeighbourAdvertisement, "2001:db8:1::9",
                                           net::NeighbourMessage::kSolicited, option),
                                 255)),
                0);
  auto reply = ethernet(arp(2, "10.64.37.9", "10.64.37.1"), net::ether_type::kArp);
  std::copy(interfaces.find(kLan)->mac.begin(), interfaces.find(kLan)->mac.end(), reply.begin());
  stack.consume(kLan, reply, 0);
  BOOST_TEST(outlet.forwarded.size() == 2U);
}

BOOST_FIXTURE_TEST_CASE(echo_requests_to_us_are_answered, Fixture) {
  struct Case {
    const char* name;
    Bytes packet;
    bool answered;
  };
  const Case cases[] = {
      {"to the port", ipv4("10.64.37.9", "10.64.37.1", 1, kEcho), true},
      {"to another port's address", ipv4("10.64.37.9", "10.0.0.1", 1, kEcho), true},
      {"IPv6", icmp6_packet("2001:db8:1::9", "2001:db8:1::1", icmp(128, 0)), true},
      {"to somebody else", ipv4("10.64.37.9", "59.205.16.10", 1, kEcho), false},
      {"a reply", ipv4("10.64.37.9", "10.64.37.1", 1, icmp(0, 0)), false},
      {"TCP", ipv4("10.64.37.9", "10.64.37.1", 6, tcp(1000, 22, "S")), false},
      {"from a group", ipv4("224.0.0.5", "10.64.37.1", 1, kEcho), false},
      {"from nobody", ipv4("0.0.0.0", "10.64.37.1", 1, kEcho), false},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      outlet.sent.clear();
      stack.consume(kLan, ethernet(c.packet), 0);
      BOOST_TEST(outlet.sent.size() == (c.answered ? 1U : 0U));
      if (outlet.sent.empty()) continue;
      BOOST_TEST(said().well_formed());
      BOOST_TEST((outlet.sent[0].ethernet().destination == kPeerMac));
    }
  }
}

BOOST_FIXTURE_TEST_CASE(senders_are_told_why_but_not_always, Fixture) {
  struct Case {
    const char* name;
    Reason reason;
    Bytes packet;
    int type;  // -1: nothing is said
  };
  const Bytes segment = tcp(1000, 443, "S");
  const Case cases[] = {
      {"TTL", Reason::kTtlExpired, ipv4("10.64.37.9", "59.205.16.10", 6, segment), 11},
      {"no route", Reason::kNoRoute, ipv4("10.64.37.9", "59.205.16.10", 6, segment), 3},
      {"hop limit", Reason::kTtlExpired, ipv6("2001:db8:1::9", "2001:db8:2::1", 6, segment), 3},
      {"too big, IPv6", Reason::kTooBig, ipv6("2001:db8:1::9", "2001:db8:2::1", 6, segment), 2},
      {"denied", Reason::kDenied, ipv4("10.64.37.9", "59.205.16.10", 6, segment), -1},
      {"an ICMP error, RFC 1812 4.3.2.7", Reason::kTtlExpired,
       ipv4("10.64.37.9", "59.205.16.10", 1,
            icmp(3, 1, 0, ipv4("59.205.16.10", "10.64.37.9", 6, segment))),
       -1},
      {"to a group", Reason::kTtlExpired, ipv4("10.64.37.9", "224.0.0.5", 6, segment), -1},
      {"from a group", Reason::kTtlExpired, ipv4("224.0.0.5", "59.205.16.10", 6, segment), -1},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      outlet.sent.clear();
      stack.report(fate(c.reason), ethernet(c.packet), 0);
      BOOST_TEST(outlet.sent.size() == (c.type >= 0 ? 1U : 0U));
      if (outlet.sent.empty()) continue;
      const PacketInfo info = said();
      BOOST_TEST(info.well_formed());
      BOOST_TEST((info.kind == fastpath::PacketKind::kIcmpError));
      const std::size_t header = info.family == net::Family::kIpv4 ? 20 : 40;
      BOOST_TEST(outlet.sent[0].frame[info.l3_offset + header] == c.type);
    }
  }
  // RFC 1122 section 3.2.2: nothing about what was sent to a link-layer group either.
  outlet.sent.clear();
  Bytes frame = ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, segment));
  frame[0] = 0xff;
  stack.report(fate(Reason::kTtlExpired), frame, 0);
  BOOST_TEST(outlet.sent.empty());
}

BOOST_FIXTURE_TEST_CASE(what_is_said_is_limited, Fixture) {
  const Bytes frame = ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, tcp(1000, 443, "S")));
  for (int i = 0; i < 1000; ++i) stack.report(fate(Reason::kTtlExpired), frame, 0);
  BOOST_TEST(outlet.sent.size() == 50U);
  for (int i = 0; i < 1000; ++i) stack.report(fate(Reason::kTtlExpired), frame, 100);
  BOOST_TEST(outlet.sent.size() == 60U);
}

BOOST_FIXTURE_TEST_CASE(a_sender_whose_mac_is_unknown_is_told_once_it_is_found, Fixture) {
  stack.report_unresolved(fate(Reason::kNextHopUnresolved),
                          ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, tcp(1000, 443, "S"))), 0);
  BOOST_TEST(outlet.own.empty());
  stack.neighbours().heard_answer(*interfaces.find(kLan), address("10.64.37.9"), kPeerMac, true, 1);
  BOOST_REQUIRE_EQUAL(outlet.own.size(), 1U);
  PacketInfo info;
  fastpath::parse(outlet.own[0], info);
  BOOST_TEST(net::to_string(info.destination()) == "10.64.37.9");
  BOOST_TEST((info.kind == fastpath::PacketKind::kIcmpError));
}

BOOST_FIXTURE_TEST_CASE(no_frame_is_too_strange, Fixture) {
  const Bytes whole = ethernet(arp(1, "10.64.37.9", "10.64.37.1"), net::ether_type::kArp);
  const Bytes six = ethernet(icmp6_packet("2001:db8:1::9", "2001:db8:1::1", icmp(128, 0)));
  for (const Bytes& frame : {whole, six}) {
    for (std::size_t length = 0; length < frame.size(); ++length) {
      const std::span cut{frame.data(), length};
      stack.consume(kLan, cut, 0);
      stack.consume(PortId{99}, cut, 0);
      stack.report(fate(Reason::kTtlExpired), cut, 0);
      stack.report_unresolved(fate(Reason::kNextHopUnresolved), cut, 0);
    }
  }
  BOOST_TEST(outlet.sent.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::runtime
