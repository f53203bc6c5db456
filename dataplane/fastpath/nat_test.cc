// Translated flows through the whole pipeline, by the hand-made gateway's NAT (test_image.h).

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <map>
#include <random>
#include <set>
#include <tuple>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/test_checksums.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr const char* kInside = "10.64.37.9";
constexpr const char* kOutside = "198.51.100.7";

const World& world() {
  static const World the_world{{.nat = true}};
  return the_world;
}

// What a frame's packet says of itself, "source:port > destination:port"; of an ICMP error that of
// its quotation behind "error from a to b of ".
std::string ends_of(const Bytes& frame) {
  PacketInfo info;
  parse(frame, info);
  const auto end = [](const net::Address& address, std::uint16_t port) {
    return net::to_string(address) + ":" + std::to_string(port);
  };
  const std::string packet = end(info.key.source, info.key.source_port) + " > " +
                             end(info.key.destination, info.key.destination_port);
  if (info.kind != PacketKind::kIcmpError) return packet;
  return "error from " + net::to_string(info.error_source) + " to " +
         net::to_string(info.error_destination) + " of " + packet;
}

std::string checksums_of(const Bytes& frame) {
  PacketInfo info;
  parse(frame, info);
  return wrong_checksum(std::span{frame}.subspan(info.l3_offset, info.ip_bytes));
}

Bytes udp4(std::string_view from, std::uint16_t from_port, std::string_view to,
           std::uint16_t to_port, const Ipv4Options& o = {}) {
  return sealed(ethernet(ipv4(from, to, 17, udp(from_port, to_port, 20), o)));
}
Bytes tcp4(std::string_view from, std::uint16_t from_port, std::string_view to,
           std::uint16_t to_port, std::string_view flags, const TcpOptions& o = {}) {
  return sealed(ethernet(ipv4(from, to, 6, tcp(from_port, to_port, flags, o))));
}
Bytes ping4(std::string_view from, std::string_view to, std::uint16_t id, std::uint8_t type = 8) {
  return ethernet(ipv4(from, to, 1, icmp(type, 0, id)));
}
FlowKey key_of(const Bytes& frame) {
  PacketInfo info;
  parse(frame, info);
  return info.key;
}
Bytes packet_of(const Bytes& frame, std::size_t most = 2000) {
  PacketInfo info;
  parse(frame, info);
  return {frame.begin() + info.l3_offset,
          frame.begin() + info.l3_offset +
              static_cast<std::ptrdiff_t>(std::min<std::size_t>(info.ip_bytes, most))};
}

struct NatGate : Gate {
  using Gate::Gate;
  // Sends a frame in and expects it to leave by a port; its checksums are right then.
  Bytes through(PortId in, const Bytes& frame, PortId out, const World& by = world()) {
    const Out sent = send(in, frame, by);
    BOOST_TEST_CONTEXT(ends_of(frame)) {
      BOOST_TEST(sent.reason() == "allowed");
      BOOST_TEST((sent.fate.out == out));
      BOOST_TEST(checksums_of(sent.frame) == "");
    }
    return sent.frame;
  }
  std::string fate_of(PortId in, const Bytes& frame, const World& by = world()) {
    return send(in, frame, by).reason();
  }
};

const net::Prefix kPool = *net::Prefix::make(address("203.0.113.32"), 28);

BOOST_AUTO_TEST_CASE(an_egress_hides_the_source_and_replies_come_back) {
  NatGate gate;
  for (const bool tcp : {false, true}) {
    const Bytes first = tcp ? tcp4(kInside, 4000, kOutside, 443, "S")
                            : udp4(kInside, 4000, kOutside, 53);
    const std::uint16_t service = tcp ? 443 : 53;
    const Bytes sent = gate.through(kLan, first, kWan);
    const FlowKey out = key_of(sent);
    BOOST_TEST(kPool.contains(out.source));
    BOOST_TEST(out.source_port >= 1024U);
    BOOST_TEST(net::to_string(out.destination) == kOutside);
    const std::string pool = net::to_string(out.source);
    const Bytes reply = tcp ? tcp4(kOutside, service, pool, out.source_port, "SA",
                                   {.sequence = 7, .acknowledgment = 101})
                            : udp4(kOutside, service, pool, out.source_port);
    const Bytes back = gate.through(kWan, reply, kLan);
    BOOST_TEST(ends_of(back) == "198.51.100.7:" + std::to_string(service) + " > 10.64.37.9:4000");
    // And again, by the flow.
    const Bytes next = tcp ? tcp4(kInside, 4000, kOutside, 443, "A",
                                  {.sequence = 101, .acknowledgment = 8})
                           : first;
    BOOST_TEST(ends_of(gate.through(kLan, next, kWan)) == ends_of(sent));
  }
  const Bytes ping = gate.through(kLan, ping4(kInside, kOutside, 77), kWan);
  const FlowKey out = key_of(ping);
  const Bytes pong =
      gate.through(kWan, ping4(kOutside, net::to_string(out.source), out.source_port, 0), kLan);
  BOOST_TEST(ends_of(pong) == "198.51.100.7:77 > 10.64.37.9:77");
}

// RFC 4787 REQ-1 to REQ-4: one mapping towards every remote end, paired addresses, parity.
BOOST_AUTO_TEST_CASE(a_mapping_is_the_same_towards_everybody) {
  NatGate gate;
  std::set<std::string> seen;
  std::set<net::Address> addresses;
  for (std::uint32_t remote = 0; remote < 50; ++remote) {
    const std::string to = net::to_string(net::Address::v4(0xc6336401 + remote));
    const FlowKey out = key_of(gate.through(kLan, udp4(kInside, 4001, to, 53), kWan));
    seen.insert(net::to_string(out.source) + std::to_string(out.source_port));
    BOOST_TEST(out.source_port % 2 == 1U);
  }
  BOOST_TEST(seen.size() == 1U);
  std::set<std::uint16_t> ports;
  for (std::uint16_t port = 5000; port < 5100; ++port) {
    const FlowKey out = key_of(gate.through(kLan, udp4(kInside, port, kOutside, 53), kWan));
    addresses.insert(out.source);
    BOOST_TEST(ports.insert(out.source_port).second);
    BOOST_TEST(out.source_port % 2 == port % 2);
  }
  BOOST_TEST(addresses.size() == 1U);
}

BOOST_AUTO_TEST_CASE(what_nobody_asked_for_does_not_come_in) {
  NatGate gate;
  const FlowKey out = key_of(gate.through(kLan, udp4(kInside, 4000, kOutside, 53), kWan));
  const std::string pool = net::to_string(out.source);
  const std::uint16_t port = out.source_port;
  struct Case {
    const char* name;
    PortId in;
    Bytes frame;
    const char* want;
  };
  const Bytes quoted = packet_of(udp4(pool, port, "198.51.100.8", 53));
  const Case cases[] = {
      {"another remote address", kWan, udp4("198.51.100.8", 53, pool, port), "nat-unsolicited"},
      {"another remote port", kWan, udp4(kOutside, 54, pool, port), "nat-unsolicited"},
      {"a SYN (RFC 5382 REQ-4: silently)", kWan, tcp4(kOutside, 53, pool, port, "S"),
       "nat-unsolicited"},
      {"a segment", kWan, tcp4(kOutside, 53, pool, port, "A"), "tcp-no-state"},
      {"a port without a mapping", kWan, udp4(kOutside, 53, pool, 1), "nat-unsolicited"},
      {"a ping to the pool", kWan, ping4(kOutside, pool, port), "nat-unsolicited"},
      {"an echo reply", kWan, ping4(kOutside, pool, port, 0), "icmp-unsolicited"},
      {"straight to the inside", kWan, udp4(kOutside, 53, kInside, 4000), "internet-isolated"},
      {"an error about what was not sent", kWan,
       ethernet(ipv4(kOutside, pool, 1, icmp(3, 1, 0, quoted))), "icmp-unsolicited"},
      {"an error about the inside packet", kWan,
       ethernet(
           ipv4(kOutside, kInside, 1, icmp(3, 1, 0, packet_of(udp4(kInside, 4000, kOutside, 53))))),
       "icmp-unsolicited"},
      {"a pool address as a source", kWan, udp4(pool, 53, "203.0.113.10", 443), "spoofed"},
      {"and from inside", kLan, udp4(pool, 53, kOutside, 53), "spoofed"},
      {"a public address, a port that nothing publishes", kWan,
       tcp4(kOutside, 1000, "203.0.113.10", 444, "S"), "nat-unsolicited"},
      {"another protocol of it", kWan, udp4(kOutside, 1000, "203.0.113.10", 443),
       "nat-unsolicited"},
      {"gre has no ports to share an address by", kLan,
       ethernet(ipv4(kInside, kOutside, 47, Bytes(20))), "nat-untranslatable"},
      {"the prefix behind NPTv6", kWan,
       sealed(ethernet(ipv6("2001:db8:77::1", "2001:db8:ffff:1::9", 17, udp(53, 1)))),
       "nat-unsolicited"},
      {"to a published service by its own address", kWan,
       tcp4(kOutside, 1000, "59.205.17.10", 443, "S"), "internet-isolated"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) { BOOST_TEST(gate.fate_of(c.in, c.frame) == c.want); }
  }
}

// RFC 4787 section 5. Filtering only lifts `nat-unsolicited`: isolation and rules are asked of the
// packet from outside as of any other.
BOOST_AUTO_TEST_CASE(filtering_says_who_outside_may_use_a_mapping) {
  using image::Filtering;
  constexpr auto kNobody = Filtering::kAddressAndPortDependent;
  constexpr auto kPeers = Filtering::kAddressDependent;
  constexpr auto kAll = Filtering::kEndpointIndependent;
  const auto world_of = [](Filtering filtering, bool by_publish, bool allow = true) {
    WorldOptions options{.allow = allow, .nat = true, .dmz_by_publish = by_publish};
    options.egress.filtering = filtering;
    return World{options};
  };
  struct Case {
    const char* name;
    Filtering filtering;
    const char* inside;
    bool by_publish;
    const char* remote;  // the inside end has sent to 198.51.100.7:53
    std::uint16_t remote_port;
    const char* want;
  };
  const Case cases[] = {
      {"a flow's own end", kNobody, "59.205.17.11", false, kOutside, 53, "allowed"},
      {"the default: no other port", kNobody, "59.205.17.11", false, kOutside, 54,
       "nat-unsolicited"},
      {"by address: another port", kPeers, "59.205.17.11", false, kOutside, 54, "allowed"},
      {"by address: another address", kPeers, "59.205.17.11", false, "198.51.100.8", 53,
       "nat-unsolicited"},
      {"independent: another address", kAll, "59.205.17.11", false, "198.51.100.8", 54, "allowed"},
      {"isolation is not lifted", kAll, kInside, false, "198.51.100.8", 54, "internet-isolated"},
      {"nor by address", kPeers, kInside, false, kOutside, 54, "internet-isolated"},
      {"who has a [[publish]] is reached by that", kAll, "59.205.17.11", true, "198.51.100.8", 54,
       "internet-isolated"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      const World by = world_of(c.filtering, c.by_publish);
      NatGate gate;
      const PortId port = c.inside == std::string_view{kInside} ? kLan : kDmz;
      const FlowKey out = key_of(gate.through(port, udp4(c.inside, 53, kOutside, 53), kWan, by));
      const std::string pool = net::to_string(out.source);
      const Bytes in = udp4(c.remote, c.remote_port, pool, out.source_port);
      const Gate::Out sent = gate.send(kWan, in, by);
      BOOST_TEST(sent.reason() == c.want);
      if (c.want != std::string_view{"allowed"}) continue;
      const std::string remote = std::string{c.remote} + ":" + std::to_string(c.remote_port);
      BOOST_TEST(ends_of(sent.frame) == remote + " > " + c.inside + ":53");
      BOOST_TEST(checksums_of(sent.frame) == "");
      // What answers is of the same flow, and leaves by the mapping.
      const Bytes back = gate.through(port, udp4(c.inside, 53, c.remote, c.remote_port), kWan, by);
      BOOST_TEST(ends_of(back) == pool + ":" + std::to_string(out.source_port) + " > " + remote);
    }
  }
  // TCP asks nobody in (RFC 5382 REQ-4), and without a live mapping nobody comes in.
  const World all = world_of(kAll, false);
  NatGate gate;
  const FlowKey tcp = key_of(
      gate.through(kDmz, tcp4("59.205.17.11", 443, kOutside, 443, "S"), kWan, all));
  BOOST_TEST(gate.fate_of(kWan,
                          tcp4("198.51.100.8", 1, net::to_string(tcp.source), tcp.source_port, "S"),
                          all) == "nat-unsolicited");
  BOOST_TEST(gate.fate_of(kWan, udp4("198.51.100.8", 1, "203.0.113.33", 2000), all) ==
             "nat-unsolicited");
}

// A flow from outside is judged again as one, and holds its mapping.
BOOST_AUTO_TEST_CASE(a_flow_by_a_mapping_ends_with_what_lets_it_in) {
  WorldOptions options{.nat = true, .dmz_by_publish = false};
  options.egress.filtering = image::Filtering::kAddressDependent;
  const World open{options};
  options.egress.filtering = image::Filtering::kAddressAndPortDependent;
  const World narrow{options};
  options.allow = false;
  const World denies{options};
  struct Case {
    const char* name;
    const World& next;
    const char* want;
  };
  const Case cases[] = {{"the same again", open, "allowed"},
                        {"no such filtering any more", narrow, "revoked"},
                        {"no rule any more", denies, "revoked"}};
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      NatGate gate;
      const FlowKey out = key_of(
          gate.through(kDmz, udp4("59.205.17.11", 53, kOutside, 53), kWan, open));
      const Bytes in = udp4(kOutside, 54, net::to_string(out.source), out.source_port);
      const auto keep_talking = [&](std::uint64_t seconds) {
        for (std::uint64_t s = 0; s < seconds; s += 60) {
          gate.now += 60'000;
          for (int i = 0; i < 300; ++i) gate.pipeline->expire(gate.now);
          (void)gate.through(kWan, in, kDmz, open);
        }
      };
      (void)gate.through(kWan, in, kDmz, open);
      keep_talking(600);  // the flow from inside is over, and so is the rest of its mapping
      BOOST_TEST(gate.pipeline->live_flows() == 1U);
      ++gate.generation;
      BOOST_TEST(gate.fate_of(kWan, in, c.next) == c.want);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_published_service_is_reached_by_its_public_address) {
  NatGate gate;
  const Bytes in = gate.through(kWan, tcp4(kOutside, 1000, "203.0.113.10", 443, "S"), kDmz);
  BOOST_TEST(ends_of(in) == "198.51.100.7:1000 > 59.205.17.10:443");
  const Bytes answer = tcp4("59.205.17.10", 443, kOutside, 1000, "SA",
                            {.sequence = 7, .acknowledgment = 101});
  BOOST_TEST(ends_of(gate.through(kDmz, answer, kWan)) == "203.0.113.10:443 > 198.51.100.7:1000");
  // With another port behind it.
  const Bytes other = gate.through(kWan, tcp4(kOutside, 1001, "203.0.113.11", 8001, "S"), kDmz);
  const FlowKey inside = key_of(other);
  BOOST_TEST(inside.destination_port == 443U);
  // From inside too, with the real source: replies pass here anyway.
  const Bytes hairpin = gate.through(kLan, tcp4(kInside, 1000, "203.0.113.10", 443, "S"), kDmz);
  BOOST_TEST(ends_of(hairpin) == "10.64.37.9:1000 > 59.205.17.10:443");
  // The same five fields would answer to another client's packets: refused, not mixed up.
  BOOST_TEST(gate.fate_of(kLan, tcp4(kInside, 1000, "59.205.17.10", 443, "S")) ==
             "nat-untranslatable");
  // And in the other order: the flow that is there keeps its answers.
  NatGate fresh;
  (void)fresh.through(kLan, tcp4(kInside, 1000, "59.205.17.10", 443, "S"), kDmz);
  BOOST_TEST(fresh.fate_of(kLan, tcp4(kInside, 1000, "203.0.113.10", 443, "S")) ==
             "nat-untranslatable");
  const auto events = gate.events();
  BOOST_REQUIRE(!events.empty());
  BOOST_TEST(net::to_string(events[0].destination) == "203.0.113.10");
  BOOST_TEST(net::to_string(events[0].translated_destination) == "59.205.17.10");
  BOOST_TEST(net::to_string(events[0].translated_source) == kOutside);
}

// A flow keeps its endpoint; new ones are spread, and the others stay where one goes away.
BOOST_AUTO_TEST_CASE(several_endpoints_share_what_is_published) {
  NatGate gate;
  std::map<std::string, unsigned> by_endpoint;
  std::map<std::uint32_t, std::string> chosen;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::string from = net::to_string(net::Address::v4(0xc6336400 + i));
    const FlowKey in = key_of(
        gate.through(kWan, tcp4(from, 1000, "203.0.113.11", 8000, "S"), kDmz));
    ++by_endpoint[chosen[i] = net::to_string(in.destination)];
  }
  BOOST_TEST(by_endpoint["59.205.17.10"] > 60U);
  BOOST_TEST(by_endpoint["59.205.17.11"] > 60U);
  const World fewer{{.nat = true, .second_endpoint = false}};
  ++gate.generation;
  for (std::uint32_t i = 0; i < 200; ++i) {
    const std::string from = net::to_string(net::Address::v4(0xc6336400 + i));
    const auto out = gate.send(kWan, tcp4(from, 1000, "203.0.113.11", 8000, "S"), fewer);
    BOOST_TEST(out.reason() == (chosen[i] == "59.205.17.10" ? "allowed" : "revoked"));
  }
}

// RFC 4787 REQ-9 a: both ends are seen by their public addresses.
BOOST_AUTO_TEST_CASE(two_inside_hosts_meet_by_their_public_addresses) {
  NatGate gate;
  const FlowKey other = key_of(gate.through(kLan, udp4("10.64.37.8", 53, kOutside, 53), kWan));
  const Bytes frame = udp4(kInside, 4000, net::to_string(other.source), other.source_port);
  const FlowKey met = key_of(gate.through(kLan, frame, kLan));
  BOOST_TEST(kPool.contains(met.source));
  BOOST_TEST(net::to_string(met.destination) == "10.64.37.8");
  BOOST_TEST(met.destination_port == 53U);
  const Bytes back = udp4("10.64.37.8", 53, net::to_string(met.source), met.source_port);
  BOOST_TEST(ends_of(gate.through(kLan, back, kLan)) == net::to_string(other.source) + ":" +
                                                            std::to_string(other.source_port) +
                                                            " > 10.64.37.9:4000");
}

// RFC 5508 REQ-3 to REQ-5, and the way of path-MTU discovery and traceroute.
BOOST_AUTO_TEST_CASE(errors_find_their_way_through_a_translation) {
  NatGate gate;
  const Bytes sent = gate.through(kLan, udp4(kInside, 4000, kOutside, 53), kWan);
  const std::string pool = net::to_string(key_of(sent).source);
  const std::string mapped = pool + ":" + std::to_string(key_of(sent).source_port);
  for (const std::size_t quoted : {std::size_t{28}, std::size_t{48}}) {
    const Bytes error = ethernet(
        ipv4("192.0.2.1", pool, 1, icmp(11, 0, 0, packet_of(sent, quoted))));
    BOOST_TEST(ends_of(gate.through(kWan, error, kLan)) ==
               "error from 192.0.2.1 to 10.64.37.9 of 10.64.37.9:4000 > 198.51.100.7:53");
  }
  const Bytes reply = gate.through(kWan, udp4(kOutside, 53, pool, key_of(sent).source_port), kLan);
  const Bytes from_inside = ethernet(ipv4(kInside, kOutside, 1, icmp(3, 3, 0, packet_of(reply))));
  BOOST_TEST(ends_of(gate.through(kLan, from_inside, kWan)) ==
             "error from " + pool + " to 198.51.100.7 of 198.51.100.7:53 > " + mapped);
  // Published: the error of the dmz does not tell the real address.
  const Bytes in = gate.through(kWan, tcp4(kOutside, 1000, "203.0.113.10", 443, "S"), kDmz);
  const Bytes refused = ethernet(ipv4("59.205.17.10", kOutside, 1, icmp(3, 3, 0, packet_of(in))));
  BOOST_TEST(ends_of(gate.through(kDmz, refused, kWan)) ==
             "error from 203.0.113.10 to 198.51.100.7 of 198.51.100.7:1000 > 203.0.113.10:443");
  // A ping's error quotes the identifier that it had outside.
  const Bytes ping = gate.through(kLan, ping4(kInside, kOutside, 5), kWan);
  const Bytes late = ethernet(
      ipv4("192.0.2.1", net::to_string(key_of(ping).source), 1, icmp(11, 0, 0, packet_of(ping))));
  BOOST_TEST(ends_of(gate.through(kWan, late, kLan)) ==
             "error from 192.0.2.1 to 10.64.37.9 of 10.64.37.9:5 > 198.51.100.7:5");
}

BOOST_AUTO_TEST_CASE(an_ipv6_egress_changes_the_prefix_only) {
  NatGate gate;
  const auto udp6 = [](std::string_view from, std::uint16_t fp, std::string_view to,
                       std::uint16_t tp) {
    return sealed(ethernet(ipv6(from, to, 17, udp(fp, tp, 9))));
  };
  const Bytes first = udp6("2001:db8:1::9", 4000, "2001:db8:77::1", 53);
  const Bytes sent = gate.through(kLan, first, kWan);
  const FlowKey out = key_of(sent);
  BOOST_TEST(out.source_port == 4000U);
  const std::string outside = net::to_string(out.source);
  BOOST_TEST(outside.starts_with("2001:db8:ffff:1:"));
  // Neutral: the checksum is the one that the host computed.
  BOOST_TEST((sent[14 + 46] == first[14 + 46] && sent[14 + 47] == first[14 + 47]));
  BOOST_TEST(ends_of(gate.through(kWan, udp6("2001:db8:77::1", 53, outside, 4000), kLan)) ==
             "2001:db8:77::1:53 > 2001:db8:1::9:4000");
  const Bytes error = ethernet(
      icmp6_packet("2001:db8:78::1", outside, icmp(2, 0, 0, packet_of(sent))));
  BOOST_TEST(ends_of(gate.through(kWan, error, kLan)) ==
             "error from 2001:db8:78::1 to 2001:db8:1::9 of 2001:db8:1::9:4000 > "
             "2001:db8:77::1:53");
}

// One to one, in both directions, from a space of its own.
BOOST_AUTO_TEST_CASE(a_private_zone_is_seen_by_its_outside_addresses) {
  NatGate gate;
  const auto vpn = [](Bytes frame) {
    Bytes tagged(frame.begin(), frame.begin() + 12);
    const Bytes tag{0x81, 0x00, 0, 100};
    append(tagged, tag);
    append(tagged, Bytes(frame.begin() + 12, frame.end()));
    return tagged;
  };
  const Bytes sent = gate.through(kLan, vpn(tcp4("10.1.1.9", 1000, "10.70.0.10", 443, "S")),
                                  kExchange);
  BOOST_TEST(ends_of(sent) == "10.200.1.9:1000 > 10.70.0.10:443");
  const Bytes back = gate.through(kExchange,
                                  tcp4("10.70.0.10", 443, "10.200.1.9", 1000, "SA",
                                       {.sequence = 7, .acknowledgment = 101}),
                                  kVpn);
  BOOST_TEST(ends_of(back) == "10.70.0.10:443 > 10.1.1.9:1000");
  // To the private zone: judged by the inside address, where no rule names a service.
  BOOST_TEST(gate.fate_of(kExchange, tcp4("10.70.0.10", 5, "10.200.1.9", 443, "S")) ==
             "default-deny");
  // Not by its own address from the shared space.
  BOOST_TEST(gate.fate_of(kExchange, tcp4("10.70.0.10", 5, "10.1.1.9", 443, "S")) != "allowed");
}

// Everything that can run out does so by its name, and is there again when it is given back.
BOOST_AUTO_TEST_CASE(pools_and_tables_run_out_by_name_and_come_back) {
  const World small{
      {.nat = true, .egress = {0, 1, 0, 1, 1024, 2047, 64, 2, {}, {}}, .pool = "203.0.113.32/31"}};
  NatGate gate{PipelineOptions{.flow_capacity = 16384, .assume_resolved = true, .hash_seed = 1}};
  // Two blocks of 64 ports for one host.
  unsigned allowed = 0;
  for (std::uint16_t port = 3000; port < 3200; ++port) {
    const std::string fate = gate.fate_of(kLan, udp4(kInside, port, kOutside, 53), small);
    if (fate == "allowed") {
      ++allowed;
    } else {
      BOOST_REQUIRE(fate == "nat-pool-full");
    }
  }
  BOOST_TEST(allowed == 128U);
  // Another protocol has the block's ports to itself.
  BOOST_TEST(gate.fate_of(kLan, tcp4(kInside, 3150, kOutside, 443, "S"), small) == "allowed");
  // 2 addresses x 16 blocks, two of them taken.
  unsigned hosts = 0;
  for (unsigned host = 10; host < 60; ++host) {
    const std::string from = "10.64.37." + std::to_string(host);
    if (gate.fate_of(kLan, udp4(from, 1000, kOutside, 53), small) == "allowed") ++hosts;
  }
  BOOST_TEST(hosts == 30U);
  std::map<EventKind, unsigned> told;
  for (const Event& event : gate.events()) ++told[event.kind];
  BOOST_TEST(told[EventKind::kBlockTaken] == 32U);
  // Silent for two minutes the flows end; two more, and the blocks are returned.
  const auto wait = [&](std::uint64_t seconds) {
    for (std::uint64_t ms = 0; ms < seconds * 1000; ms += 50) {
      gate.now += 50;
      gate.pipeline->expire(gate.now);
    }
  };
  wait(125);
  BOOST_TEST(gate.pipeline->live_flows() == 1U);  // the TCP one is half open for longer
  BOOST_TEST(gate.fate_of(kLan, udp4("10.64.37.200", 1000, kOutside, 53), small) ==
             "nat-pool-full");
  wait(125);
  for (const Event& event : gate.events()) ++told[event.kind];
  BOOST_TEST(told[EventKind::kBlockReturned] >= 30U);
  BOOST_TEST(gate.fate_of(kLan, udp4("10.64.37.200", 1000, kOutside, 53), small) == "allowed");
}

// RFC 4787 REQ-3: a port below 1024 while there is one, else any; and each side by itself.
BOOST_AUTO_TEST_CASE(low_ports_run_out_and_come_back) {
  const World low{
      {.nat = true, .egress = {0, 1, 0, 1, 512, 2047, 64, 1, {}, {}}, .pool = "203.0.113.32/32"}};
  NatGate gate{PipelineOptions{.flow_capacity = 16384, .assume_resolved = true, .hash_seed = 1}};
  const auto leaves_low = [&](unsigned host, std::uint16_t port) {
    const std::string from = "10.64.37." + std::to_string(host);
    const auto out = gate.send(kLan, udp4(from, port, kOutside, 53), low);
    BOOST_TEST(out.reason() == "allowed", from);
    return key_of(out.frame).source_port < 1024;
  };
  for (unsigned host = 10; host < 18; ++host) BOOST_TEST(leaves_low(host, 500));
  for (unsigned host = 18; host < 22; ++host) BOOST_TEST(!leaves_low(host, 500));
  BOOST_TEST(!leaves_low(22, 5000));
  for (int i = 0; i < 250 * 20; ++i) {
    gate.now += 50;
    gate.pipeline->expire(gate.now);
  }
  BOOST_TEST(leaves_low(23, 500));
}

// A host's high block is used before it gets another one, also for a port below 1024.
BOOST_AUTO_TEST_CASE(what_finds_no_low_port_goes_into_the_block_that_is_there) {
  const World low{
      {.nat = true, .egress = {0, 1, 0, 1, 512, 2047, 64, 2, {}, {}}, .pool = "203.0.113.32/32"}};
  NatGate gate{PipelineOptions{.flow_capacity = 16384, .assume_resolved = true, .hash_seed = 1}};
  const auto leave = [&](unsigned host, std::uint16_t port) {
    const std::string from = "10.64.37." + std::to_string(host);
    BOOST_TEST(gate.fate_of(kLan, udp4(from, port, kOutside, 53), low) == "allowed", from);
  };
  for (unsigned host = 10; host < 18; ++host) leave(host, 500);
  leave(18, 5000);
  for (std::uint16_t port = 500; port < 530; ++port) leave(18, port);
  unsigned taken = 0;
  for (const Event& event : gate.events()) taken += event.kind == EventKind::kBlockTaken ? 1 : 0;
  BOOST_TEST(taken == 9U);
}

// One block at each address: a packet looks at 4,096 of them, the next one goes on behind those.
BOOST_AUTO_TEST_CASE(a_large_pool_is_used_up_to_its_last_address) {
  const World large{{.nat = true,
                     .egress = {0, 1, 0, 1, 1024, 1087, 64, 1, {}, {}},
                     .pool = "203.0.32.0/19",
                     .extra_units = 36}};
  NatGate gate{PipelineOptions{
      .flow_capacity = 1U << 15, .assume_resolved = true, .hash_seed = 1, .port_blocks = 1U << 16}};
  std::map<std::string, unsigned> fates;
  const auto send = [&](std::uint32_t host) {
    const std::string from = net::to_string(net::Address::v4(0x1400'0000U + host));
    return gate.fate_of(kLan, udp4(from, 5000, kOutside, 53), large);
  };
  for (std::uint32_t host = 0; host < 8192; ++host) {
    // It may take a packet for every 4,096 addresses.
    std::string fate = send(host);
    if (fate != "allowed") fate = send(host);
    ++fates[fate];
  }
  BOOST_TEST(fates["allowed"] == 8192U);
  for (std::uint32_t host = 8192; host < 8200; ++host) BOOST_TEST(send(host) == "nat-pool-full");
}

BOOST_AUTO_TEST_CASE(the_table_of_translations_runs_out_by_name) {
  NatGate gate{PipelineOptions{
      .flow_capacity = 1024, .assume_resolved = true, .hash_seed = 1, .translations = 8}};
  std::map<std::string, unsigned> fates;
  for (std::uint16_t i = 1; i <= 12; ++i) {
    ++fates[gate.fate_of(kLan, udp4(kInside, i, kOutside, 53))];
  }
  BOOST_TEST(fates["allowed"] == 8U);
  BOOST_TEST(fates["nat-table-full"] == 4U);
  BOOST_TEST(gate.pipeline->live_flows() == 8U);
  // What is not translated still passes.
  BOOST_TEST(gate.fate_of(kLan, udp4(kInside, 1, "59.205.16.10", 53)) == "allowed");
}

// Blocks are the gateway's, not the pool's: the reason says which of the two is used up.
BOOST_AUTO_TEST_CASE(the_table_of_port_blocks_runs_out_by_name) {
  NatGate gate{PipelineOptions{
      .flow_capacity = 1024, .assume_resolved = true, .hash_seed = 1, .port_blocks = 2}};
  std::map<std::string, unsigned> fates;
  for (std::uint8_t host = 7; host <= 11; ++host) {
    const std::string inside = net::to_string(net::Address::v4(0x0a402500U + host));
    ++fates[gate.fate_of(kLan, udp4(inside, 4000, kOutside, 53))];
  }
  BOOST_TEST(fates["allowed"] == 2U);
  BOOST_TEST(fates["nat-table-full"] == 3U);
}

// Policy section 3: judged again as if new; a translation that is no longer in force ends the flow.
BOOST_AUTO_TEST_CASE(a_changed_translation_revokes_the_flow) {
  struct Case {
    const char* name;
    WorldOptions options;
    const char* want;
  };
  const Case cases[] = {
      {"the same again", {.nat = true}, "allowed"},
      {"another pool", {.nat = true, .pool = "203.0.113.64/28"}, "revoked"},
      {"a larger pool", {.nat = true, .pool = "203.0.113.32/27"}, "allowed"},
      {"no NAT any more", {}, "revoked"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      NatGate gate;
      const World next{c.options};
      const Bytes frame = udp4(kInside, 4000, kOutside, 53);
      const FlowKey before = key_of(gate.through(kLan, frame, kWan));
      ++gate.generation;
      const auto out = gate.send(kLan, frame, next);
      BOOST_TEST(out.reason() == c.want);
      if (c.want == std::string_view{"allowed"}) {
        BOOST_TEST(equal(key_of(out.frame), before));
        continue;
      }
      BOOST_TEST(gate.pipeline->live_flows() == 0U);
      if (!c.options.nat) continue;
      // A new flow has the new pool, and the old mapping's port is not given away meanwhile.
      const FlowKey after = key_of(gate.through(kLan, frame, kWan, next));
      BOOST_TEST(!kPool.contains(after.source));
    }
  }
  // And an untranslated flow under NAT that came into force.
  NatGate gate;
  const World plain{{.publish = true}};
  BOOST_TEST(gate.fate_of(kWan, tcp4(kOutside, 1, "59.205.17.10", 443, "S"), plain) == "allowed");
}

// The ports of an [[egress]] are as much a part of it as its pool.
BOOST_AUTO_TEST_CASE(a_port_that_is_not_the_egress_s_any_more_revokes_the_flow) {
  NatGate gate;
  const Bytes frame = udp4(kInside, 4000, kOutside, 53);
  const std::uint16_t port = key_of(gate.through(kLan, frame, kWan)).source_port;
  constexpr std::uint16_t kMiddle = 66 * 512;
  WorldOptions options{.nat = true};
  options.egress.first_port = port < kMiddle ? kMiddle : 1024;
  options.egress.last_port = port < kMiddle ? 65535 : kMiddle - 1;
  const World next{options};
  ++gate.generation;
  BOOST_TEST(gate.fate_of(kLan, frame, next) == "revoked");
  const std::uint16_t after = key_of(gate.through(kLan, frame, kWan, next)).source_port;
  BOOST_TEST(after >= options.egress.first_port);
  BOOST_TEST(after <= options.egress.last_port);
}

// The naive twin knows of each mapping only what it saw leave: it must be the inside end's own,
// stay so, lie in the pool, and lead back.
BOOST_AUTO_TEST_CASE(mappings_are_stable_and_nobody_shares_one) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  NatGate gate{
      PipelineOptions{.flow_capacity = 32768, .assume_resolved = true, .hash_seed = seed | 1U}};
  using End = std::tuple<std::string, std::uint16_t, std::uint8_t>;
  std::map<End, End> outside_of;
  std::map<End, End> inside_of;
  struct Seen {
    Bytes reply;
    std::string want;
  };
  std::vector<Seen> replies;
  for (int round = 0; round < 6000; ++round) {
    const std::string from = "10.64.37." + std::to_string(2 + random() % 40);
    const auto port = static_cast<std::uint16_t>(1 + random() % 60);
    const std::string to = "198.51.100." + std::to_string(1 + random() % 20);
    const auto what = static_cast<unsigned>(random() % 3);
    const Bytes frame = what == 0   ? udp4(from, port, to, 53)
                        : what == 1 ? tcp4(from, port, to, 443, "S")
                                    : ping4(from, to, port);
    const auto out = gate.send(kLan, frame, world());
    BOOST_REQUIRE_MESSAGE(out.reason() == "allowed", out.reason() << " seed " << seed);
    BOOST_REQUIRE_MESSAGE(checksums_of(out.frame) == "", "seed " << seed);
    const FlowKey key = key_of(out.frame);
    BOOST_REQUIRE_MESSAGE(kPool.contains(key.source), "seed " << seed);
    const End inside{from, port, key.protocol};
    const End outside{net::to_string(key.source), key.source_port, key.protocol};
    BOOST_REQUIRE_MESSAGE(outside_of.emplace(inside, outside).first->second == outside, seed);
    BOOST_REQUIRE_MESSAGE(inside_of.emplace(outside, inside).first->second == inside, seed);
    const std::string pool = std::get<0>(outside);
    const Bytes reply = what == 0   ? udp4(to, 53, pool, key.source_port)
                        : what == 1 ? tcp4(to, 443, pool, key.source_port, "SA",
                                           {.sequence = 1, .acknowledgment = 101})
                                    : ping4(to, pool, key.source_port, 0);
    const std::uint16_t remote = what == 0 ? 53 : what == 1 ? 443 : port;
    replies.push_back(
        {reply, to + ":" + std::to_string(remote) + " > " + from + ":" + std::to_string(port)});
    const Seen& one = replies[random() % replies.size()];
    const auto back = gate.send(kWan, one.reply, world());
    BOOST_REQUIRE_MESSAGE(back.reason() == "allowed", back.reason() << " seed " << seed);
    BOOST_REQUIRE_MESSAGE(ends_of(back.frame) == one.want, "seed " << seed);
    BOOST_REQUIRE_MESSAGE(checksums_of(back.frame) == "", "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(ttl_and_mtu_hold_behind_a_translation) {
  NatGate gate;
  BOOST_TEST(gate.fate_of(kLan, udp4(kInside, 1, kOutside, 53, {.ttl = 1})) == "ttl-expired");
  const Bytes big = sealed(ethernet(ipv4(kInside, kOutside, 17, udp(1, 53, 1500))));
  const auto out = gate.send(kLan, big, world());
  BOOST_TEST(out.reason() == "too-big");
  // Reported as it came: the sender must know it again.
  BOOST_TEST(out.frame == big, boost::test_tools::per_element());
  const Bytes sent = gate.through(kLan, udp4(kInside, 1, kOutside, 53, {.ttl = 9}), kWan);
  BOOST_TEST(int{sent[14 + 8]} == 8);
}

// The fragments of a datagram leave as those of the translated one.
BOOST_AUTO_TEST_CASE(fragments_are_translated_with_their_datagram) {
  NatGate gate;
  const FlowKey out = key_of(gate.through(kLan, udp4(kInside, 4000, kOutside, 53), kWan));
  const Bytes whole = packet_of(sealed(ethernet(ipv4(kInside, kOutside, 17, udp(4000, 53, 40)))));
  const Bytes want = packet_of(sealed(
      ethernet(ipv4(net::to_string(out.source), kOutside, 17, udp(out.source_port, 53, 40)))));
  const auto part = [](const Bytes& packet, std::ptrdiff_t from, std::ptrdiff_t to,
                       std::uint16_t bits) {
    const net::Address source = net::Address::v4_wire(packet.data() + 12);
    return ethernet(ipv4(net::to_string(source), kOutside, 17,
                         Bytes(packet.begin() + 20 + from, packet.begin() + 20 + to),
                         {.fragment = bits}));
  };
  std::vector<Bytes> memory{part(whole, 24, 48, 3), part(whole, 0, 24, 0x2000)};
  std::vector<Frame> frames;
  for (Bytes& bytes : memory) {
    bytes.insert(bytes.begin(), Frame::kHeadroom, 0);
    frames.push_back({bytes.data() + Frame::kHeadroom,
                      static_cast<std::uint32_t>(bytes.size() - Frame::kHeadroom), kLan});
  }
  std::vector<Fate> fates(2);
  gate.pipeline->process(world().image(), gate.moment, gate.generation, gate.now, frames, fates);
  BOOST_TEST(gate.pipeline->released(frames, fates) == 2U);
  std::vector<Bytes> left;
  for (std::size_t i = 0; i < 2; ++i) {
    BOOST_TEST((fates[i].reason == Reason::kAllowed && fates[i].out == kWan));
    left.push_back(packet_of(Bytes(frames[i].data, frames[i].data + frames[i].length)));
    BOOST_TEST(wrong_checksum(left.back()) == "");
  }
  BOOST_TEST((left[0][4] == left[1][4] && left[0][5] == left[1][5]), "one datagram still");
  std::sort(left.begin(), left.end(), [](const Bytes& a, const Bytes& b) { return a[7] < b[7]; });
  const Bytes joined = Bytes(left[0].begin() + 20, left[0].end()) +
                       Bytes(left[1].begin() + 20, left[1].end());
  BOOST_TEST(joined == Bytes(want.begin() + 20, want.end()), boost::test_tools::per_element());
}

// RFC 6864 sections 4 and 5.3.1: hosts behind one address number their datagrams each for itself.
BOOST_AUTO_TEST_CASE(datagrams_behind_one_address_have_one_numbering) {
  NatGate gate;
  const auto identification = [](const Bytes& frame) {
    const Bytes packet = packet_of(frame);
    return packet[4] << 8 | packet[5];
  };
  std::set<int> seen;
  for (int i = 0; i < 20; ++i) {
    const auto port = static_cast<std::uint16_t>(4000 + i);
    const Bytes sent = udp4(kInside, port, kOutside, 53, {.identification = 77});
    seen.insert(identification(gate.through(kLan, sent, kWan)));
    const Bytes atomic = udp4(kInside, port, kOutside, 53,
                              {.fragment = 0x4000, .identification = 77});
    BOOST_TEST(identification(gate.through(kLan, atomic, kWan)) == 77);
  }
  BOOST_TEST(seen.size() == 20U);
}

BOOST_AUTO_TEST_CASE(listed_flows_show_both_sides) {
  NatGate gate;
  const FlowKey out = key_of(gate.through(kLan, udp4(kInside, 4000, kOutside, 53), kWan));
  std::vector<Event> events(4);
  std::size_t count = 0;
  (void)gate.pipeline->list_flows(0, events, count);
  BOOST_REQUIRE(count == 1U);
  BOOST_TEST(net::to_string(events[0].source) == kInside);
  BOOST_TEST((events[0].translated_source == out.source));
  BOOST_TEST(events[0].translated_source_port == out.source_port);
  BOOST_TEST(net::to_string(events[0].translated_destination) == kOutside);
}

}  // namespace
}  // namespace meiguan::fastpath
