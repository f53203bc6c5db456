// What leaves the gateway, what is counted and what is told.

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <random>

#include "dataplane/fastpath/fragment_fixture.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/net/checksum.h"
#include "dataplane/net/reader.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

const std::string_view kClient = "10.64.37.9";
const std::string_view kServer = "59.205.16.10";
constexpr net::MacAddress kNextMac{2, 0, 0, 0, 9, 9};

struct Sent {
  net::EthernetHeader ethernet{};
  std::uint16_t tag{0};
  net::Ipv4Header ip{};
  bool checksum_right{false};
};
Sent read(const Bytes& frame) {
  Sent sent;
  net::Reader reader{frame};
  BOOST_REQUIRE(reader.read(sent.ethernet));
  if (sent.ethernet.type.host() == net::ether_type::kVlan) {
    net::VlanTag tag;
    BOOST_REQUIRE(reader.read(tag));
    sent.tag = tag.control.host();
    sent.ethernet.type = tag.type;
  }
  BOOST_REQUIRE(reader.read(sent.ip));
  sent.checksum_right = net::checksum_holds(sent.ip);
  return sent;
}

// A link that is gone is a reason of its own, for new and for known flows, and no packet counts as
// allowed.
BOOST_AUTO_TEST_CASE(what_would_leave_by_a_port_without_a_link) {
  const World world;
  Gate gate;
  const Bytes packet = ethernet(ipv4(kClient, kServer, 17, udp(9, 53, 4)));
  struct Case {
    const char* name;
    bool core_up;
    bool lan_up;
    const char* want;
  };
  for (const Case& c :
       {Case{"both up", true, true, "allowed"}, Case{"the out-port down", false, true, "port-down"},
        Case{"the in-port's own link does not matter", true, false, "allowed"},
        Case{"up again", true, true, "allowed"}}) {
    gate.pipeline->set_port_up(kCore, c.core_up);
    gate.pipeline->set_port_up(kLan, c.lan_up);
    BOOST_TEST(gate.send(kLan, packet, world).reason() == c.want, c.name);
  }
  BOOST_TEST(gate.counters.reason(Reason::kPortDown).traffic.packets.value() == 1U);
  BOOST_TEST(gate.counters.reason(Reason::kAllowed).traffic.packets.value() == 3U);
}

// RFC 1812 section 5.3.1; IEEE 802.1Q.
BOOST_AUTO_TEST_CASE(frames_leave_rewritten) {
  NeighbourTable neighbours{16};
  BOOST_TEST(neighbours.set(kCore, address("10.0.0.2"), kNextMac));
  BOOST_TEST(neighbours.set(kLan, address("10.64.37.9"), kNextMac));
  BOOST_TEST(neighbours.set(kTagged, address("10.64.40.9"), kNextMac));
  const World world;
  struct Case {
    const char* name;
    PortId in;
    Bytes frame;
    std::uint16_t tag;  // wanted
    std::uint8_t mac4;  // the fifth byte of the out-port's MAC
    std::size_t bytes;
  };
  const auto packet = [](std::string_view source, std::string_view destination) {
    return ipv4(source, destination, 17, udp(9, 53, 4), {.ttl = 9});
  };
  for (const Case& c : std::vector<Case>{
           {"untagged", kLan, ethernet(packet(kClient, kServer)), 0, 1, 46},
           {"padding goes", kLan, ethernet(packet(kClient, kServer), {.padding = 14}), 0, 1, 46},
           {"a tag goes", kLan, ethernet(packet("10.64.40.9", kServer), {.vlan = 200}), 0, 1, 46},
           {"a tag comes", kCore, ethernet(packet(kServer, "10.64.40.9")), 200, 0, 50},
           {"a tag changes, its priority stays", kLan,
            ethernet(packet(kClient, "10.64.40.9"), {.vlan = 0xa000}), 0xa000 | 200, 0, 50},
       }) {
    Gate gate{{.flow_capacity = 64, .hash_seed = 1}, &neighbours};
    const Gate::Out got = gate.send(c.in, c.frame, world);
    BOOST_TEST(got.reason() == "allowed", c.name);
    BOOST_TEST((got.fate.step == NextStep::kSend), c.name);
    BOOST_TEST(got.frame.size() == c.bytes, c.name);
    const Sent sent = read(got.frame);
    BOOST_TEST(sent.tag == c.tag, c.name);
    BOOST_TEST((sent.ethernet.destination == kNextMac), c.name);
    BOOST_TEST(int{sent.ethernet.source[4]} == int{c.mac4}, c.name);
    BOOST_TEST(int{sent.ip.ttl} == 8, c.name);
    BOOST_TEST(sent.checksum_right, c.name);
  }
}

BOOST_AUTO_TEST_CASE(next_hops) {
  const World world;
  NeighbourTable neighbours{16};
  Gate gate{{.flow_capacity = 64, .hash_seed = 1}, &neighbours};
  const Bytes frame = ethernet(ipv4(kClient, kServer, 17, udp(9, 53)));
  Gate::Out got = gate.send(kLan, frame, world);
  BOOST_TEST((got.fate.step == NextStep::kResolve && got.fate.reason == Reason::kAllowed));
  BOOST_TEST((got.fate.next_hop == address("10.0.0.2") && got.fate.out == kCore));
  BOOST_TEST((read(got.frame).ethernet.destination == net::MacAddress{}));
  BOOST_TEST(gate.counters.totals().packets.value() == 0U);  // whoever holds it counts it
  neighbours.set(kCore, address("10.0.0.2"), kNextMac);
  BOOST_TEST((gate.send(kLan, frame, world).fate.step == NextStep::kSend));
  neighbours.forget(kCore, address("10.0.0.2"));
  BOOST_TEST((gate.send(kLan, frame, world).fate.step == NextStep::kResolve));
  // On-link the destination is its own next hop; back to the initiator too.
  got = gate.send(kCore, ethernet(ipv4(kServer, kClient, 17, udp(53, 9))), world);
  BOOST_TEST((got.fate.next_hop == address(kClient)));
  Gate replay;
  got = replay.send(kLan, frame, world);
  BOOST_TEST((got.fate.step == NextStep::kSend));
}

BOOST_AUTO_TEST_CASE(steps_of_drops) {
  const World world;
  struct Case {
    const char* name;
    Bytes frame;
    NextStep want;
  };
  for (const Case& c : std::vector<Case>{
           {"ttl", ethernet(ipv4(kClient, kServer, 17, udp(9, 53), {.ttl = 1})), NextStep::kReport},
           {"mtu", ethernet(ipv4(kClient, kServer, 17, udp(9, 53, 2000))), NextStep::kReport},
           {"no route", ethernet(ipv6("2001:db8:1::9", "fd00::9", 17, udp(9, 53))),
            NextStep::kReport},
           {"denied", ethernet(ipv4(kClient, kServer, 17, udp(9, 54))), NextStep::kDrop},
           {"malformed", Bytes(10), NextStep::kDrop},
       }) {
    Gate gate;
    const Gate::Out got = gate.send(kLan, c.frame, world);
    BOOST_TEST((got.fate.step == c.want), c.name);
    BOOST_TEST((got.frame == c.frame), c.name);  // untouched
    BOOST_TEST(gate.pipeline->live_flows() == 0U, c.name);
  }
}

BOOST_AUTO_TEST_CASE(what_is_counted) {
  const World world;
  Gate gate;
  const Bytes forth = ethernet(ipv4(kClient, kServer, 6, tcp(9, 443, "S")));
  gate.send(kLan, forth, world);
  gate.send(kLan, forth, world);
  gate.send(kCore, ethernet(ipv4(kServer, kClient, 6, tcp(443, 9, "SA"))), world);
  gate.send(kLan, ethernet(ipv4(kClient, kServer, 17, udp(9, 54))), world);
  gate.send(kLan, ethernet(ipv4(kClient, "59.205.16.11", 6, tcp(9, 8080, "S"))), world);
  gate.send(kLan, ethernet(arp(1, kClient, "10.64.37.1"), 0x0806), world);
  gate.send(kLan, Bytes(5), world);
  const CounterBlock& n = gate.counters;
  BOOST_TEST(n.totals().packets.value() == 7U);
  BOOST_TEST(n.totals().flows_created.value() == 2U);
  BOOST_TEST(n.reason(Reason::kAllowed).traffic.packets.value() == 4U);
  BOOST_TEST(n.reason(Reason::kAllowed).traffic.bytes.value() == 4U * 54);
  BOOST_TEST(n.reason(Reason::kFrameShort).traffic.packets.value() == 1U);
  BOOST_TEST(n.port(kLan).received.packets.value() == 6U);
  BOOST_TEST(n.port(kLan).dropped.value() == 2U);
  BOOST_TEST(n.port(kLan).local.value() == 1U);
  BOOST_TEST(n.unit(UnitId{0}).sent.packets.value() == 3U);
  BOOST_TEST(n.unit(UnitId{0}).sent.bytes.value() == 120U);
  BOOST_TEST(n.unit(UnitId{0}).received.packets.value() == 1U);
  BOOST_TEST(n.unit(UnitId{0}).flows.value() == 2U);
  BOOST_TEST(n.unit(UnitId{0}).denied.value() == 1U);
  BOOST_TEST(n.unit(UnitId{2}).sent.packets.value() == 1U);
  BOOST_TEST(n.unit(UnitId{2}).received.packets.value() == 3U);
  BOOST_TEST(n.service(ServiceId{0}).requests.packets.value() == 2U);
  BOOST_TEST(n.service(ServiceId{0}).replies.packets.value() == 1U);
  BOOST_TEST(n.service(ServiceId{0}).flows.value() == 1U);
  BOOST_TEST(n.rule(RuleId{0}).hits.value() == 1U);
  BOOST_TEST(n.rule(RuleId{0}).traffic.packets.value() == 3U);
  BOOST_TEST(n.rule(RuleId{1}).hits.value() == 1U);
  BOOST_TEST(n.rule(RuleId{1}).traffic.packets.value() == 1U);
  BOOST_TEST(n.rule(RuleId{2}).audited.value() == 1U);
  BOOST_TEST(n.rule(RuleId{3}).hits.value() == 1U);
}

// RFC 1624 and its corners: whatever the header, what leaves has a right checksum.
BOOST_AUTO_TEST_CASE(every_header_leaves_with_its_checksum) {
  const World world;
  Gate gate;
  for (unsigned identification = 0; identification <= 0xffff; identification += 3) {
    Ipv4Options ip;
    ip.identification = static_cast<std::uint16_t>(identification);
    ip.ttl = static_cast<std::uint8_t>(2 + identification % 254);
    const Gate::Out got = gate.send(kLan, ethernet(ipv4(kClient, kServer, 17, udp(9, 53), ip)),
                                    world);
    net::Ipv4Header out;
    std::memcpy(&out, got.frame.data() + sizeof(net::EthernetHeader), sizeof out);
    const std::span<const std::uint8_t> bytes{got.frame};
    const net::Be16 sum = net::checksum(bytes.subspan(sizeof(net::EthernetHeader), sizeof out));
    if (got.reason() == "allowed" && out.ttl == ip.ttl - 1 && sum == net::Be16{} &&
        out.checksum != net::Be16::from_host(0xffff)) {
      continue;
    }
    BOOST_TEST(false, "identification " << identification << " " << got.reason());
  }
}

// Whatever comes in: one reason each, and the sums agree.
BOOST_AUTO_TEST_CASE(every_frame_ends_with_one_reason) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  FragmentGate held;  // a flipped bit makes a fragment, which is kept until the end
  Gate& gate = held.gate;
  std::uint64_t frames = 0;
  for (int round = 0; round < 3000; ++round) {
    Bytes frame = round % 2 == 0
                      ? ethernet(ipv4(kClient, kServer, 6, tcp(9, 443, "S")))
                      : ethernet(ipv6("2001:db8:1::9", "2001:db8:2::10", 17, udp(9, 53)));
    for (unsigned flips = random() % 4; flips != 0; --flips) {
      frame[random() % frame.size()] = static_cast<std::uint8_t>(random());
    }
    frame.resize(frame.size() - (random() % 4 == 0 ? random() % frame.size() : 0));
    held.send(frame, PortId{static_cast<std::uint16_t>(random() % 4)});
    ++frames;
    gate.now += 10;
    held.expire();
  }
  held.end();
  for (const FragmentGate::Sent& sent : held.all) {
    BOOST_TEST((find_reason(sent.fate.reason) != nullptr && sent.ended == 1), "seed " << seed);
  }
  std::uint64_t sum = 0;
  for (const ReasonInfo& info : kReasons) {
    sum += gate.counters.reason(info.reason).traffic.packets.value();
  }
  BOOST_TEST(sum == frames, "seed " << seed);
  BOOST_TEST(gate.counters.totals().packets.value() == frames, "seed " << seed);
  BOOST_TEST(gate.counters.totals().flows_created.value() ==
             gate.counters.totals().flows_ended.value());
}

BOOST_AUTO_TEST_CASE(what_is_told) {
  const World world;
  Gate gate{{.flow_capacity = 64,
             .assume_resolved = true,
             .hash_seed = 1,
             .periodic_report_ms = 60'000,
             .denial_events_per_second = 3}};
  const auto kinds = [&] {
    std::string text;
    for (const Event& e : gate.events()) {
      text += "?SPEDTA"[static_cast<int>(e.kind)];
      text += std::to_string(e.packets) + " ";
    }
    return text;
  };
  const Bytes forth = ethernet(ipv4(kClient, kServer, 6, tcp(9, 443, "S")));
  gate.send(kLan, forth, world);
  gate.send(kCore, ethernet(ipv4(kServer, kClient, 6, tcp(443, 9, "RA", {.acknowledgment = 101}))),
            world);
  const auto flow = gate.events();
  BOOST_REQUIRE(flow.size() == 2U);
  BOOST_TEST((flow[0].kind == EventKind::kFlowStart && flow[1].kind == EventKind::kFlowEnd));
  BOOST_TEST((flow[1].end == FlowEnd::kReset && flow[1].source == address(kClient)));
  BOOST_TEST((flow[1].in_port == kLan && flow[1].out_port == kCore && flow[1].rule == RuleId{0}));
  BOOST_TEST((flow[1].packets == 1 && flow[1].reply_packets == 1 && flow[1].bytes == 40));
  BOOST_TEST(flow[1].tcp_flags == (0x02 << 8 | 0x14));
  BOOST_TEST(flow[1].destination_port == 443);

  gate.send(kLan, ethernet(ipv4(kClient, "59.205.16.11", 6, tcp(9, 8080, "S"))), world);
  BOOST_TEST(kinds() == "A1 S1 ");

  // Denials: three in a second, then a number.
  for (int i = 0; i < 10; ++i)
    gate.send(kLan, ethernet(ipv4(kClient, kServer, 17, udp(9, 54))), world);
  BOOST_TEST(kinds() == "D1 D1 D1 ");
  gate.now += 1000;
  gate.send(kLan, ethernet(ipv4(kClient, kServer, 17, udp(9, 54))), world);
  BOOST_TEST(kinds() == "D7 D1 ");

  gate.pipeline->set_trace(true);
  gate.send(kLan, ethernet(ipv4(kClient, "59.205.16.11", 6, tcp(9, 8080, "S"))), world);
  gate.pipeline->set_trace(false);
  const auto traced = gate.events();
  BOOST_REQUIRE(traced.size() == 1U);
  BOOST_TEST((traced[0].kind == EventKind::kPacket && traced[0].sequence == 14));

  // The flow to port 8080 is reported each minute while it lives, and when it has been idle.
  gate.events();
  for (int second = 0; second < 130; ++second) {
    gate.now += 1000;
    for (int i = 0; i < 3; ++i) gate.pipeline->expire(gate.now += 1);
  }
  BOOST_TEST(kinds() == "P2 P2 ");
  for (int second = 0; second < 120; ++second) {
    for (int i = 0; i < 3; ++i) gate.pipeline->expire(gate.now += 1000);
  }
  const std::string rest = kinds();
  BOOST_TEST(rest.ends_with("E2 "));
  BOOST_TEST(gate.counters.totals().events_lost.value() == 0U);
}

BOOST_AUTO_TEST_CASE(flows_can_be_listed) {
  const World world;
  Gate gate;
  for (std::uint16_t i = 1; i <= 25; ++i) {
    gate.send(kLan, ethernet(ipv4(kClient, kServer, 17, udp(i, 53))), world);
  }
  std::vector<Event> page(10);
  std::vector<bool> seen(26, false);
  std::uint32_t cursor = 0;
  std::size_t all = 0;
  do {
    std::size_t count = 0;
    cursor = gate.pipeline->list_flows(cursor, page, count);
    for (std::size_t i = 0; i < count; ++i) seen[page[i].source_port] = true;
    all += count;
  } while (cursor != 0);
  BOOST_TEST(all == 25U);
  BOOST_TEST(std::count(seen.begin(), seen.end(), true) == 25);
}

// The owner is the same for both directions and for what quotes them.
BOOST_AUTO_TEST_CASE(owners) {
  const Bytes forth = ethernet(ipv4(kClient, kServer, 17, udp(9, 53)));
  const std::uint32_t owner = Pipeline::owner_hash(forth);
  BOOST_TEST(owner != 0U);
  BOOST_TEST(Pipeline::owner_hash(ethernet(ipv4(kServer, kClient, 17, udp(53, 9)))) == owner);
  const Bytes error = icmp(11, 0, 0, ipv4(kClient, kServer, 17, udp(9, 53)));
  BOOST_TEST(Pipeline::owner_hash(ethernet(ipv4("59.205.16.1", kClient, 1, error))) == owner);
  BOOST_TEST(Pipeline::owner_hash(ethernet(ipv4(kServer, kClient, 17, udp(53, 10)))) != owner);
  const std::uint32_t ping = Pipeline::owner_hash(
      ethernet(ipv4(kClient, kServer, 1, icmp(8, 0, 5))));
  BOOST_TEST(Pipeline::owner_hash(ethernet(ipv4(kServer, kClient, 1, icmp(0, 0, 5)))) == ping);
  BOOST_TEST(Pipeline::owner_hash(Bytes(3)) == 0U);
  BOOST_TEST(Pipeline::owner_hash(ethernet(arp(1, kClient, kServer), 0x0806)) == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
