// A schedule or a date that passes under live flows.

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::int64_t kFrom = 1'000'000;
constexpr std::int64_t kUntil = 1'000'100;
constexpr image::ConditionRecord kWhen{kFrom, kUntil, image::kNone, 0};

// As Dataplane::pass_time does it.
void pass(Gate& gate, const World& world, std::int64_t seconds) {
  const image::Moment next{world.image(), seconds};
  if (!next.same_conditions(gate.moment)) ++gate.generation;
  gate.moment = next;
}

struct Conversation {
  const char* name;
  Bytes first;
  Bytes reply;
  Bytes more;
};

std::vector<Conversation> conversations() {
  const auto v4 = [](const Bytes& payload, std::uint8_t protocol, bool reply) {
    return ethernet(reply ? ipv4("59.205.16.10", "10.64.37.9", protocol, payload)
                          : ipv4("10.64.37.9", "59.205.16.10", protocol, payload));
  };
  const auto v6 = [](const Bytes& payload, std::uint8_t protocol, bool reply) {
    return ethernet(reply ? ipv6("2001:db8:2::10", "2001:db8:1::9", protocol, payload)
                          : ipv6("2001:db8:1::9", "2001:db8:2::10", protocol, payload));
  };
  const Bytes syn = tcp(1000, 443, "S", {.sequence = 100});
  const Bytes syn_ack = tcp(443, 1000, "SA", {.sequence = 500, .acknowledgment = 101});
  const Bytes ack = tcp(1000, 443, "A", {.sequence = 101, .acknowledgment = 501});
  const Bytes query = udp(4000, 53), response = udp(53, 4000);
  return {{"tcp over IPv4", v4(syn, 6, false), v4(syn_ack, 6, true), v4(ack, 6, false)},
          {"tcp over IPv6", v6(syn, 6, false), v6(syn_ack, 6, true), v6(ack, 6, false)},
          {"udp over IPv4", v4(query, 17, false), v4(response, 17, true), v4(query, 17, false)},
          {"udp over IPv6", v6(query, 17, false), v6(response, 17, true), v6(query, 17, false)}};
}

BOOST_AUTO_TEST_CASE(a_live_flow_ends_with_what_allowed_it) {
  const World world{{.when = kWhen}};
  for (const Conversation& talk : conversations()) {
    for (const bool by_reply : {false, true}) {
      Gate gate;
      pass(gate, world, kFrom - 1);
      BOOST_TEST(gate.send(kLan, talk.first, world).reason() == "default-deny", talk.name);
      pass(gate, world, kFrom);
      BOOST_TEST(gate.send(kLan, talk.first, world).reason() == "allowed", talk.name);
      BOOST_TEST(gate.send(kCore, talk.reply, world).reason() == "allowed", talk.name);
      pass(gate, world, kUntil - 1);
      BOOST_TEST(gate.send(kLan, talk.more, world).reason() == "allowed", talk.name);
      pass(gate, world, kUntil);
      const Gate::Out cut = by_reply ? gate.send(kCore, talk.reply, world)
                                     : gate.send(kLan, talk.more, world);
      BOOST_TEST(cut.reason() == "revoked", talk.name);
      BOOST_TEST(gate.pipeline->live_flows() == 0U, talk.name);
      BOOST_TEST(gate.send(kLan, talk.first, world).reason() == "default-deny", talk.name);
      // And the clock may be set back.
      pass(gate, world, kFrom);
      BOOST_TEST(gate.send(kLan, talk.first, world).reason() == "allowed", talk.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(flows_live_on_where_their_own_answer_stays) {
  const World world{{.when = kWhen}};
  // tcp/8080 is rule 3's, which is always there.
  const Bytes packet = ethernet(ipv4("10.64.37.9", "59.205.16.20", 6, tcp(1000, 8080, "S")));
  Gate gate;
  pass(gate, world, kFrom);
  BOOST_TEST(gate.send(kLan, packet, world).reason() == "allowed");
  const std::uint32_t before = gate.generation;
  pass(gate, world, kUntil);
  BOOST_TEST(gate.generation == before + 1);
  BOOST_TEST(gate.send(kLan, packet, world).reason() == "allowed");
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
}

BOOST_AUTO_TEST_CASE(an_audit_counts_while_it_is_there) {
  const World world{{.when = kWhen}};
  struct Case {
    const char* name;
    std::int64_t at;
    std::uint64_t audited;
  };
  for (const Case& c :
       {Case{"before", kFrom - 1, 0}, Case{"while", kFrom, 1}, Case{"after", kUntil, 0}}) {
    Gate gate;
    pass(gate, world, c.at);
    const Bytes packet = ethernet(ipv4("10.64.37.9", "59.205.16.20", 6, tcp(1000, 8080, "S")));
    BOOST_TEST(gate.send(kLan, packet, world).reason() == "allowed", c.name);
    BOOST_TEST(gate.counters.rule(RuleId{2}).audited.value() == c.audited, c.name);
  }
}

}  // namespace
}  // namespace meiguan::fastpath
