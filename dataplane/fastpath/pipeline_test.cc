#include "dataplane/fastpath/pipeline.h"

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

// What is reported of a packet: unit, to_unit, service and rule, each "-" where there is none.
std::string told(const Fate& fate) {
  const auto text = [](auto id) {
    return id.is_none() ? std::string{"-"} : std::to_string(id.value());
  };
  return text(fate.unit) + " " + text(fate.to_unit) + " " + text(fate.service) + " " +
         text(fate.rule);
}

struct Case {
  std::string name;
  PortId port;
  Bytes frame;
  std::string reason;
  std::string told;  // "unit to_unit service rule"
};

void check(const std::vector<Case>& cases, const WorldOptions& options = {}) {
  const World world{options};
  for (const Case& c : cases) {
    Gate gate;
    const Gate::Out got = gate.send(c.port, c.frame, world);
    BOOST_TEST(got.reason() == c.reason, c.name);
    BOOST_TEST(told(got.fate) == c.told, c.name);
  }
}

const std::string kNothing = "- - - -";

Bytes v4(std::string_view source, std::string_view destination, std::uint8_t protocol,
         const Bytes& payload, const Ipv4Options& o = {}) {
  return ethernet(ipv4(source, destination, protocol, payload, o));
}
Bytes v6(std::string_view source, std::string_view destination, std::uint8_t next,
         const Bytes& payload, const Ipv6Options& o = {}) {
  return ethernet(ipv6(source, destination, next, payload, o));
}
Bytes from(std::string_view source) { return v4(source, "59.205.16.10", 6, tcp(1000, 443, "S")); }
Bytes to(std::string_view destination) {
  return v4("10.64.37.9", destination, 6, tcp(1000, 443, "S"));
}
Bytes from6(std::string_view source) {
  return v6(source, "2001:db8:2::10", 6, tcp(1000, 443, "S"));
}
Bytes to6(std::string_view destination) {
  return v6("2001:db8:1::9", destination, 6, tcp(1000, 443, "S"));
}

// policy.md section 5: a source that may be.
BOOST_AUTO_TEST_CASE(sources) {
  check({
      {"a host of the unit", kLan, from("10.64.37.9"), "allowed", "0 2 0 0"},
      {"the first address of a subnet is a host", kLan, from("10.64.37.0"), "allowed", "0 2 0 0"},
      {"own address", kLan, from("10.64.37.1"), "source-own", kNothing},
      {"own address of another port", kLan, from("10.0.0.1"), "source-own", kNothing},
      {"limited broadcast", kLan, from("255.255.255.255"), "source-broadcast", kNothing},
      {"directed broadcast", kLan, from("10.64.37.255"), "source-broadcast", kNothing},
      {"directed broadcast elsewhere", kLan, from("10.0.0.3"), "source-broadcast", kNothing},
      {"multicast", kLan, from("224.0.0.1"), "source-multicast", kNothing},
      {"loopback", kLan, from("127.0.0.1"), "source-loopback", kNothing},
      {"unspecified", kLan, from("0.0.0.0"), "source-unspecified", kNothing},
      {"0/8", kLan, from("0.0.0.1"), "source-reserved", kNothing},
      {"240/4", kLan, from("240.0.0.1"), "source-reserved", kNothing},
      {"255.255.255.254", kLan, from("255.255.255.254"), "source-reserved", kNothing},
      {"link-local", kLan, from("169.254.1.1"), "source-link-local", kNothing},
      {"private from the internet", kWan, from("10.5.5.5"), "source-private", kNothing},
      {"rfc 6598 from the internet", kWan, from("100.64.0.1"), "source-private", kNothing},
      {"v6 host", kLan, from6("2001:db8:1::9"), "allowed", "0 2 0 0"},
      {"v6 own", kLan, from6("2001:db8:1::1"), "source-own", kNothing},
      {"v6 subnet-router anycast (RFC 4291 section 2.6.1)", kLan, from6("2001:db8:1::"),
       "source-own", kNothing},
      {"v6 multicast", kLan, from6("ff02::1"), "source-multicast", kNothing},
      {"v6 loopback", kLan, from6("::1"), "source-loopback", kNothing},
      {"v6 unspecified", kLan, from6("::"), "source-unspecified", kNothing},
      {"v6 4000::", kLan, from6("4000::1"), "source-reserved", kNothing},
      {"v6 mapped v4", kLan, from6("::ffff:10.64.37.9"), "source-reserved", kNothing},
      {"v6 site-local", kLan, from6("fec0::1"), "source-reserved", kNothing},
      {"v6 nat64", kLan, from6("64:ff9b::1"), "source-reserved", kNothing},
      {"v6 link-local", kLan, from6("fe80::9"), "source-link-local", kNothing},
      {"v6 ula is no reserved block", kLan, from6("fd00::1"), "spoofed", kNothing},
      {"v6 ula from the internet", kWan, from6("fd00::1"), "source-private", kNothing},
  });
}

// policy.md section 5, RFC 2644.
BOOST_AUTO_TEST_CASE(destinations) {
  check({
      {"limited broadcast", kLan, to("255.255.255.255"), "destination-broadcast", kNothing},
      {"directed broadcast", kLan, to("59.205.17.255"), "destination-broadcast", kNothing},
      {"multicast", kLan, to("239.1.1.1"), "destination-multicast", kNothing},
      {"loopback", kLan, to("127.0.0.1"), "destination-loopback", kNothing},
      {"unspecified", kLan, to("0.0.0.0"), "destination-unspecified", kNothing},
      {"reserved", kLan, to("240.0.0.1"), "destination-reserved", kNothing},
      {"link-local", kLan, to("169.254.9.9"), "destination-link-local", kNothing},
      {"private to the internet", kLan, to("10.200.0.1"), "destination-private", "0 - - -"},
      {"before anti-spoof", kWan, v4("59.205.16.9", "224.0.0.5", 17, udp(1, 2)),
       "destination-multicast", kNothing},
      {"v6 multicast", kLan, to6("ff0e::1"), "destination-multicast", kNothing},
      {"v6 loopback", kLan, to6("::1"), "destination-loopback", kNothing},
      {"v6 unspecified", kLan, to6("::"), "destination-unspecified", kNothing},
      {"v6 reserved", kLan, to6("4000::1"), "destination-reserved", kNothing},
      {"v6 mapped", kLan, to6("::ffff:59.205.16.10"), "destination-reserved", kNothing},
      {"v6 link-local", kLan, to6("fe80::77"), "destination-link-local", kNothing},
      {"v6 ula without a route", kLan, to6("fd00::1"), "no-route", "0 - - -"},
      {"mdns from a link-local source", kLan, v4("169.254.1.1", "224.0.0.251", 17, udp(5353, 5353)),
       "destination-multicast", kNothing},
      {"v6 mdns", kLan, v6("fe80::9", "ff02::fb", 17, udp(5353, 5353)), "destination-multicast",
       kNothing},
      {"mld", kLan,
       ethernet(icmp6_packet("fe80::9", "ff02::16", Bytes{143, 0, 0, 0, 0, 0, 0, 0}, 1)),
       "destination-multicast", kNothing},
      {"v6 wider multicast from a link-local source", kLan, v6("fe80::9", "ff0e::1", 17, udp(1, 2)),
       "source-link-local", kNothing},
  });
}

// policy.md section 5, RFC 3704.
BOOST_AUTO_TEST_CASE(anti_spoof) {
  check({
      {"strict: another port's source", kLan, from("59.205.16.9"), "spoofed", kNothing},
      {"strict: the default route leads elsewhere", kLan, from("8.8.8.8"), "spoofed", kNothing},
      {"strict: a sub-port's source at its parent", kLan, from("10.64.40.9"), "spoofed", kNothing},
      {"strict: by the default route", kWan, from("8.8.8.8"), "internet-isolated", "- 2 0 -"},
  });
  const WorldOptions loose{.lan_anti_spoof = image::AntiSpoof::kLoose};
  check({{"loose: some route", kLan, from("172.20.0.9"), "unit-unknown", kNothing},
         {"loose: a default route is none", kLan, from("8.8.8.8"), "spoofed", kNothing}},
        loose);
  const WorldOptions off{.lan_anti_spoof = image::AntiSpoof::kOff};
  check({{"off", kLan, from("8.8.8.8"), "unit-unknown", kNothing},
         {"off, but kinds all the same", kLan, from("127.0.0.1"), "source-loopback", kNothing}},
        off);
}

// A land attack, behind the kinds of addresses that name better what is wrong.
BOOST_AUTO_TEST_CASE(the_same_address_at_both_ends) {
  check({
      {"tcp", kLan, v4("10.64.37.9", "10.64.37.9", 6, tcp(80, 80, "S")), "land", kNothing},
      {"udp, other ports", kLan, v4("10.64.37.9", "10.64.37.9", 17, udp(1, 2)), "land", kNothing},
      {"of another port, where it would be spoofed", kLan,
       v4("203.0.113.9", "203.0.113.9", 6, tcp(80, 80, "S")), "land", kNothing},
      {"loopback", kLan, v4("127.0.0.1", "127.0.0.1", 17, udp(1, 2)), "source-loopback", kNothing},
      {"the gateway's own", kLan, v4("10.64.37.1", "10.64.37.1", 17, udp(1, 2)), "source-own",
       kNothing},
  });
}

// RFC 1812 section 5.3.4, RFC 1122 section 3.3.6: what was sent to all is not forwarded to one.
BOOST_AUTO_TEST_CASE(frames_to_groups) {
  const auto to_group = [](Bytes frame, std::uint8_t first = 0xff) {
    frame[0] = first;
    return frame;
  };
  const Bytes plain = to("59.205.16.10");
  Bytes from_group = plain;
  from_group[6] |= 1;
  check({
      {"a unicast packet to all", kLan, to_group(plain), "frame-group", kNothing},
      {"to a multicast MAC", kLan, to_group(plain, 1), "frame-group", kNothing},
      {"v6", kLan, to_group(from6("2001:db8:1::9"), 0x33), "frame-group", kNothing},
      {"for the gateway", kLan, to_group(v4("10.64.37.9", "10.64.37.1", 1, icmp(8, 0))),
       "frame-group", kNothing},
      {"from a group", kLan, from_group, "frame-group", kNothing},
      {"a broadcast names itself", kLan, to_group(to("10.64.37.255")), "destination-broadcast",
       kNothing},
      {"dhcp discover", kLan, to_group(v4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, 240))),
       "for-gateway", kNothing},
  });
  // Nor by a flow that is known.
  const World world;
  Gate gate;
  BOOST_TEST(gate.send(kLan, plain, world).reason() == "allowed");
  BOOST_TEST(gate.send(kLan, to_group(plain), world).reason() == "frame-group");
  BOOST_TEST(gate.send(kLan, plain, world).reason() == "allowed");
}

BOOST_AUTO_TEST_CASE(for_the_gateway_itself) {
  const Bytes solicitation = icmp6_packet("2001:db8:1::9", "ff02::1:ff00:1",
                                          neighbour(135, "2001:db8:1::1"), 255);
  const std::vector<Case> cases{
      {"ping", kLan, v4("10.64.37.9", "10.64.37.1", 1, icmp(8, 0)), "for-gateway", kNothing},
      {"another port's address", kLan, v4("10.64.37.9", "203.0.113.1", 6, tcp(1, 22, "A")),
       "for-gateway", kNothing},
      {"with a TTL of 1", kLan, v4("10.64.37.9", "10.64.37.1", 17, udp(1, 2), {.ttl = 1}),
       "for-gateway", kNothing},
      {"a fragment", kLan, v4("10.64.37.9", "10.64.37.1", 17, Bytes(16), {.fragment = 0x2000}),
       "for-gateway", kNothing},
      {"of another link", kLan, v4("169.254.1.1", "10.64.37.1", 1, icmp(8, 0)), "spoofed",
       kNothing},
      {"spoofed", kLan, v4("59.205.16.9", "10.64.37.1", 1, icmp(8, 0)), "spoofed", kNothing},
      {"arp", kLan, ethernet(arp(1, "10.64.37.9", "10.64.37.1"), 0x0806), "for-gateway", kNothing},
      {"dhcp discover", kLan, v4("0.0.0.0", "255.255.255.255", 17, udp(68, 67, 240)), "for-gateway",
       kNothing},
      {"unspecified to other ports", kLan, v4("0.0.0.0", "255.255.255.255", 17, udp(68, 68)),
       "source-unspecified", kNothing},
      {"dhcpv6 solicit", kLan, v6("fe80::9", "ff02::1:2", 17, udp(546, 547)), "for-gateway",
       kNothing},
      {"neighbour solicitation", kLan, ethernet(solicitation), "for-gateway", kNothing},
      {"duplicate address detection", kLan,
       ethernet(icmp6_packet("::", "ff02::1:ff00:9", neighbour(135, "2001:db8:1::9"), 255)),
       "for-gateway", kNothing},
      {"router solicitation", kLan,
       ethernet(icmp6_packet("fe80::9", "ff02::2", Bytes{133, 0, 0, 0, 0, 0, 0, 0}, 255)),
       "for-gateway", kNothing},
      {"hop limit 254", kLan,
       ethernet(
           icmp6_packet("2001:db8:1::9", "ff02::1:ff00:1", neighbour(135, "2001:db8:1::1"), 254)),
       "icmp-invalid", kNothing},
      {"the port's own link-local address", kLan,
       v6("fe80::9", "fe80::ff:fe00:11", 58, icmp(128, 0)), "for-gateway", kNothing},
      {"and as a source", kLan, from6("fe80::ff:fe00:11"), "source-own", kNothing},
      {"a link-local host to a global own address", kLan,
       v6("fe80::9", "2001:db8:1::1", 17, udp(1, 2)), "for-gateway", kNothing},
      {"subnet-router anycast", kLan, v6("2001:db8:1::9", "2001:db8:1::", 17, udp(1, 2)),
       "for-gateway", kNothing},
  };
  check(cases);
  Gate gate;
  BOOST_TEST((gate.send(kLan, cases[0].frame, World{}).fate.step == NextStep::kConsume));
}

BOOST_AUTO_TEST_CASE(admission_route_isolation_rules) {
  const auto bound = [](std::string_view source, std::uint8_t mac) {
    return ethernet(ipv4(source, "59.205.16.10", 6, tcp(1000, 443, "S")),
                    {.source = {2, 0, 0, 0, 0, mac}});
  };
  check({
      {"unit unknown", kCore, v4("172.20.0.9", "10.64.37.9", 6, tcp(1, 443, "S")), "unit-unknown",
       kNothing},
      {"bound, with its mac", kLan, bound("10.64.38.5", 0x55), "allowed", "1 2 0 0"},
      {"bound, another mac", kLan, bound("10.64.38.5", 0x56), "terminal-mac", "1 - - -"},
      {"bound, any mac", kLan, bound("10.64.38.6", 0x56), "allowed", "1 2 0 0"},
      {"bound, not registered", kLan, bound("10.64.38.7", 0x55), "terminal-unknown", "1 - - -"},
      {"denied", kLan, v4("10.64.37.9", "59.205.16.10", 17, udp(1, 54)), "denied", "0 2 - 1"},
      {"default deny", kLan, v4("10.64.37.9", "59.205.16.10", 17, udp(1, 55)), "default-deny",
       "0 2 - -"},
      {"allowed, no service", kLan, to("59.205.16.11"), "allowed", "0 2 - 0"},
      {"gre", kLan, v4("10.64.37.9", "59.205.16.11", 47, Bytes(4)), "allowed", "0 2 - 0"},
      {"echo", kLan, v4("10.64.37.9", "59.205.16.11", 1, icmp(8, 0)), "allowed", "0 2 - 0"},
      {"timestamp", kLan, v4("10.64.37.9", "59.205.16.11", 1, icmp(13, 0, 1, Bytes(12))),
       "default-deny", "0 2 - -"},
      {"sctp", kLan,
       v4("10.64.37.9", "59.205.16.11", 132,
          Bytes{0, 9, 0xf, 0x1c, 0, 0, 0, 5, 0, 0, 0, 0, 4, 0, 0, 4}),
       "allowed", "0 2 - 0"},
      {"sctp without state", kLan,
       v4("10.64.37.9", "59.205.16.11", 132,
          Bytes{0, 9, 0xf, 0x1c, 0, 0, 0, 5, 0, 0, 0, 0, 14, 0, 0, 4}),
       "sctp-no-state", kNothing},
      {"udp source port 0", kLan, v4("10.64.37.9", "59.205.16.11", 17, udp(0, 53)), "allowed",
       "0 2 - 0"},
      {"extranet to dmz needs a service", kLan, to("59.205.17.9"), "default-deny", "0 4 - -"},
      {"and there it is", kLan, to("59.205.17.10"), "allowed", "0 4 0 0"},
      {"extranet to internet without egress", kLan, to("8.8.8.8"), "internet-isolated", "0 - - -"},
      {"internet to dmz, not published", kWan, v4("8.8.8.8", "59.205.17.10", 6, tcp(1, 443, "S")),
       "internet-isolated", "- 4 0 -"},
      {"another address space", kLan,
       ethernet(ipv4("10.1.1.9", "10.9.0.9", 6, tcp(1, 443, "S")), {.vlan = 100}), "zone-isolated",
       "3 - - -"},
      {"no route in this space", kLan,
       ethernet(ipv4("10.1.1.9", "59.205.16.10", 6, tcp(1, 443, "S")), {.vlan = 100}), "no-route",
       "3 - - -"},
      {"inside the private zone", kLan,
       ethernet(ipv4("10.1.1.9", "10.1.1.10", 6, tcp(1, 443, "S")), {.vlan = 100}), "allowed",
       "3 3 - 0"},
      {"sub-port", kLan,
       ethernet(ipv4("10.64.40.9", "59.205.16.10", 6, tcp(1, 443, "S")), {.vlan = 200}), "allowed",
       "0 2 0 0"},
      {"unknown vlan", kLan,
       ethernet(ipv4("10.64.40.9", "59.205.16.10", 6, tcp(1, 443, "S")), {.vlan = 300}),
       "vlan-unexpected", kNothing},
      {"priority tag", kLan,
       ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, tcp(1, 443, "S")), {.vlan = 0x6000}),
       "allowed", "0 2 0 0"},
      {"back out of the same port", kLan, to("10.64.37.77"), "allowed", "0 0 - 0"},
      {"no state", kLan, v4("10.64.37.9", "59.205.16.10", 6, tcp(1, 443, "A")), "tcp-no-state",
       kNothing},
      {"a reset without state", kLan, v4("10.64.37.9", "59.205.16.10", 6, tcp(1, 443, "R")),
       "tcp-no-state", kNothing},
      {"unsolicited reply", kLan, v4("10.64.37.9", "59.205.16.10", 1, icmp(0, 0)),
       "icmp-unsolicited", kNothing},
      {"unsolicited type", kLan, v4("10.64.37.9", "59.205.16.10", 1, icmp(17, 0)),
       "icmp-unsolicited", kNothing},
      {"ttl 1", kLan, v4("10.64.37.9", "59.205.16.10", 6, tcp(1, 443, "S"), {.ttl = 1}),
       "ttl-expired", "0 2 0 0"},
      {"ttl 1, but denied first", kLan,
       v4("10.64.37.9", "59.205.16.10", 17, udp(1, 54), {.ttl = 1}), "denied", "0 2 - 1"},
      {"too big", kLan, v4("10.64.37.9", "59.205.16.11", 17, udp(1, 53, 1473)), "too-big",
       "0 2 - 0"},
      {"just fits", kLan, v4("10.64.37.9", "59.205.16.11", 17, udp(1, 53, 1472)), "allowed",
       "0 2 - 0"},
  });
  check({{"published", kWan, v4("8.8.8.8", "59.205.17.10", 6, tcp(1, 443, "S")), "allowed",
          "- 4 0 0"}},
        {.publish = true});
  check({{"no route", kLan, to("59.205.16.10"), "no-route", "0 - - -"}}, {.core_routes = false});
}

BOOST_AUTO_TEST_CASE(an_image_without_the_port_is_no_image) {
  Gate gate;
  const World world;
  BOOST_TEST(gate.send(PortId{77}, to("59.205.16.10"), world).reason() == "no-image");
  BOOST_TEST(gate.send(PortId{}, to("59.205.16.10"), world).reason() == "no-image");
}

}  // namespace
}  // namespace meiguan::fastpath
