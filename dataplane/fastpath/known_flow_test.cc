// What becomes of packets that belong to a flow: both directions, TCP's states, idle flows, ICMP
// errors, and a policy that changes under a live flow.

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

const std::string_view kClient = "10.64.37.9";
const std::string_view kServer = "59.205.16.10";

Bytes request(const Bytes& payload, std::uint8_t protocol = 6, const Ipv4Options& o = {}) {
  return ethernet(ipv4(kClient, kServer, protocol, payload, o));
}
Bytes answer(const Bytes& payload, std::uint8_t protocol = 6, const Ipv4Options& o = {}) {
  return ethernet(ipv4(kServer, kClient, protocol, payload, o));
}

// One packet of a conversation: who sends it, and how it ends.
struct Step {
  char who;  // c: the client; s: the server
  Bytes payload;
  std::string want;
  Tick wait{0};  // milliseconds before it
};

void converse(const std::string& name, std::uint8_t protocol, const std::vector<Step>& steps) {
  const World world;
  Gate gate;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const Step& step = steps[i];
    gate.now += step.wait;
    const bool client = step.who == 'c';
    const Gate::Out got =
        gate.send(client ? kLan : kCore,
                  client ? request(step.payload, protocol) : answer(step.payload, protocol), world);
    BOOST_TEST(got.reason() == step.want, name << ", packet " << i);
    if (got.fate.reason == Reason::kAllowed) {
      BOOST_TEST(got.fate.reply == !client, name << ", packet " << i);
      BOOST_TEST((got.fate.unit == UnitId{0} && got.fate.to_unit == UnitId{2}), name);
      BOOST_TEST((got.fate.rule == RuleId{0} && got.fate.service == ServiceId{0}), name);
      BOOST_TEST((got.fate.out == (client ? kCore : kLan)), name);
    }
  }
}

Bytes c(std::string_view flags, std::uint32_t seq = 100, std::uint32_t ack = 0,
        std::size_t data = 0) {
  return tcp(1000, 443, flags, {.sequence = seq, .acknowledgment = ack, .payload = data});
}
Bytes s(std::string_view flags, std::uint32_t seq = 500, std::uint32_t ack = 0,
        std::size_t data = 0) {
  return tcp(443, 1000, flags, {.sequence = seq, .acknowledgment = ack, .payload = data});
}
const std::string kOk = "allowed", kNone = "tcp-no-state", kState = "tcp-state";

// RFC 9293 section 3.5 and 3.6.
BOOST_AUTO_TEST_CASE(tcp_conversations) {
  const std::vector<Step> open{{'c', c("S"), kOk},
                               {'s', s("SA", 500, 101), kOk},
                               {'c', c("A", 101, 501), kOk}};
  const auto after_open = [&](std::vector<Step> more) {
    std::vector<Step> all = open;
    for (Step& step : more) all.push_back(step);
    return all;
  };
  converse("data both ways", 6,
           after_open({{'c', c("PA", 101, 501, 10), kOk}, {'s', s("PA", 501, 111, 99), kOk}}));
  converse("the client closes, data still flows, then the server", 6,
           after_open({{'c', c("FA", 101, 501), kOk},
                       {'s', s("A", 501, 102, 50), kOk},
                       {'s', s("FA", 551, 102), kOk},
                       {'c', c("A", 102, 551), kOk},  // of the data only: not over yet
                       {'c', c("A", 102, 552), kOk},
                       {'c', c("A", 102, 552), kNone},
                       {'s', s("A", 552, 102), kNone}}));
  converse("both close at once (RFC 9293 section 3.6, case 3)", 6,
           after_open({{'c', c("FA", 101, 501), kOk},
                       {'s', s("FA", 501, 101), kOk},
                       {'c', c("A", 102, 502), kOk},
                       {'s', s("A", 502, 102), kOk},
                       {'s', s("A", 502, 102), kNone}}));
  converse("reset by the server", 6, after_open({{'s', s("R"), kOk}, {'c', c("A"), kNone}}));
  converse("refused", 6, {{'c', c("S"), kOk}, {'s', s("RA", 0, 101), kOk}, {'s', s("RA"), kNone}});
  converse("a new connection right after the old one", 6,
           after_open({{'c', c("R"), kOk}, {'c', c("S", 900), kOk}, {'s', s("SA"), kOk}}));
  converse("a SYN while both have sent FIN opens anew", 6,
           after_open({{'c', c("FA", 101, 501), kOk},
                       {'s', s("FA", 501, 102), kOk},
                       {'c', c("S", 9000), kOk},
                       {'s', s("SA", 7000, 9001), kOk},
                       {'c', c("A", 9001, 7001), kOk}}));
  converse("retransmitted SYNs", 6,
           {{'c', c("S"), kOk},
            {'c', c("S"), kOk},
            {'s', s("SA"), kOk},
            {'s', s("SA"), kOk},
            {'c', c("A"), kOk}});
  converse("simultaneous open (RFC 9293 figure 8)", 6,
           {{'c', c("S"), kOk},
            {'s', s("S"), kOk},
            {'c', c("SA", 100, 501), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A"), kOk}});
  converse("half-open recovery (RFC 9293 figure 9)", 6,
           {{'c', c("S"), kOk},
            {'s', s("A", 300, 77), kOk},
            {'c', c("R", 77), kOk},
            {'c', c("S"), kOk},
            {'s', s("SA"), kOk}});
  converse(
      "nothing to acknowledge yet", 6,
      {{'c', c("S"), kOk}, {'c', c("A"), kState}, {'c', c("FA"), kState}, {'c', c("SA"), kState}});
  converse("the server may not open by the client's rule", 6, after_open({{'s', s("S"), kState}}));
  converse("a challenge to a repeated SYN (RFC 5961 section 4)", 6,
           after_open({{'c', c("S"), kOk}, {'s', s("A"), kOk}}));
  converse("nobody opens from the other side", 6, {{'s', s("S"), "default-deny"}});
}

// RFC 5382 REQ-5, RFC 4787 REQ-5, RFC 5508 REQ-2.
BOOST_AUTO_TEST_CASE(idle_flows) {
  constexpr Tick kMinute = 60'000;
  const std::vector<Step> open{{'c', c("S"), kOk}, {'s', s("SA"), kOk}, {'c', c("A"), kOk}};
  auto established = open;
  established.push_back({'c', c("A"), kOk, 124 * kMinute - 100});
  established.push_back({'s', s("A"), kOk, 124 * kMinute - 100});
  established.push_back({'s', s("A"), kNone, 124 * kMinute + 100});
  converse("established tcp", 6, established);
  converse("opening tcp", 6,
           {{'c', c("S"), kOk},
            {'s', s("SA"), kOk, 4 * kMinute - 100},
            {'c', c("A"), kNone, 4 * kMinute + 100}});
  const Bytes query = udp(4000, 53), reply = udp(53, 4000);
  converse("udp answered in time", 17,
           {{'c', query, kOk},
            {'s', reply, kOk, 2 * kMinute - 100},
            {'s', reply, kOk, 5 * kMinute - 100},
            {'s', reply, "default-deny", 5 * kMinute + 100}});
  converse("udp answered too late", 17,
           {{'c', query, kOk}, {'s', reply, "default-deny", 2 * kMinute + 100}});
  converse("echo", 1,
           {{'c', icmp(8, 0, 7), kOk},
            {'s', icmp(0, 0, 7), kOk, kMinute - 100},
            {'s', icmp(0, 0, 7), "icmp-unsolicited", kMinute + 100}});
  converse("a clock that goes back", 17,
           {{'c', query, kOk, 1000}, {'s', reply, kOk, Tick(0) - 900}});
}

BOOST_AUTO_TEST_CASE(icmp_queries_have_a_direction) {
  converse("another identifier", 1,
           {{'c', icmp(8, 0, 7), kOk}, {'s', icmp(0, 0, 8), "icmp-unsolicited"}});
  // Unit 2 may ping unit 0 by rule 0 as well: a flow of its own, not the other's replies.
  const World world;
  Gate gate;
  BOOST_TEST(gate.send(kLan, request(icmp(8, 0, 8), 1), world).reason() == "allowed");
  const Gate::Out back = gate.send(kCore, answer(icmp(8, 0, 8), 1), world);
  BOOST_TEST(back.reason() == "allowed");
  BOOST_TEST(!back.fate.reply);
  BOOST_TEST(gate.pipeline->live_flows() == 2U);
  BOOST_TEST(gate.send(kCore, answer(icmp(0, 0, 8), 1), world).fate.reply);
  BOOST_TEST(gate.send(kLan, request(icmp(0, 0, 8), 1), world).fate.reply);
}

// RFC 1812 section 4.3.2, RFC 5508 REQ-4: errors pass by the flow that they quote.
BOOST_AUTO_TEST_CASE(icmp_errors) {
  const World world;
  Gate gate;
  const Bytes original = ipv4(kClient, kServer, 17, udp(4000, 53));
  const auto error = [](std::string_view source, std::string_view destination,
                        const Bytes& quoted) {
    return ethernet(ipv4(source, destination, 1, icmp(3, 1, 0, quoted)));
  };
  const Bytes from_router = error("59.205.16.77", kClient, original);
  BOOST_TEST(gate.send(kCore, from_router, world).reason() == "icmp-unsolicited");
  BOOST_TEST(gate.send(kLan, ethernet(original), world).reason() == "allowed");
  const Gate::Out got = gate.send(kCore, from_router, world);
  BOOST_TEST(got.reason() == "allowed");
  BOOST_TEST(got.fate.reply);
  BOOST_TEST((got.fate.out == kLan && got.fate.unit == UnitId{0} && got.fate.to_unit == UnitId{2} &&
              got.fate.service == ServiceId{0} && got.fate.rule == RuleId{0}));

  const Bytes reply = ipv4(kServer, kClient, 17, udp(53, 4000));
  const Gate::Out forth = gate.send(kLan, error(kClient, kServer, reply), world);
  BOOST_TEST(forth.reason() == "allowed");
  BOOST_TEST(!forth.fate.reply);
  BOOST_TEST((forth.fate.out == kCore));

  struct Case {
    const char* name;
    PortId port;
    Bytes frame;
    const char* want;
  };
  Bytes odd_version = original;
  odd_version[0] = 0x55;
  for (const Case& k : std::vector<Case>{
           {"to another than the quoted sender", kCore, error(kServer, "10.64.37.10", original),
            "icmp-unsolicited"},
           {"other ports", kCore,
            error(kServer, kClient, ipv4(kClient, kServer, 17, udp(4001, 53))), "icmp-unsolicited"},
           {"spoofed all the same", kLan, from_router, "spoofed"},
           {"through another zone than the flow's", kWan, error("8.8.8.8", kClient, original),
            "spoofed"},
           {"a redirect is not relayed", kCore,
            ethernet(ipv4(kServer, kClient, 1, icmp(5, 1, 0, original))), "icmp-unsolicited"},
           {"an error about an error", kCore,
            error(kServer, kClient, ipv4(kClient, kServer, 1, icmp(3, 1))), "icmp-invalid"},
           {"quotes too little", kCore,
            error(kServer, kClient, Bytes(original.begin(), original.begin() + 24)),
            "icmp-invalid"},
           {"quotes nonsense", kCore, error(kServer, kClient, odd_version), "icmp-invalid"},
           {"unknown code", kCore, ethernet(ipv4(kServer, kClient, 1, icmp(3, 16, 0, original))),
            "icmp-invalid"},
       }) {
    BOOST_TEST(gate.send(k.port, k.frame, world).reason() == k.want, k.name);
  }
}

BOOST_AUTO_TEST_CASE(v6_flows_and_errors) {
  const World world;
  Gate gate;
  const Bytes original = ipv6("2001:db8:1::9", "2001:db8:2::10", 17, udp(4000, 53));
  BOOST_TEST(gate.send(kLan, ethernet(original), world).reason() == "allowed");
  const Gate::Out reply =
      gate.send(kCore, ethernet(ipv6("2001:db8:2::10", "2001:db8:1::9", 17, udp(53, 4000))), world);
  BOOST_TEST(reply.reason() == "allowed");
  BOOST_TEST(reply.fate.reply);
  const Bytes too_big = Bytes{2, 0, 0, 0, 0, 0, 5, 0} + original;
  const Gate::Out error =
      gate.send(kCore, ethernet(icmp6_packet("2001:db8:2::1", "2001:db8:1::9", too_big)), world);
  BOOST_TEST(error.reason() == "allowed");
  BOOST_TEST((error.fate.out == kLan));
}

// Within a burst a frame sees the flows that frames before it opened, and ended.
BOOST_AUTO_TEST_CASE(frames_of_a_burst_are_judged_in_order) {
  const World world;
  Gate gate;
  const auto out = gate.send(kLan,
                             {request(c("A")), request(c("S")), request(c("S")), request(c("R")),
                              request(c("A")), request(udp(9, 53), 17), request(udp(9, 53), 17)},
                             world);
  std::string got;
  for (const auto& o : out) got += o.reason() + " ";
  BOOST_TEST(got == "tcp-no-state allowed allowed allowed tcp-no-state allowed allowed ");
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
}

// policy.md section 3: a live flow is judged again after a change.
BOOST_AUTO_TEST_CASE(a_change_of_policy_reaches_live_flows) {
  const World before, denies{{.allow = false}}, no_route{{.core_routes = false}};
  const auto open = [&](Gate& gate) {
    BOOST_TEST(gate.send(kLan, request(udp(9, 53), 17), before).reason() == "allowed");
    (void)gate.events();
    gate.generation = 2;
  };
  struct Case {
    const char* name;
    const World& after;
    bool by_reply;
    const char* want;
  };
  for (const Case& k :
       {Case{"nothing changes", before, false, "allowed"},
        Case{"nothing changes, a reply", before, true, "allowed"},
        Case{"denied", denies, false, "revoked"}, Case{"denied, a reply", denies, true, "revoked"},
        Case{"no route any more", no_route, false, "revoked"}}) {
    Gate gate;
    open(gate);
    const Gate::Out got = k.by_reply ? gate.send(kCore, answer(udp(53, 9), 17), k.after)
                                     : gate.send(kLan, request(udp(9, 53), 17), k.after);
    BOOST_TEST(got.reason() == k.want, k.name);
    BOOST_TEST(got.fate.reply == k.by_reply, k.name);
    const bool revoked = got.fate.reason == Reason::kRevoked;
    BOOST_TEST(gate.pipeline->live_flows() == (revoked ? 0U : 1U), k.name);
    if (!revoked) continue;
    const auto events = gate.events();
    BOOST_REQUIRE(!events.empty());
    BOOST_TEST((events[0].kind == EventKind::kFlowEnd && events[0].end == FlowEnd::kRevoked),
               k.name);
    // And then it is judged as any other.
    BOOST_TEST(gate.send(kLan, request(udp(9, 53), 17), k.after).reason() != "revoked", k.name);
  }
  Gate gate;
  open(gate);
  const Gate::Out denied = gate.send(kLan, request(udp(9, 53), 17), denies);
  BOOST_TEST((denied.fate.rule == RuleId{0} && denied.fate.unit == UnitId{0}));
}

// Only a frame of the terminal itself shows its MAC.
BOOST_AUTO_TEST_CASE(a_changed_mac_reaches_live_flows) {
  const World before, after{{.bound_mac = {2, 0, 0, 0, 0, 0x77}}};
  const Bytes forth = ethernet(ipv4("10.64.38.5", kServer, 17, udp(9, 53)),
                               {.source = {2, 0, 0, 0, 0, 0x55}});
  const Bytes back = ethernet(ipv4(kServer, "10.64.38.5", 17, udp(53, 9)));
  Gate gate;
  BOOST_TEST(gate.send(kLan, forth, before).reason() == "allowed");
  gate.generation = 2;
  BOOST_TEST(gate.send(kCore, back, after).reason() == "allowed");
  BOOST_TEST(gate.send(kCore, back, after).reason() == "allowed");
  BOOST_TEST(gate.send(kLan, forth, after).reason() == "revoked");
  BOOST_TEST(gate.send(kCore, back, after).reason() == "default-deny");
}

// The initiator shows up at another port (anti-spoof is off there): judged as what comes from
// there.
BOOST_AUTO_TEST_CASE(a_flow_is_not_lent_to_another_port) {
  const World world{{.wan_anti_spoof = image::AntiSpoof::kOff}};
  Gate gate;
  const Bytes frame = ethernet(ipv4("59.205.17.9", kServer, 17, udp(9, 53)));
  BOOST_TEST(gate.send(kDmz, frame, world).reason() == "allowed");
  BOOST_TEST(gate.send(kWan, frame, world).reason() == "internet-isolated");
  BOOST_TEST(gate.send(kDmz, frame, world).reason() == "allowed");
  const Bytes reply = ethernet(ipv4(kServer, "59.205.17.9", 17, udp(53, 9)));
  BOOST_TEST(gate.send(kWan, reply, world).reason() == "spoofed");
  BOOST_TEST(gate.send(kCore, reply, world).reason() == "allowed");
}

BOOST_AUTO_TEST_CASE(a_full_table_is_a_named_drop) {
  const World world;
  Gate gate{{.flow_capacity = 16, .assume_resolved = true, .hash_seed = 1}};
  std::size_t full = 0;
  for (std::uint16_t i = 0; i < 20; ++i) {
    const Gate::Out got =
        gate.send(kLan, request(udp(static_cast<std::uint16_t>(1000 + i), 53), 17), world);
    if (got.reason() == "flow-table-full") {
      ++full;
      BOOST_TEST((got.fate.step == NextStep::kDrop));
      BOOST_TEST((got.fate.rule == RuleId{0}));
    }
  }
  BOOST_TEST(full >= 4U);
  BOOST_TEST(gate.pipeline->live_flows() == 20 - full);
  // Room comes back with time.
  gate.now += 3'600'000;
  for (int i = 0; i < 100; ++i) gate.pipeline->expire(gate.now += 20);
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
  BOOST_TEST(gate.send(kLan, request(udp(1, 53), 17), world).reason() == "allowed");
}

}  // namespace
}  // namespace meiguan::fastpath
