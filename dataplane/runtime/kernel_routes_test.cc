// Which of the kernel's routes are taken, how many, and how often it is asked.

#include "dataplane/runtime/kernel_routes.h"

#include <linux/rtnetlink.h>

#include <boost/test/unit_test.hpp>
#include <string>

namespace meiguan::runtime {
namespace {

using fastpath::Tick;

net::Prefix prefix(std::string_view address, std::uint8_t length) {
  return *net::Prefix::make(*net::parse_address(address), length);
}

const std::vector<RoutedPort> kPorts{{"mg-lan", PortId{0}, SpaceId{0}},
                                     {"mg-core", PortId{1}, SpaceId{0}},
                                     {"mg-hrss", PortId{4}, SpaceId{1}}};

std::string text_of(const std::vector<image::LearnedRoute>& routes) {
  std::string text;
  for (const image::LearnedRoute& route : routes) {
    text += net::to_string(route.prefix) + " " + std::to_string(route.port.value()) + " " +
            (route.via ? net::to_string(*route.via) : "-") + "; ";
  }
  return text;
}

KernelRoute route(const net::Prefix& to, std::uint32_t table, std::uint32_t metric,
                  std::vector<KernelHop> hops) {
  return {to, table, metric, std::move(hops)};
}

KernelHop hop(std::uint32_t interface, std::string_view via) {
  return {interface, net::parse_address(via)};
}

BOOST_AUTO_TEST_CASE(routes_by_the_taps_are_taken_and_no_others) {
  RouteDump dump{kPorts, 100};
  dump.link({.index = 1, .name = "lo"});
  dump.link({.index = 5, .name = "mg-lan"});
  dump.link({.index = 6, .name = "mg-core"});
  dump.link({.index = 7, .name = "mg-hrss", .master = 9});
  dump.link({.index = 8, .name = "eth9"});
  dump.link({.index = 9, .name = "hrss", .vrf_table = 1001});
  dump.end_of_links();
  const auto add = [&](std::string_view to, std::uint32_t table, std::uint32_t metric,
                       std::vector<KernelHop> hops) {
    dump.route(RouteReading::kRoute, route(prefix(to, 16), table, metric, std::move(hops)));
  };
  constexpr std::uint32_t kMain = RT_TABLE_MAIN;
  add("10.1.0.0", kMain, 20, {hop(5, "10.0.0.2")});
  add("10.2.0.0", kMain, 20, {hop(8, "192.0.2.1")});  // no port
  add("10.3.0.0", 100, 20, {hop(5, "10.0.0.2")});     // another table
  add("10.1.0.0", 1001, 20, {hop(7, "10.9.0.2")});    // of the VRF
  add("10.4.0.0", kMain, 20, {hop(7, "10.9.0.2")});   // not of the VRF
  add("10.5.0.0", 1001, 20, {hop(5, "10.0.0.2")});    // leaked into it
  add("10.6.0.0", kMain, 20,
      {hop(8, "192.0.2.1"), hop(6, "10.0.1.2")});    // the first that is a port's
  add("10.7.0.0", kMain, 30, {hop(5, "10.0.0.2")});  // the lowest metric
  add("10.7.0.0", kMain, 10, {hop(6, "10.0.1.2")});
  add("10.7.0.0", kMain, 20, {hop(5, "10.0.0.3")});
  add("10.8.0.0", kMain, 0, {});
  dump.route(RouteReading::kPassed, {});
  BOOST_TEST(dump.unsupported() == 0U);
  dump.route(RouteReading::kUnsupported, {});
  dump.route(RouteReading::kMalformed, {});
  BOOST_TEST(dump.unsupported() == 2U);
  BOOST_TEST(text_of(dump.set().routes()) ==
             "10.1.0.0/16 0 10.0.0.2; 10.6.0.0/16 1 10.0.1.2; 10.7.0.0/16 1 10.0.1.2; "
             "10.1.0.0/16 4 10.9.0.2; ");
}

BOOST_AUTO_TEST_CASE(beyond_the_capacity_the_longest_prefixes_are_left_out) {
  RouteSet set{3};
  const auto offer = [&](std::string_view to, std::uint8_t length) {
    set.offer({prefix(to, length), PortId{0}, std::nullopt}, SpaceId{0}, 0);
  };
  offer("10.0.0.1", 32);
  offer("10.1.0.0", 16);
  offer("2001:db8::", 32);
  BOOST_TEST(set.excess() == 0U);
  offer("10.2.0.0", 24);
  offer("10.2.0.0", 24);  // it is there
  offer("0.0.0.0", 0);
  offer("10.3.0.1", 32);
  BOOST_TEST(set.excess() == 3U);
  BOOST_TEST(text_of(set.routes()) == "0.0.0.0/0 0 -; 10.1.0.0/16 0 -; 10.2.0.0/24 0 -; ");
}

// A storm of changes costs a dump in eight seconds; a single one is followed at once.
BOOST_AUTO_TEST_CASE(it_is_asked_soon_and_in_a_storm_seldom) {
  RoutePace pace;
  BOOST_TEST(pace.due(1'000'000), "at first");
  pace.begin(1'000'000);
  BOOST_TEST(!pace.due(1'010'000));
  BOOST_TEST(pace.due(1'030'000), "in any case");
  pace.begin(1'030'000);

  pace.told(1'050'000);
  pace.told(1'050'040);
  BOOST_TEST(!pace.due(1'050'049), "more will follow");
  BOOST_TEST(pace.due(1'050'050));
  pace.begin(1'050'050);

  unsigned dumps = 0;
  constexpr Tick kBegin = 2'000'000, kEnd = kBegin + 120'000;
  for (Tick now = kBegin; now < kEnd; ++now) {
    pace.told(now);
    if (!pace.due(now)) continue;
    pace.begin(now);
    ++dumps;
  }
  BOOST_TEST(dumps >= 120'000 / RoutePace::kLongest);
  BOOST_TEST(dumps <= 120'000 / RoutePace::kLongest + 6);
  BOOST_TEST(pace.hold() == RoutePace::kLongest);
  // When it is over the last change is followed, and the next one at once again.
  BOOST_TEST(pace.due(kEnd + RoutePace::kLongest));
  pace.begin(kEnd + RoutePace::kLongest);
  BOOST_TEST(!pace.due(kEnd + 2 * RoutePace::kLongest), "nothing has changed");
  pace.told(kEnd + 60'000);
  BOOST_TEST(pace.due(kEnd + 60'050));
  pace.begin(kEnd + 60'050);
  BOOST_TEST(pace.hold() == RoutePace::kShortest);
}

}  // namespace
}  // namespace meiguan::runtime
