// What is read of rtnetlink messages, whole and broken.

#include "dataplane/runtime/route_messages.h"

#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include <boost/test/unit_test.hpp>
#include <string_view>

#include "dataplane/runtime/test_netlink.h"

namespace meiguan::runtime {
namespace {

using namespace test;

BOOST_AUTO_TEST_CASE(routes_are_read) {
  struct Case {
    const char* name;
    Message body;
    RouteReading want;
    std::string_view route;  // "prefix table metric interface via..."
  };
  const std::uint32_t big_table = 5000;
  const Message hops = hop(7, 0, gateway("10.0.0.2")) + hop(8, 0, gateway("10.0.0.3"));
  for (const Case& k : std::vector<Case>{
           {"the usual", route_message("10.1.0.0/16") + oif(7) + gateway("10.0.0.2"),
            RouteReading::kRoute, "10.1.0.0/16 254 0 7 10.0.0.2"},
           {"a default route has no destination",
            route_message("0.0.0.0/0") + oif(7) + gateway("10.0.0.2"), RouteReading::kRoute,
            "0.0.0.0/0 254 0 7 10.0.0.2"},
           {"IPv6", route_message("2001:db8:77::/48") + oif(7) + gateway("fe80::2"),
            RouteReading::kRoute, "2001:db8:77::/48 254 0 7 fe80::2"},
           {"the IPv6 default", route_message("::/0") + oif(7) + gateway("fe80::2"),
            RouteReading::kRoute, "::/0 254 0 7 fe80::2"},
           {"on-link", route_message("10.1.0.0/16") + oif(7), RouteReading::kRoute,
            "10.1.0.0/16 254 0 7 -"},
           {"metric, and a table of a number beyond a byte",
            route_message("10.1.0.0/16") + attribute(RTA_TABLE, number(big_table)) +
                attribute(RTA_PRIORITY, number(20)) + oif(7),
            RouteReading::kRoute, "10.1.0.0/16 5000 20 7 -"},
           {"attributes that nobody knows",
            route_message("10.1.0.0/16") + attribute(999, number(1)) + oif(7) +
                attribute(RTA_CACHEINFO, Message(3)),
            RouteReading::kRoute, "10.1.0.0/16 254 0 7 -"},
           {"several next hops", route_message("10.1.0.0/16") + attribute(RTA_MULTIPATH, hops),
            RouteReading::kRoute, "10.1.0.0/16 254 0 7 10.0.0.2 8 10.0.0.3"},
           {"the first next hop is dead",
            route_message("10.1.0.0/16") +
                attribute(RTA_MULTIPATH, hop(7, RTNH_F_DEAD, gateway("10.0.0.2")) +
                                             hop(8, 0, gateway("10.0.0.3"))),
            RouteReading::kRoute, "10.1.0.0/16 254 0 8 10.0.0.3"},
           {"all next hops are dead",
            route_message("10.1.0.0/16") +
                attribute(RTA_MULTIPATH, hop(7, RTNH_F_LINKDOWN, gateway("10.0.0.2"))),
            RouteReading::kPassed, ""},
           {"dead", route_message("10.1.0.0/16", {.flags = RTNH_F_DEAD}) + oif(7),
            RouteReading::kPassed, ""},
           {"by an object, spelled out",
            route_message("10.1.0.0/16") + attribute(RTA_NH_ID, number(4)) + oif(7),
            RouteReading::kRoute, "10.1.0.0/16 254 0 7 -"},
           {"by an object alone", route_message("10.1.0.0/16") + attribute(RTA_NH_ID, number(4)),
            RouteReading::kUnsupported, ""},
           {"the kernel's own", route_message("10.1.0.0/16", {.protocol = RTPROT_KERNEL}) + oif(7),
            RouteReading::kPassed, ""},
           {"of a router's advertisement", route_message("::/0", {.protocol = RTPROT_RA}) + oif(7),
            RouteReading::kPassed, ""},
           {"of a redirect", route_message("10.1.0.0/16", {.protocol = RTPROT_REDIRECT}) + oif(7),
            RouteReading::kPassed, ""},
           {"a blackhole", route_message("10.1.0.0/16", {.type = RTN_BLACKHOLE}),
            RouteReading::kPassed, ""},
           {"a group", route_message("224.0.0.0/4", {.type = RTN_MULTICAST}) + oif(7),
            RouteReading::kPassed, ""},
           {"cached", route_message("10.1.0.0/16", {.flags = RTM_F_CLONED}) + oif(7),
            RouteReading::kPassed, ""},
           {"leads nowhere", route_message("10.1.0.0/16"), RouteReading::kPassed, ""},
           {"by type of service", route_message("10.1.0.0/16", {.tos = 8}) + oif(7),
            RouteReading::kUnsupported, ""},
           {"with an encapsulation",
            route_message("10.1.0.0/16") + oif(7) + attribute(RTA_ENCAP, number(1)),
            RouteReading::kUnsupported, ""},
           {"an IPv6 next hop of an IPv4 route",
            route_message("10.1.0.0/16") + oif(7) + attribute(RTA_VIA, Message(18)),
            RouteReading::kUnsupported, ""},
           {"of another family", route_message("10.1.0.0/16", {.family = AF_MPLS}) + oif(7),
            RouteReading::kPassed, ""},
           {"nothing at all", {}, RouteReading::kMalformed, ""},
           {"a prefix that is too long", route_message("10.1.0.0/16", {.length = 33}) + oif(7),
            RouteReading::kMalformed, ""},
           {"host bits", route_message("10.1.0.0/16", {.length = 8}) + oif(7),
            RouteReading::kMalformed, ""},
           {"a destination that is missing", route_message("0.0.0.0/0", {.length = 8}) + oif(7),
            RouteReading::kMalformed, ""},
           {"a gateway of 3 bytes",
            route_message("10.1.0.0/16") + oif(7) + attribute(RTA_GATEWAY, Message(3)),
            RouteReading::kMalformed, ""},
           {"an interface of 2 bytes",
            route_message("10.1.0.0/16") + attribute(RTA_OIF, Message(2)), RouteReading::kMalformed,
            ""},
           {"an IPv6 prefix that reads as an IPv4 one",
            route_message("2001:db8::/32", {.length = 112}) +
                attribute(RTA_DST, bytes_of(v4_in_v6("10.1.0.0"))) + oif(7),
            RouteReading::kMalformed, ""},
           {"an attribute longer than the message",
            route_message("10.1.0.0/16") + raw_attribute(RTA_OIF, 200, number(7)),
            RouteReading::kMalformed, ""},
           {"an attribute shorter than its head",
            route_message("10.1.0.0/16") + raw_attribute(RTA_OIF, 3, number(7)),
            RouteReading::kMalformed, ""},
           {"a length of nothing",
            route_message("10.1.0.0/16") + raw_attribute(RTA_OIF, 0, number(7)),
            RouteReading::kMalformed, ""},
           {"bytes too few for a head", route_message("10.1.0.0/16") + Message(2),
            RouteReading::kMalformed, ""},
           {"a next hop longer than all of them",
            route_message("10.1.0.0/16") + attribute(RTA_MULTIPATH, hop(7, 0, {}, 200)),
            RouteReading::kMalformed, ""},
           {"a next hop shorter than its head",
            route_message("10.1.0.0/16") + attribute(RTA_MULTIPATH, hop(7, 0, {}, 4)),
            RouteReading::kMalformed, ""},
           {"a next hop of length 0",
            route_message("10.1.0.0/16") + attribute(RTA_MULTIPATH, hop(7, 0, {}, 0)),
            RouteReading::kMalformed, ""},
           {"a broken attribute of a next hop",
            route_message("10.1.0.0/16") +
                attribute(RTA_MULTIPATH, hop(7, 0, raw_attribute(RTA_GATEWAY, 99, number(7)))),
            RouteReading::kMalformed, ""},
       }) {
    KernelRoute route;
    BOOST_TEST((read_route(k.body, route) == k.want), k.name);
    if (k.want != RouteReading::kRoute) continue;
    std::string got = net::to_string(route.prefix) + " " + std::to_string(route.table) + " " +
                      std::to_string(route.metric);
    for (const KernelHop& one : route.hops) {
      got += " " + std::to_string(one.interface) + " " + (one.via ? net::to_string(*one.via) : "-");
    }
    BOOST_TEST(got == k.route, k.name);
  }
}

// However a good message is cut, nothing is read beyond it, and no part of it is taken for a route
// with other next hops.
BOOST_AUTO_TEST_CASE(a_message_cut_anywhere_is_no_other_route) {
  const Message whole = route_message("10.1.0.0/16") + oif(7) + gateway("10.0.0.2");
  for (std::size_t length = 0; length < whole.size(); ++length) {
    // In memory of its own, where the sanitizers see a byte too many.
    const Message cut{whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)};
    KernelRoute route;
    if (read_route(cut, route) != RouteReading::kRoute) continue;
    BOOST_TEST(net::to_string(route.prefix) == "10.1.0.0/16", length);
    BOOST_TEST((route.hops.size() == 1 && route.hops[0].interface == 7), length);
  }
}

BOOST_AUTO_TEST_CASE(messages_are_taken_one_by_one) {
  const Message first = message(RTM_NEWROUTE, Message(5));  // padded to 8
  const Message both = first + message(NLMSG_DONE, Message(4));
  std::span<const std::byte> rest = both;
  auto one = take_message(rest);
  BOOST_REQUIRE(one.has_value());
  BOOST_TEST((one->header.nlmsg_type == RTM_NEWROUTE && one->body.size() == 5));
  one = take_message(rest);
  BOOST_REQUIRE(one.has_value());
  BOOST_TEST((one->header.nlmsg_type == NLMSG_DONE && one->body.size() == 4));
  BOOST_TEST(!take_message(rest).has_value());
  for (const std::uint32_t length : {0U, 3U, 15U, 17U, 1000U, 0xffff'ffffU}) {
    const Message broken = message(NLMSG_DONE, {}, length);
    rest = broken;
    BOOST_TEST(!take_message(rest).has_value(), length);
  }
}

BOOST_AUTO_TEST_CASE(links_are_read) {
  const auto tap = read_link(link_message(7) + text(IFLA_IFNAME, "mg-lan") +
                             attribute(IFLA_MASTER, number(9)));
  BOOST_REQUIRE(tap.has_value());
  BOOST_TEST((tap->index == 7 && tap->name == "mg-lan" && tap->master == 9 && tap->vrf_table == 0));

  const Message table = attribute(IFLA_VRF_TABLE, number(1001));
  const auto info = [&](std::string_view kind) {
    return attribute(IFLA_LINKINFO, text(IFLA_INFO_KIND, kind) + attribute(IFLA_INFO_DATA, table));
  };
  const auto vrf = read_link(link_message(9) + text(IFLA_IFNAME, "hrss") + info("vrf"));
  BOOST_REQUIRE(vrf.has_value());
  BOOST_TEST(vrf->vrf_table == 1001U);
  // Kinds number their data as they like.
  const auto bridge = read_link(link_message(9) + text(IFLA_IFNAME, "br") + info("bridge"));
  BOOST_REQUIRE(bridge.has_value());
  BOOST_TEST(bridge->vrf_table == 0U);

  BOOST_TEST(!read_link({}).has_value());
  BOOST_TEST(!read_link(link_message(0)).has_value());
  BOOST_TEST(!read_link(link_message(7) + attribute(IFLA_MASTER, Message(2))).has_value());
  BOOST_TEST(!read_link(link_message(7) + raw_attribute(IFLA_IFNAME, 99, number(1))).has_value());
}

}  // namespace
}  // namespace meiguan::runtime
