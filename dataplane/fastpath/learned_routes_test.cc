// Routes learned while the gateway runs: which of them hold, and what becomes of flows that follow
// them.

#include "dataplane/image/learned_routes.h"

#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <random>
#include <set>
#include <utility>

#include "dataplane/fastpath/conversation_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;
using image::LearnedRoute;
using image::LearnedRoutes;
using image::LearnedState;
using image::RouteKind;

net::Prefix prefix(std::string_view text) {
  const auto slash = text.find('/');
  return *net::Prefix::make(address(text.substr(0, slash)),
                            static_cast<std::uint8_t>(
                                std::stoi(std::string{text.substr(slash + 1)})));
}

LearnedRoute via(std::string_view to, PortId port, std::string_view hop) {
  return {prefix(to), port, address(hop)};
}

// Where a packet to an address goes, as "port via" or "-".
std::string way(const image::Image& image, std::string_view to, SpaceId space = kSharedSpace) {
  const auto* const route = image.route_to(space, address(to));
  if (route == nullptr) return "-";
  switch (route->kind) {
    case RouteKind::kVia: return std::to_string(route->port) + " " + net::to_string(route->via);
    case RouteKind::kOnLink: return std::to_string(route->port) + " on-link";
    case RouteKind::kLocal: return "local";
    case RouteKind::kBroadcast: return "broadcast";
    case RouteKind::kNat: return "nat";
  }
  return "?";
}

BOOST_AUTO_TEST_CASE(the_longest_prefix_holds_and_of_equal_ones_the_images) {
  const World world{{.nat = true}};
  const std::vector<LearnedRoute> routes{
      via("10.100.0.0/16", kCore, "10.0.0.2"),
      via("10.100.7.0/24", kDmz, "59.205.17.9"),
      via("59.205.16.0/24", kDmz, "59.205.17.9"),    // the image has that
      via("59.205.16.128/25", kDmz, "59.205.17.9"),  // and not that
      via("172.20.0.0/15", kDmz, "59.205.17.9"),     // around one of the image's
      via("0.0.0.0/0", kCore, "10.0.0.2"),           // the image's default stays
      via("10.64.37.64/26", kCore, "10.0.0.2"),      // inside a connected subnet
      via("10.64.37.9/32", kCore, "10.0.0.2"),       // likewise
      via("203.0.113.40/32", kCore, "10.0.0.2"),     // a hole in a pool
      via("10.64.37.1/32", kCore, "10.0.0.2"),       // the gateway's own
      via("10.101.0.0/16", kCore, "10.64.37.9"),     // a neighbour, but of another port
      via("10.102.0.0/16", kCore, "198.51.100.1"),   // no neighbour at all
      via("10.103.0.0/16", kCore, "10.0.0.1"),       // the gateway itself
      via("2001:db8:77::/48", kCore, "fe80::2"),     // the usual next hop of IPv6
      via("2001:db8:78::/48", kDmz, "fe80::2"),      // no IPv6 at that port
      via("2001:db8:79::/48", kCore, "2001:db8:f::2"),
      via("10.9.7.0/24", kVpn, "10.1.1.9"),    // of the private space, in an on-link /16
      via("10.100.0.0/16", kVpn, "10.1.1.9"),  // the same prefix in another space
      {prefix("10.104.0.0/16"), kDmz, std::nullopt},
  };
  using enum LearnedState;
  const std::vector<LearnedState> want{kUsed,          kUsed,          kImagePrefers,
                                       kUsed,          kUsed,          kImagePrefers,
                                       kInsideOwn,     kInsideOwn,     kInsideOwn,
                                       kImagePrefers,  kNoSuchNextHop, kNoSuchNextHop,
                                       kNoSuchNextHop, kUsed,          kNoSuchNextHop,
                                       kUsed,          kInsideOwn,     kUsed,
                                       kUsed};
  const LearnedRoutes learned{world.image(), routes};
  BOOST_REQUIRE(learned.judged().size() == want.size());
  for (std::size_t i = 0; i < want.size(); ++i) {
    BOOST_TEST((learned.judged()[i].state == want[i]), net::to_string(routes[i].prefix));
    BOOST_TEST((learned.judged()[i].route == routes[i]));
  }
  BOOST_TEST(learned.used() == static_cast<std::size_t>(std::ranges::count(want, kUsed)));

  const image::Image both = learned.over(world.image());
  const std::vector<std::pair<const char*, const char*>> ways{{"10.100.6.1", "1 10.0.0.2"},
                                                              {"10.100.7.1", "3 59.205.17.9"},
                                                              {"59.205.16.10", "1 10.0.0.2"},
                                                              {"59.205.16.200", "3 59.205.17.9"},
                                                              {"172.20.1.1", "1 10.0.0.2"},
                                                              {"172.21.1.1", "3 59.205.17.9"},
                                                              {"8.8.8.8", "2 203.0.113.254"},
                                                              {"10.64.37.70", "0 on-link"},
                                                              {"10.64.37.9", "0 on-link"},
                                                              {"203.0.113.40", "nat"},
                                                              {"10.64.37.1", "local"},
                                                              {"10.64.37.255", "broadcast"},
                                                              {"10.101.1.1", "2 203.0.113.254"},
                                                              {"10.102.1.1", "2 203.0.113.254"},
                                                              {"2001:db8:77::5", "1 fe80::2"},
                                                              {"2001:db8:78::5",
                                                               "2 2001:db8:ffff::fe"},
                                                              {"2001:db8:79::5", "1 2001:db8:f::2"},
                                                              {"10.104.9.9", "3 on-link"}};
  for (const auto& [to, expected] : ways) BOOST_TEST(way(both, to) == expected, to);
  BOOST_TEST(way(both, "10.100.6.1", SpaceId{1}) == "4 10.1.1.9");
  BOOST_TEST(way(both, "10.9.7.1", SpaceId{1}) == "1 on-link");
  BOOST_TEST(way(world.image(), "10.100.6.1") == "2 203.0.113.254",
             "the image itself is as it was");
  BOOST_TEST(both.checksum() == world.image().checksum());
  BOOST_TEST(&both.atom_at(kSharedSpace, address("59.205.16.10")) ==
             &world.image().atom_at(kSharedSpace, address("59.205.16.10")));
}

// On random prefixes, both families, the tables say what a walk over all prefixes does.
BOOST_AUTO_TEST_CASE(tables_agree_with_a_naive_twin) {
  const World world{{.nat = true}};
  const auto own = image::own_routes(world.image());
  for (std::uint32_t seed = 1; seed <= 20; ++seed) {
    std::mt19937 engine{seed};
    const auto random = [&] { return static_cast<std::uint32_t>(engine()); };
    std::set<net::Prefix> taken;
    std::vector<LearnedRoute> routes;
    const auto some = [&](bool v6) {
      if (!v6) {
        // Mostly near what the image has.
        constexpr std::uint32_t kNear[] = {0x0a402500, 0x3bcd1000, 0xac140000, 0xcb007100};
        const std::uint32_t base = random() % 4 == 0 ? random() : kNear[random() % 4];
        return net::Address::v4(base ^ (random() >> (random() % 32)));
      }
      net::Ipv6Bytes bytes = address("2001:db8:1::").bytes();
      for (std::size_t i = random() % 16; i < 16; ++i) {
        bytes[i] = static_cast<std::uint8_t>(random() % 4);
      }
      return net::Address::v6(bytes);
    };
    for (unsigned i = 0; i < 400; ++i) {
      const bool v6 = random() % 2 == 0;
      const auto p = net::Prefix::around(some(v6),
                                         static_cast<std::uint8_t>(random() % (v6 ? 129 : 33)));
      if (!taken.insert(p).second) continue;
      routes.push_back({p, kCore, address(v6 ? "fe80::2" : "10.0.0.2")});
    }
    const LearnedRoutes learned{world.image(), routes};
    const image::Image both = learned.over(world.image());
    for (unsigned i = 0; i < 4000; ++i) {
      const net::Address to = some(i % 2 == 0);
      int longest = -1;
      std::string want = "-";
      for (const auto& route : own) {
        if (route.space != kSharedSpace || !route.prefix.contains(to)) continue;
        if (route.prefix.length() < longest) continue;
        longest = route.prefix.length();
        want = "own " + std::to_string(route.number);
      }
      for (const auto& one : learned.judged()) {
        if (one.state != LearnedState::kUsed || !one.route.prefix.contains(to)) continue;
        if (one.route.prefix.length() <= longest) continue;
        longest = one.route.prefix.length();
        want = "learned " + net::to_string(one.route.prefix);
      }
      std::string got = "-";
      if (const auto* const route = both.route_to(kSharedSpace, to)) {
        const auto number = static_cast<std::size_t>(route - both.routes().data());
        got = number < world.image().routes().size()
                  ? "own " + std::to_string(number)
                  : "learned " + net::to_string(net::Prefix::around(to, route->length));
      }
      BOOST_TEST(got == want, "seed " << seed << ", " << net::to_string(to));
    }
  }
}

BOOST_AUTO_TEST_CASE(of_an_image_its_own_routes_are_found_again) {
  const World world{{.nat = true}};
  const auto own = image::own_routes(world.image());
  const auto has = [&](std::string_view text, RouteKind kind, SpaceId space) {
    return std::ranges::any_of(own, [&](const image::OwnRoute& route) {
      return route.space == space && route.prefix == prefix(text) &&
             world.image().routes()[route.number].kind == kind;
    });
  };
  BOOST_TEST(has("0.0.0.0/0", RouteKind::kVia, kSharedSpace));
  BOOST_TEST(has("2000::/3", RouteKind::kVia, kSharedSpace));
  BOOST_TEST(has("10.64.37.0/24", RouteKind::kOnLink, kSharedSpace));
  BOOST_TEST(has("10.64.37.1/32", RouteKind::kLocal, kSharedSpace));
  BOOST_TEST(has("203.0.113.32/28", RouteKind::kNat, kSharedSpace));
  BOOST_TEST(has("10.9.0.0/16", RouteKind::kOnLink, SpaceId{1}));
  BOOST_TEST(!has("10.9.0.0/16", RouteKind::kOnLink, kSharedSpace));
}

// RFC 3704: the way back to a source is a learned one as well.
BOOST_AUTO_TEST_CASE(reverse_path_follows_learned_routes) {
  const World world;
  const LearnedRoutes learned{world.image(), std::vector{via("172.21.0.0/16", kCore, "10.0.0.2")}};
  const image::Image core = learned.over(world.image());
  const Bytes from_there = ethernet(ipv4("172.21.0.5", "10.64.37.5", 17, udp(9, 9)));
  Gate gate;
  BOOST_TEST(gate.send(kCore, from_there, world).reason() == "spoofed");
  gate.generation = 2;
  BOOST_TEST(gate.send(kCore, from_there, core).reason() != "spoofed");
  BOOST_TEST(gate.send(kDmz, from_there, core).reason() == "spoofed");
}

// The zones are those of the ports that routes lead by: a learned route to a server's network moves
// it to no other zone, and what isolation stops stays stopped.
BOOST_AUTO_TEST_CASE(isolation_goes_by_the_port_that_a_learned_route_leads_by) {
  const World world;
  const LearnedRoutes learned{world.image(),
                              std::vector{via("59.205.16.8/29", kWan, "203.0.113.254")}};
  const image::Image image = learned.over(world.image());
  BOOST_REQUIRE(learned.used() == 1U);
  Gate gate;
  BOOST_TEST(gate.send(kLan, request(udp(9, 53), 17), world).reason() == "allowed");
  gate.generation = 2;
  BOOST_TEST(gate.send(kLan, request(udp(10, 53), 17), image).reason() == "internet-isolated");
  BOOST_TEST(gate.send(kLan, request(udp(9, 53), 17), image).reason() == "revoked", "a live flow");
}

// A flow follows the route to its server, to its client, and waits while there is none.
BOOST_AUTO_TEST_CASE(live_flows_follow_the_routes) {
  const World world{{.core_routes = false}};
  const auto learned = [&](PortId port, std::string_view hop) {
    return LearnedRoutes{world.image(), std::vector{via("59.205.16.0/25", port, hop)}};
  };
  const LearnedRoutes one = learned(kCore, "10.0.0.2");
  const LearnedRoutes other = learned(kTagged, "10.64.40.9");
  const image::Image by_core = one.over(world.image());
  const image::Image by_tagged = other.over(world.image());
  const LearnedRoutes away{world.image(), std::vector{via("59.205.16.0/25", kLan, "10.64.37.77")}};

  const Bytes syn = request(tcp(1000, 443, "S", {.sequence = 100}));
  const Bytes reply = answer(tcp(443, 1000, "SA", {.sequence = 500, .acknowledgment = 101}));
  const Bytes ack = request(tcp(1000, 443, "A", {.sequence = 101, .acknowledgment = 501}));
  Gate gate;
  const auto sent = [&](PortId in, const Bytes& frame, const image::Image& image) {
    const Gate::Out out = gate.send(in, frame, image);
    if (out.fate.step != NextStep::kSend) return out.reason();
    return std::to_string(out.fate.out.value()) + " " + net::to_string(out.fate.next_hop);
  };
  BOOST_TEST(sent(kLan, syn, by_core) == "1 10.0.0.2");
  BOOST_TEST(sent(kCore, reply, by_core) == "0 10.64.37.9");

  ++gate.generation;
  BOOST_TEST(sent(kLan, ack, by_tagged) == "5 10.64.40.9");
  BOOST_TEST(sent(kTagged, reply, by_tagged) == "0 10.64.37.9");

  // Withdrawn: nobody passes, and the connection is there when the route is back.
  ++gate.generation;
  for (unsigned i = 0; i < 2; ++i) {
    const Gate::Out out = gate.send(kLan, ack, world);
    BOOST_TEST(out.reason() == "no-route");
    BOOST_TEST((out.fate.step == NextStep::kReport), "its sender is told");
    BOOST_TEST(gate.send(kTagged, reply, world).reason() != "allowed");
  }
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
  ++gate.generation;
  BOOST_TEST(sent(kLan, ack, by_core) == "1 10.0.0.2");
  BOOST_TEST(sent(kCore, reply, by_core) == "0 10.64.37.9");
}

// Which end's packet comes first after a change does not matter.
BOOST_AUTO_TEST_CASE(a_client_whose_route_moves_keeps_its_flows) {
  const World world{{.extra_units = 1}};
  const LearnedRoutes by_tagged{world.image(),
                                std::vector{via("20.0.0.0/24", kTagged, "10.64.40.9")}};
  const LearnedRoutes by_lan{world.image(), std::vector{via("20.0.0.0/24", kLan, "10.64.37.99")}};
  const image::Image before = by_tagged.over(world.image());
  const image::Image after = by_lan.over(world.image());
  const Bytes forth = ethernet(ipv4("20.0.0.5", kServer, 17, udp(9, 53)));
  const Bytes back = ethernet(ipv4(kServer, "20.0.0.5", 17, udp(53, 9)));
  for (const bool reply_first : {false, true}) {
    Gate gate;
    BOOST_TEST(gate.send(kTagged, forth, before).reason() == "allowed");
    ++gate.generation;
    BOOST_TEST(gate.send(kTagged, forth, after).reason() == "spoofed", "by the port of before");
    BOOST_TEST(gate.pipeline->live_flows() == 1U);
    const auto check_reply = [&] {
      const Gate::Out out = gate.send(kCore, back, after);
      BOOST_TEST(out.reason() == "allowed");
      BOOST_TEST((out.fate.out == kLan));
      BOOST_TEST(net::to_string(out.fate.next_hop) == "10.64.37.99");
    };
    if (reply_first) check_reply();
    BOOST_TEST(gate.send(kLan, forth, after).reason() == "allowed");
    check_reply();
  }
}

}  // namespace
}  // namespace meiguan::fastpath
