// Limits as packets meet them: each reason, what follows a flow through its life, and what is told
// of attacks.

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

const std::string_view kServer = "59.205.16.10";
const std::string_view kOther = "59.205.16.11";

std::string host(unsigned n) { return "10.64.37." + std::to_string(10 + n % 200); }

Bytes syn(std::string_view source, std::uint16_t port, std::string_view to = kServer) {
  return ethernet(ipv4(source, to, 6, tcp(port, 443, "S")));
}
Bytes query(std::string_view source, std::uint16_t port, std::size_t payload = 8) {
  return ethernet(ipv4(source, kServer, 17, udp(port, 53, payload)));
}

image::GatewayLimits unlimited() {
  image::GatewayLimits limits;
  limits.source_flows = limits.source_new_per_second = limits.new_per_second = 0;
  limits.half_open_per_destination = 0;
  limits.syn_cookies = 0;
  return limits;
}

struct Case {
  std::string name;
  WorldOptions options;
  std::uint32_t flow_capacity;
  Bytes (*packet)(unsigned i);
  unsigned packets;
  unsigned allowed;
  std::string refused;
};

std::vector<Case> cases() {
  std::vector<Case> all;
  const auto same_source = [](unsigned i) {
    return query("10.64.37.9", static_cast<std::uint16_t>(1000 + i));
  };
  const auto many_sources = [](unsigned i) { return query(host(i), 1000); };
  const auto syns = [](unsigned i) { return syn(host(i), static_cast<std::uint16_t>(1000 + i)); };
  image::GatewayLimits own = unlimited();
  all.push_back({"no limit", {.gateway_limits = own}, 1024, same_source, 60, 60, ""});
  own.source_flows = 5;
  all.push_back(
      {"flows of a source", {.gateway_limits = own}, 1024, same_source, 20, 5, "source-flows"});
  all.push_back({"flows of many sources", {.gateway_limits = own}, 1024, many_sources, 60, 60, ""});
  own = unlimited();
  own.source_new_per_second = 7;
  all.push_back(
      {"new flows of a source", {.gateway_limits = own}, 1024, same_source, 20, 7, "source-rate"});
  all.push_back(
      {"new flows of many sources", {.gateway_limits = own}, 1024, many_sources, 60, 60, ""});
  own = unlimited();
  own.new_per_second = 9;
  all.push_back(
      {"new flows in all", {.gateway_limits = own}, 1024, many_sources, 20, 9, "total-rate"});
  own = unlimited();
  own.half_open_per_destination = 6;
  all.push_back(
      {"half-open towards a destination", {.gateway_limits = own}, 1024, syns, 20, 6, "half-open"});
  all.push_back(
      {"UDP is never half-open", {.gateway_limits = own}, 1024, many_sources, 20, 20, ""});
  own = unlimited();
  const image::LimitRecord flows{4, 0, 0, 0, 0}, rate{0, 3, 0, 0, 0}, half{0, 0, 2, 0, 0};
  all.push_back({"flows of a unit",
                 {.unit_limits = flows, .gateway_limits = own},
                 1024,
                 many_sources,
                 20,
                 4,
                 "flow-limit"});
  all.push_back({"flows of a service",
                 {.service_limits = flows, .gateway_limits = own},
                 1024,
                 syns,
                 20,
                 4,
                 "flow-limit"});
  all.push_back({"flows of a rule",
                 {.rule_limits = flows, .gateway_limits = own},
                 1024,
                 syns,
                 20,
                 4,
                 "flow-limit"});
  all.push_back({"new flows of a unit",
                 {.unit_limits = rate, .gateway_limits = own},
                 1024,
                 many_sources,
                 20,
                 3,
                 "rate-limit"});
  all.push_back({"new flows of a service",
                 {.service_limits = rate, .gateway_limits = own},
                 1024,
                 syns,
                 20,
                 3,
                 "rate-limit"});
  all.push_back({"half-open of a unit",
                 {.unit_limits = half, .gateway_limits = own},
                 1024,
                 syns,
                 20,
                 2,
                 "half-open"});
  all.push_back({"bandwidth of a unit, at its first packets",
                 {.unit_limits = image::LimitRecord{0, 0, 0, 0, 8000}, .gateway_limits = own},
                 1024,
                 [](unsigned i) { return query(host(i), 1000, 1400); },
                 40,
                 13,
                 "bandwidth-limit"});
  all.push_back({"a table that one unit would fill",
                 {.gateway_limits = own},
                 40,
                 many_sources,
                 50,
                 36,
                 "flow-share"});
  return all;
}

BOOST_AUTO_TEST_CASE(every_limit_ends_in_its_own_reason) {
  for (const Case& c : cases()) {
    const World world{c.options};
    Gate gate{{.flow_capacity = c.flow_capacity, .assume_resolved = true, .hash_seed = 1}};
    unsigned allowed = 0;
    for (unsigned i = 0; i < c.packets; ++i) {
      const Gate::Out got = gate.send(kLan, c.packet(i), world);
      if (got.reason() == "allowed") {
        ++allowed;
        continue;
      }
      BOOST_TEST(got.reason() == c.refused, c.name << ", packet " << i);
      BOOST_TEST((got.fate.step == NextStep::kDrop), c.name);
      BOOST_TEST((got.fate.unit == UnitId{0} && got.fate.rule == RuleId{0}), c.name);
    }
    BOOST_TEST(allowed == c.allowed, c.name);
    BOOST_TEST(gate.pipeline->live_flows() == allowed, c.name);
  }
}

// A second later there is a second's worth of new flows, and a place for each flow that has ended.
BOOST_AUTO_TEST_CASE(what_is_limited_comes_back) {
  image::GatewayLimits own = unlimited();
  const World world{{.unit_limits = image::LimitRecord{6, 4, 0, 0, 0}, .gateway_limits = own}};
  Gate gate;
  std::uint16_t port = 1000;
  const auto tried = [&](unsigned times) {
    std::string reasons;
    for (unsigned i = 0; i < times; ++i) {
      reasons += gate.send(kLan, query("10.64.37.9", port++), world).reason()[0];
    }
    return reasons;  // a: allowed, r: rate-limit, f: flow-limit
  };
  BOOST_TEST(tried(6) == "aaaarr");
  gate.now += 500;
  BOOST_TEST(tried(3) == "aaf");
  gate.now += 600'000;
  for (int i = 0; i < 100; ++i) gate.pipeline->expire(gate.now += 20);
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
  BOOST_TEST(tried(6) == "aaaarr");
  gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
  gate.now += 60'000;
  BOOST_TEST(tried(6) == "aaaarr");
}

// Connections that are answered are half-open no more, nor are those that are reset.
BOOST_AUTO_TEST_CASE(half_open_ends_with_the_handshake) {
  image::GatewayLimits own = unlimited();
  own.half_open_per_destination = 3;
  const World world{{.gateway_limits = own}};
  Gate gate;
  for (std::uint16_t port = 1000; port < 1010; ++port) {
    const auto from = [&](std::string_view flags, std::uint32_t seq, std::uint32_t ack) {
      return ethernet(ipv4("10.64.37.9", kServer, 6,
                           tcp(port, 443, flags, {.sequence = seq, .acknowledgment = ack})));
    };
    const auto back = [&](std::string_view flags, std::uint32_t seq, std::uint32_t ack) {
      return ethernet(ipv4(kServer, "10.64.37.9", 6,
                           tcp(443, port, flags, {.sequence = seq, .acknowledgment = ack})));
    };
    BOOST_TEST(gate.send(kLan, from("S", 100, 0), world).reason() == "allowed", port);
    if (port % 2 == 0) {
      BOOST_TEST(gate.send(kCore, back("SA", 500, 101), world).reason() == "allowed", port);
      BOOST_TEST(gate.send(kLan, from("A", 101, 501), world).reason() == "allowed", port);
    } else {
      BOOST_TEST(gate.send(kCore, back("RA", 0, 101), world).reason() == "allowed", port);
    }
  }
  for (std::uint16_t port = 2000; port < 2003; ++port) {
    BOOST_TEST(gate.send(kLan, syn("10.64.37.9", port), world).reason() == "allowed");
  }
  BOOST_TEST(gate.send(kLan, syn("10.64.37.9", 2003), world).reason() == "half-open");
  BOOST_TEST(gate.send(kLan, syn("10.64.37.9", 2003, kOther), world).reason() == "allowed");
}

// A limit that comes with a new policy finds the flows that were there before it.
BOOST_AUTO_TEST_CASE(a_new_limit_counts_old_flows) {
  const World before{{.gateway_limits = unlimited()}};
  const World after{
      {.unit_limits = image::LimitRecord{5, 0, 0, 0, 0}, .gateway_limits = unlimited()}};
  Gate gate;
  for (std::uint16_t port = 1000; port < 1004; ++port) {
    BOOST_TEST(gate.send(kLan, query("10.64.37.9", port), before).reason() == "allowed");
  }
  ++gate.generation;
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 2000), after).reason() == "allowed");
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 2001), after).reason() == "flow-limit");
  // Old flows go on, whatever the limit.
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 1000), after).reason() == "allowed");
  // And one that the policy revokes makes room.
  ++gate.generation;
  const World denies{{.allow = false, .gateway_limits = unlimited()}};
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 1000), denies).reason() == "revoked");
  ++gate.generation;
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 2001), after).reason() == "allowed");
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 2002), after).reason() == "flow-limit");
}

// 20 Mbit/s over ten seconds, in both directions together, and other units untouched.
BOOST_AUTO_TEST_CASE(bandwidth_is_what_the_policy_says) {
  constexpr std::uint64_t kBits = 20'000'000;
  const World world{
      {.unit_limits = image::LimitRecord{0, 0, 0, 0, kBits}, .gateway_limits = unlimited()}};
  Gate gate;
  std::uint64_t passed = 0;
  const auto up = query("10.64.37.9", 1000, 972);
  const auto down = ethernet(ipv4(kServer, "10.64.37.9", 17, udp(53, 1000, 972)));
  BOOST_TEST(gate.send(kLan, up, world).reason() == "allowed");
  for (unsigned ms = 0; ms < 11'000; ++ms) {
    ++gate.now;
    for (const bool reply : {false, true}) {
      for (const Gate::Out& got :
           gate.send(reply ? kCore : kLan, std::vector<Bytes>(4, reply ? down : up), world)) {
        if (got.reason() == "allowed") {
          if (ms >= 1000) passed += got.fate.ip_bytes;
        } else {
          BOOST_TEST(got.reason() == "bandwidth-limit");
        }
      }
    }
  }
  BOOST_TEST(static_cast<double>(passed) > kBits / 8 * 10 * 0.98);
  BOOST_TEST(static_cast<double>(passed) < kBits / 8 * 10 * 1.02);
  // A server of another unit asks: its own unit's bandwidth counts, and it has no limit.
  const auto other = ethernet(ipv4("59.205.16.77", "10.64.37.9", 17, udp(9, 53, 972)));
  for (unsigned i = 0; i < 100; ++i) {
    BOOST_TEST(gate.send(kCore, other, world).reason() == "allowed");
  }
}

// When the table is nearly full, a unit beyond its share is refused and others go on.
BOOST_AUTO_TEST_CASE(one_unit_cannot_starve_another) {
  image::GatewayLimits own = unlimited();
  own.share_from_percent = 80;
  own.share_percent = 10;
  const World world{{.gateway_limits = own}};
  Gate gate{{.flow_capacity = 100, .assume_resolved = true, .hash_seed = 1}};
  const auto from_server = [&](std::uint16_t port) {
    return gate.send(kCore, ethernet(ipv4("59.205.16.77", "10.64.37.9", 17, udp(port, 53))), world)
        .reason();
  };
  BOOST_TEST(from_server(1) == "allowed");
  unsigned allowed = 0;
  for (std::uint16_t port = 1000; port < 1200; ++port) {
    const std::string reason = gate.send(kLan, query("10.64.37.9", port), world).reason();
    if (reason == "allowed") {
      ++allowed;
    } else {
      BOOST_TEST(reason == "flow-share");
    }
  }
  BOOST_TEST(allowed == 79U);
  for (std::uint16_t port = 2; port < 20; ++port) BOOST_TEST(from_server(port) == "allowed", port);
}

// What comes in by one port from made-up sources of no unit is one party, too.
BOOST_AUTO_TEST_CASE(strangers_of_a_port_cannot_starve_units) {
  image::GatewayLimits own = unlimited();
  own.share_from_percent = 80;
  const World world{{.publish = true, .gateway_limits = own}};
  Gate gate{{.flow_capacity = 1000, .assume_resolved = true, .hash_seed = 1}};
  BOOST_TEST(gate.send(kLan, query("10.64.37.9", 1), world).reason() == "allowed");
  unsigned allowed = 0;
  for (unsigned i = 0; i < 2000; ++i) {
    const std::string source = "8.8." + std::to_string(i / 250) + "." + std::to_string(i % 250 + 1);
    const std::string reason = gate.send(kWan, syn(source, 7, "59.205.17.10"), world).reason();
    if (reason == "allowed") {
      ++allowed;
    } else {
      BOOST_TEST(reason == "flow-share");
    }
  }
  BOOST_TEST(allowed == 899U);
  for (std::uint16_t port = 2; port < 80; ++port) {
    BOOST_TEST(gate.send(kLan, query("10.64.37.9", port), world).reason() == "allowed");
  }
}

std::vector<Event> attacks(Gate& gate) {
  std::vector<Event> found;
  for (const Event& event : gate.events()) {
    if (event.kind == EventKind::kAttack) found.push_back(event);
  }
  return found;
}

BOOST_AUTO_TEST_CASE(a_scan_and_a_flood_are_told_of) {
  const World world{{.gateway_limits = unlimited()}};
  {
    Gate gate;
    for (std::uint16_t port = 1; port < 400; ++port) {
      gate.now += 5;
      (void)gate.send(kLan, ethernet(ipv4("10.64.37.9", kServer, 6, tcp(999, port, "S"))), world);
    }
    std::vector<Event> found = attacks(gate);
    BOOST_REQUIRE(!found.empty());
    BOOST_TEST((found[0].attack == AttackType::kVerticalScan));
    BOOST_TEST((found[0].source == address("10.64.37.9") && found[0].unit == UnitId{0}));
    BOOST_TEST((found[0].destination == address(kServer) && found[0].in_port == kLan));
    BOOST_TEST(found.size() <= 4U);
  }
  {
    // Nobody answers: SYNs that are allowed are a flood once the server has many half open.
    Gate gate{{.flow_capacity = 1 << 13, .assume_resolved = true, .hash_seed = 1}};
    std::vector<Event> found;
    for (unsigned i = 0; i < 3000; ++i) {
      if (i % 4 == 0) ++gate.now;
      (void)gate.send(kLan, syn(host(i), static_cast<std::uint16_t>(1000 + i)), world);
      for (const Event& event : attacks(gate)) found.push_back(event);
    }
    BOOST_REQUIRE(!found.empty());
    BOOST_TEST((found[0].attack == AttackType::kSynFlood));
    BOOST_TEST((found[0].destination == address(kServer) && found[0].service == ServiceId{0}));
    BOOST_TEST(found[0].packets == 1000U);
  }
  {
    // One ping that floods is one flow.
    Gate gate;
    for (unsigned i = 0; i < 3000; ++i) {
      (void)gate.send(kLan, ethernet(ipv4("10.64.37.9", kServer, 1, icmp(8, 0))), world);
    }
    std::vector<Event> found = attacks(gate);
    BOOST_REQUIRE(found.size() == 1U);
    BOOST_TEST((found[0].attack == AttackType::kIcmpFlood));
  }
}

// A busy server and its clients, each with many connections that are answered, is no attack.
BOOST_AUTO_TEST_CASE(a_busy_server_is_no_attack) {
  const World world{{.gateway_limits = unlimited()}};
  Gate gate{{.flow_capacity = 1 << 13, .assume_resolved = true, .hash_seed = 1}};
  for (unsigned i = 0; i < 3000; ++i) {
    if (i % 4 == 0) ++gate.now;
    const auto port = static_cast<std::uint16_t>(1000 + i);
    const std::string from = host(i);
    (void)gate.send(kLan, syn(from, port), world);
    (void)gate.send(kCore, ethernet(ipv4(kServer, from, 6, tcp(443, port, "SA", {500, 101}))),
                    world);
    (void)gate.send(kLan, ethernet(ipv4(from, kServer, 6, tcp(port, 443, "A", {101, 501}))), world);
    BOOST_TEST(attacks(gate).empty());
  }
}

}  // namespace
}  // namespace meiguan::fastpath
