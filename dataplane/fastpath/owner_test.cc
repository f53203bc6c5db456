// With several workers both directions of a translated flow come to the one that has its state.

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <vector>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::uint32_t kWorkers = 3;

PacketInfo parsed(const Bytes& frame) {
  PacketInfo info;
  parse(frame, info);
  return info;
}

// What the other end answers to a packet that it got.
Bytes answer_to(const Bytes& frame) {
  const PacketInfo info = parsed(frame);
  const std::string from = net::to_string(info.key.destination);
  const std::string to = net::to_string(info.key.source);
  const std::uint16_t from_port = info.key.destination_port;
  const std::uint16_t to_port = info.key.source_port;
  const bool v6 = info.family == net::Family::kIpv6;
  switch (info.protocol) {
    case net::protocol::kUdp:
      return ethernet(v6 ? ipv6(from, to, 17, udp(from_port, to_port))
                         : ipv4(from, to, 17, udp(from_port, to_port)));
    case net::protocol::kTcp:
      return ethernet(
          ipv4(from, to, 6, tcp(from_port, to_port, "SA", {.sequence = 7, .acknowledgment = 101})));
    default: return ethernet(ipv4(from, to, 1, icmp(0, 0, to_port)));
  }
}

Bytes error_about(const Bytes& frame) {
  const PacketInfo info = parsed(frame);
  const Bytes quoted(frame.begin() + info.l3_offset, frame.end());
  return ethernet(ipv4("192.0.2.9", net::to_string(info.key.source), 1, icmp(11, 0, 0, quoted)));
}

BOOST_AUTO_TEST_CASE(both_directions_of_a_translated_flow_have_one_owner) {
  const World world{{.nat = true}};
  std::vector<std::unique_ptr<Gate>> gates;
  for (std::uint32_t worker = 0; worker < kWorkers; ++worker) {
    gates.push_back(std::make_unique<Gate>(PipelineOptions{.flow_capacity = 4096,
                                                           .assume_resolved = true,
                                                           .hash_seed = 1,
                                                           .workers = kWorkers,
                                                           .worker = worker}));
  }
  struct Case {
    const char* name;
    PortId in;
    PortId out;
    Bytes (*first)(const std::string& from);
    const char* prefix;  // of the senders
  };
  const Case cases[] = {
      {"egress, udp", kLan, kWan,
       [](const std::string& from) {
         return ethernet(ipv4(from, "198.51.100.7", 17, udp(4000, 53)));
       },
       "10.64.37."},
      {"egress, ping", kLan, kWan,
       [](const std::string& from) {
         return ethernet(ipv4(from, "198.51.100.7", 1, icmp(8, 0, 9)));
       },
       "10.64.37."},
      {"egress, IPv6", kLan, kWan,
       [](const std::string& from) {
         return ethernet(ipv6(from, "2001:db8:77::1", 17, udp(4000, 53)));
       },
       "2001:db8:1::"},
      {"publish", kWan, kDmz,
       [](const std::string& from) {
         return ethernet(ipv4(from, "203.0.113.11", 6, tcp(1000, 8000, "S")));
       },
       "198.51.100."},
      {"publish, from inside", kLan, kDmz,
       [](const std::string& from) {
         return ethernet(ipv4(from, "203.0.113.10", 6, tcp(1000, 443, "S")));
       },
       "10.64.37."},
      {"translate", kVpn, kExchange,
       [](const std::string& from) {
         return ethernet(ipv4(from, "10.70.0.10", 6, tcp(1000, 443, "S")), {.vlan = 100});
       },
       "10.1.1."},
      {"not translated", kLan, kCore,
       [](const std::string& from) {
         return ethernet(ipv4(from, "59.205.16.10", 17, udp(4000, 53)));
       },
       "10.64.37."},
  };
  for (const Case& c : cases) {
    std::vector<unsigned> share(kWorkers, 0);
    for (unsigned host = 2; host < 62; ++host) {
      BOOST_TEST_CONTEXT(c.name << " from " << host) {
        const PortId main = c.in == kVpn ? kLan : c.in;
        const Bytes first = c.first(c.prefix + std::to_string(host));
        const std::uint32_t owner = Pipeline::owner(world.image(), first, main, kWorkers);
        BOOST_REQUIRE(owner < kWorkers);
        ++share[owner];
        const auto sent = gates[owner]->send(main, first, world);
        BOOST_REQUIRE_EQUAL(sent.reason(), "allowed");
        BOOST_REQUIRE((sent.fate.out == c.out));
        const Bytes answer = answer_to(sent.frame);
        BOOST_TEST(Pipeline::owner(world.image(), answer, c.out, kWorkers) == owner);
        BOOST_TEST(gates[owner]->send(c.out, answer, world).reason() == "allowed");
        if (parsed(first).family == net::Family::kIpv6) continue;
        const Bytes error = error_about(sent.frame);
        BOOST_TEST(Pipeline::owner(world.image(), error, c.out, kWorkers) == owner);
      }
    }
    for (const unsigned n : share) BOOST_TEST(n > 5U, c.name << " lies on few workers");
  }
}

}  // namespace
}  // namespace meiguan::fastpath
