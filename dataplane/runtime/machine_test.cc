#include "dataplane/runtime/machine.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <string_view>

#include "dataplane/fastpath/judge.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/test_frames.h"
#include "dataplane/fastpath/test_image.h"
#include "dataplane/runtime/own_stack.h"
#include "dataplane/runtime/test_outlet.h"

namespace meiguan::runtime {
namespace {

using namespace fastpath::test;
using fastpath::PacketInfo;
using fastpath::Tick;

constexpr std::uint8_t kOspf = 89;

image::LocalService service(PortId port, std::string_view from, std::uint8_t length,
                            std::uint8_t protocol, std::uint16_t first, std::uint16_t last,
                            bool whole) {
  image::LocalService record{};
  record.from = address(from);
  record.length = length;
  record.protocol = protocol;
  record.whole = whole ? 1 : 0;
  record.port = port.value();
  record.first = first;
  record.last = last;
  return record;
}

// SSH from a part of lan, OSPF from all of it.
WorldOptions offering() {
  WorldOptions options;
  options.local_services = {
      service(kLan, "10.64.37.0", 28, net::protocol::kTcp, 22, 22, false),
      service(kLan, "10.64.37.0", 24, kOspf, 0, 65535, true),
  };
  return options;
}

struct Fixture {
  World world{offering()};
  std::vector<net::MacAddress> macs = std::vector<net::MacAddress>(world.image().ports().size(),
                                                                   kOwnMac);
  Interfaces interfaces{world.image(), macs};
  const Interface& lan = interfaces.all()[kLan.index()];
  image::Blocks nobody;
  Machine machine;

  bool enters(const Bytes& frame, Tick now = 0) {
    PacketInfo info;
    fastpath::parse(frame, info);
    BOOST_REQUIRE(info.well_formed());
    return machine.may_enter(world.image(), lan, info, now);
  }
  bool leaves(const Bytes& frame, Tick now = 0) {
    return machine.may_leave(world.image(), lan, frame, nobody, now);
  }
};

Bytes from_wire(std::string_view source, std::uint8_t protocol, const Bytes& payload) {
  return ethernet(ipv4(source, "10.64.37.1", protocol, payload));
}
Bytes from_kernel(std::string_view source, std::string_view destination, std::uint8_t protocol,
                  const Bytes& payload, const net::MacAddress& mac = kOwnMac) {
  return ethernet(ipv4(source, destination, protocol, payload), {.source = mac});
}
// A question of `mac` for 10.64.37.9.
Bytes question(std::string_view sender, const net::MacAddress& mac) {
  Bytes frame = ethernet(arp(1, sender, "10.64.37.9"), net::ether_type::kArp, {.source = mac});
  constexpr std::size_t kSender = sizeof(net::EthernetHeader) + 8;
  std::copy(mac.begin(), mac.end(), frame.begin() + kSender);
  return frame;
}
constexpr std::uint8_t kTcp = net::protocol::kTcp;
constexpr std::uint8_t kUdp = net::protocol::kUdp;
constexpr std::uint8_t kIcmp = net::protocol::kIcmp;

}  // namespace

BOOST_AUTO_TEST_SUITE(machine)

BOOST_FIXTURE_TEST_CASE(only_what_is_offered_enters, Fixture) {
  struct Case {
    const char* name;
    Bytes frame;
    bool enters;
  };
  const Case cases[] = {
      {"ssh from where it is offered", from_wire("10.64.37.9", kTcp, tcp(4000, 22, "S")), true},
      {"ssh from elsewhere", from_wire("10.64.37.99", kTcp, tcp(4000, 22, "S")), false},
      {"another port", from_wire("10.64.37.9", kTcp, tcp(4000, 23, "S")), false},
      {"another protocol on the port", from_wire("10.64.37.9", kUdp, udp(4000, 22)), false},
      {"an answer to nothing", from_wire("10.64.37.9", kTcp, tcp(22, 4000, "SA")), false},
      {"a protocol without ports", from_wire("10.64.37.99", kOspf, Bytes(24)), true},
      {"another such protocol", from_wire("10.64.37.99", 112, Bytes(24)), false},
      {"echo from anybody", from_wire("10.64.37.99", kIcmp, icmp(net::icmp::kEchoRequest, 0)),
       true},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) { BOOST_TEST(enters(c.frame) == c.enters); }
  }
  BOOST_TEST(machine.counts().received == 3U);
  BOOST_TEST(machine.counts().refused == 5U);
}

BOOST_FIXTURE_TEST_CASE(the_kernel_speaks_for_itself_alone, Fixture) {
  struct Case {
    const char* name;
    Bytes frame;
    bool leaves;
  };
  const Bytes payload = udp(123, 123);
  const Case cases[] = {
      {"from its own address", from_kernel("10.64.37.1", "192.0.2.9", kUdp, payload), true},
      {"from its second one", from_kernel("10.64.38.1", "192.0.2.9", kUdp, payload), true},
      {"forwarded by the kernel", from_kernel("10.64.37.9", "192.0.2.9", kUdp, payload), false},
      {"from another port's address", from_kernel("203.0.113.1", "10.64.37.9", kUdp, payload),
       false},
      {"from a foreign MAC", from_kernel("10.64.37.1", "192.0.2.9", kUdp, payload, kPeerMac),
       false},
      {"ARP of its own", question("10.64.37.1", kOwnMac), true},
      {"ARP for another address", question("10.64.37.66", kOwnMac), false},
      {"with a tag",
       ethernet(ipv4("10.64.37.1", "192.0.2.9", kUdp, payload), {.source = kOwnMac, .vlan = 5}),
       false},
      {"not a frame", Bytes(9), false},
      {"too large for the port", from_kernel("10.64.37.1", "192.0.2.9", kUdp, udp(123, 123, 9000)),
       false},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) { BOOST_TEST(leaves(c.frame) == c.leaves); }
  }
  BOOST_TEST(machine.counts().sent == 3U);
  BOOST_TEST(machine.counts().unsent == 7U);
}

BOOST_FIXTURE_TEST_CASE(answers_to_what_the_kernel_began_enter, Fixture) {
  const Bytes answer = from_wire("10.64.37.200", kTcp, tcp(179, 5000, "SA"));
  BOOST_TEST(!enters(answer));
  // A segment in the middle begins nothing.
  BOOST_TEST(leaves(from_kernel("10.64.37.1", "10.64.37.200", kTcp, tcp(5000, 179, "A"))));
  BOOST_TEST(!enters(answer));
  BOOST_TEST(leaves(from_kernel("10.64.37.1", "10.64.37.200", kTcp, tcp(5000, 179, "S"))));
  BOOST_TEST(enters(answer));
  BOOST_TEST(!enters(from_wire("10.64.37.200", kTcp, tcp(179, 5001, "SA"))),
             "another port of ours");
  BOOST_TEST(!enters(from_wire("10.64.37.201", kTcp, tcp(179, 5000, "SA"))), "another peer");
  BOOST_TEST(enters(answer, OwnConversations::kIdleTcp - 1));
  BOOST_TEST(!enters(answer, OwnConversations::kIdleTcp), "it was silent for too long");
}

// Groups of the link are for the machine where it offers their protocol, and nowhere else.
BOOST_FIXTURE_TEST_CASE(groups_of_offered_protocols_are_heard, Fixture) {
  struct Case {
    const char* name;
    PortId in;
    const char* group;
    std::uint8_t protocol;
    bool heard;
  };
  const Case cases[] = {
      {"OSPF", kLan, "224.0.0.5", kOspf, true},
      {"VRRP, which is not offered", kLan, "224.0.0.18", 112, false},
      {"OSPF beyond the link", kLan, "239.0.0.5", kOspf, false},
      {"OSPF at another port", kCore, "224.0.0.5", kOspf, false},
  };
  for (const Case& c : cases) {
    fastpath::Opening opening;
    opening.family = net::Family::kIpv4;
    opening.protocol = {c.protocol, 0};
    opening.source = address("10.64.37.9");
    opening.destination = address(c.group);
    opening.in = c.in;
    fastpath::Routes routes;
    const auto reason = fastpath::judge_addresses(world.image(), opening, routes);
    BOOST_TEST_CONTEXT(c.name) {
      BOOST_TEST(routes.to_gateway == c.heard);
      BOOST_TEST((reason == fastpath::Reason::kDestinationMulticast) == !c.heard);
    }
  }
}

// A service that is no longer offered is not kept open by the answers that it gave before.
BOOST_FIXTURE_TEST_CASE(answers_of_a_service_begin_nothing, Fixture) {
  WorldOptions options = offering();
  options.local_services.push_back(service(kLan, "10.64.37.0", 24, kUdp, 123, 123, false));
  const World before{options};
  const Bytes answer = from_kernel("10.64.37.1", "10.64.37.9", kUdp, udp(123, 4000));
  BOOST_TEST(machine.may_leave(before.image(), lan, answer, nobody, 0));
  BOOST_TEST(!enters(from_wire("10.64.37.9", kUdp, udp(4000, 123))));
}

BOOST_FIXTURE_TEST_CASE(floods_are_limited, Fixture) {
  const Bytes flood = from_wire("10.64.37.9", kTcp, tcp(4000, 22, "S"));
  for (unsigned i = 0; i < 5000; ++i) (void)enters(flood, 1);
  BOOST_TEST(machine.counts().received == 2000U);
  BOOST_TEST(machine.counts().limited == 3000U);
}

BOOST_FIXTURE_TEST_CASE(the_oldest_conversation_gives_way, Fixture) {
  for (std::size_t i = 0; i <= OwnConversations::kMost; ++i) {
    const auto port = static_cast<std::uint16_t>(i + 1000);
    BOOST_REQUIRE(leaves(from_kernel("10.64.37.1", "10.64.37.200", kUdp, udp(port, 53)), 10 + i));
  }
  const Tick now = 10 + OwnConversations::kMost;
  BOOST_TEST(!enters(from_wire("10.64.37.200", kUdp, udp(53, 1000)), now));
  BOOST_TEST(enters(from_wire("10.64.37.200", kUdp, udp(53, 1001)), now));
}

// Who answers where a port has a TAP: the kernel for the port's addresses.
BOOST_FIXTURE_TEST_CASE(the_kernel_answers_for_a_port_with_a_tap, Fixture) {
  fastpath::NeighbourTable table{64};
  test::TestOutlet outlet;
  outlet.machine = kLan;
  OwnStack stack{table, 64, outlet};
  stack.adopt(interfaces, 0);
  const auto ask = [](std::string_view target) {
    return ethernet(arp(1, "10.64.37.9", target), net::ether_type::kArp);
  };
  const Bytes asked = ask("10.64.37.1");
  stack.consume(kLan, asked, 0);
  BOOST_TEST(outlet.to_kernel.size() == 1U);
  BOOST_TEST(outlet.sent.empty());
  stack.consume(kLan, ask("10.64.37.77"), 0);
  BOOST_TEST(outlet.to_kernel.size() == 1U, "not for others' addresses");
  stack.consume(kLan, from_wire("10.64.37.9", kIcmp, icmp(net::icmp::kEchoRequest, 0)), 0);
  BOOST_TEST(outlet.to_kernel.size() == 2U);
  stack.consume(kLan, from_wire("10.64.37.9", kTcp, tcp(4000, 80, "S")), 0);
  BOOST_TEST(outlet.to_kernel.size() == 2U);
  stack.from_machine(kLan, from_kernel("10.64.37.1", "10.64.37.9", kTcp, tcp(22, 4000, "SA")),
                     nobody, 0);
  BOOST_TEST(outlet.sent.size() == 1U);
  stack.consume(kLan,
                ethernet(
                    ipv4("10.64.37.9", "203.0.113.1", kIcmp, icmp(net::icmp::kEchoRequest, 0))),
                0);
  BOOST_TEST(outlet.sent.size() == 2U, "another port's address is not the kernel's here");
  outlet.machine = {};
  stack.consume(kLan, asked, 0);
  BOOST_TEST(outlet.sent.size() == 3U, "without a TAP the gateway answers itself");
}

BOOST_AUTO_TEST_CASE(tags_come_and_go) {
  const Bytes plain = from_wire("10.64.37.9", kUdp, udp(1, 2));
  const Bytes with = tagged(plain, 101);
  BOOST_TEST(with.size() == plain.size() + 4);
  BOOST_TEST(untagged(with) == plain);
  BOOST_TEST(untagged(plain) == plain);
  BOOST_TEST(tagged(Bytes(3), 101) == Bytes(3));
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::runtime
