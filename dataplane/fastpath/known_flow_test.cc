// What becomes of packets that belong to a flow: both directions, TCP's states, idle flows, and a
// policy that changes under a live flow.

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/conversation_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

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
  converse("reset by the server", 6, after_open({{'s', s("R", 501), kOk}, {'c', c("A"), kNone}}));
  converse("refused", 6, {{'c', c("S"), kOk}, {'s', s("RA", 0, 101), kOk}, {'s', s("RA"), kNone}});
  converse("a new connection right after the old one", 6,
           after_open(
               {{'c', c("R", 101), kOk}, {'c', c("S", 900), kOk}, {'s', s("SA", 1, 901), kOk}}));
  converse("a SYN while both have sent FIN opens anew", 6,
           after_open({{'c', c("FA", 101, 501), kOk},
                       {'s', s("FA", 501, 102), kOk},
                       {'c', c("S", 9000), kOk},
                       {'s', s("SA", 7000, 9001), kOk},
                       {'c', c("A", 9001, 7001), kOk}}));
  converse("retransmitted SYNs", 6,
           {{'c', c("S"), kOk},
            {'c', c("S"), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A", 101, 501), kOk}});
  converse("simultaneous open (RFC 9293 figure 8)", 6,
           {{'c', c("S"), kOk},
            {'s', s("S"), kOk},
            {'c', c("SA", 100, 501), kOk},
            {'s', s("SA", 500, 101), kOk},
            {'c', c("A", 101, 501), kOk}});
  converse("half-open recovery (RFC 9293 figure 9)", 6,
           {{'c', c("S"), kOk},
            {'s', s("A", 300, 77), kOk},
            {'c', c("R", 77), kOk},
            {'c', c("S"), kOk},
            {'s', s("SA", 500, 101), kOk}});
  converse(
      "nothing to acknowledge yet", 6,
      {{'c', c("S"), kOk}, {'c', c("A"), kState}, {'c', c("FA"), kState}, {'c', c("SA"), kState}});
  converse("the server may not open by the client's rule", 6, after_open({{'s', s("S"), kState}}));
  converse("a challenge to a repeated SYN (RFC 5961 section 4)", 6,
           after_open({{'c', c("S"), kOk}, {'s', s("A", 501, 101), kOk}}));
  converse("nobody opens from the other side", 6, {{'s', s("S"), "default-deny"}});
}

// RFC 5382 REQ-5, RFC 4787 REQ-5, RFC 5508 REQ-2.
BOOST_AUTO_TEST_CASE(idle_flows) {
  constexpr Tick kMinute = 60'000;
  const Bytes client_ack = c("A", 101, 501), server_ack = s("A", 501, 101);
  const std::vector<Step> open{{'c', c("S"), kOk},
                               {'s', s("SA", 500, 101), kOk},
                               {'c', client_ack, kOk}};
  auto established = open;
  established.push_back({'c', client_ack, kOk, 124 * kMinute - 100});
  established.push_back({'s', server_ack, kOk, 124 * kMinute - 100});
  established.push_back({'s', server_ack, kNone, 124 * kMinute + 100});
  converse("established tcp", 6, established);
  converse("opening tcp", 6,
           {{'c', c("S"), kOk},
            {'s', s("SA", 500, 101), kOk, 4 * kMinute - 100},
            {'c', client_ack, kNone, 4 * kMinute + 100}});
  // Nobody shortens an established connection's time by a SYN; a reset that may have been taken
  // leaves it the time of a closing one, unless it goes on.
  auto doubted = open;
  doubted.push_back({'c', c("S", 77'777), kOk});
  doubted.push_back({'s', server_ack, kOk, 124 * kMinute - 100});
  doubted.push_back({'c', c("PA", 101, 501, 10), kOk});
  doubted.push_back({'c', c("R", 111), kOk});
  doubted.push_back({'s', s("A", 501, 111), kOk, 4 * kMinute - 100});
  doubted.push_back({'s', s("A", 501, 111), kOk, 124 * kMinute - 100});
  converse("a SYN and a reset that nobody took", 6, doubted);
  auto aborted = open;
  aborted.push_back({'c', c("PA", 101, 501, 10), kOk});
  aborted.push_back({'c', c("R", 111), kOk});
  aborted.push_back({'s', s("A", 501, 111), kNone, 4 * kMinute + 100});
  converse("a reset with data on its way", 6, aborted);
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

// A service's own time-outs hold for its flows, from the next packet on for those that are live.
BOOST_AUTO_TEST_CASE(a_service_has_its_own_time_outs) {
  const World usual, own{{.service_timeouts = image::TimeoutRecord{.tcp_established = 30,
                                                                   .tcp_transitory = 20,
                                                                   .tcp_half_open = 5,
                                                                   .udp = 240,
                                                                   .udp_answered = 600,
                                                                   .icmp = 120,
                                                                   .other = 300}}};
  const auto ends_after = [&](const World& at_first, const World& later, bool whole, Tick idle) {
    Gate gate;
    gate.send(kLan, request(c("S")), at_first);
    if (whole) {
      gate.send(kCore, answer(s("SA", 500, 101)), at_first);
      gate.send(kLan, request(c("A", 101, 501)), at_first);
    }
    const bool other_image = &later != &at_first;
    if (other_image) {
      ++gate.generation;
      gate.send(kLan, request(whole ? c("A", 101, 501) : c("S")), later);
    }
    const auto live_after = [&](Tick milliseconds) {
      const Tick end = gate.now + milliseconds;
      while (gate.now < end) gate.pipeline->expire(gate.now += 100);
      return gate.pipeline->live_flows();
    };
    BOOST_TEST(live_after(idle - 500) == 1U);
    BOOST_TEST(live_after(3'000) == 0U);
  };
  ends_after(own, own, true, 30'000);
  ends_after(own, own, false, 5'000);
  ends_after(usual, usual, true, 7'440'000);
  ends_after(usual, own, true, 30'000);
  ends_after(own, usual, false, 240'000);
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
        Case{"no route any more", no_route, false, "no-route"}}) {
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
  const World world{{.gateway_limits = {.share_from_percent = 100}}};
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
