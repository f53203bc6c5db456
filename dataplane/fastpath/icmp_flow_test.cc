// ICMP queries, which are flows, and errors, which pass by the flow that they quote.

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
const std::string kOk = "allowed";

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

// RFC 5508 REQ-3, RFC 5927 section 4.1: what an error quotes is on its way, and says so rightly.
BOOST_AUTO_TEST_CASE(icmp_errors_quote_what_was_sent) {
  const World world;
  Gate gate;
  BOOST_TEST(gate.send(kLan, request(c("S")), world).reason() == "allowed");
  const auto of_syn = [&](std::uint32_t sequence) {
    const Bytes quoted = ipv4(kClient, kServer, 6, c("S", sequence));
    return gate
        .send(kCore, ethernet(ipv4("59.205.16.77", kClient, 1, icmp(3, 13, 0, quoted))), world)
        .reason();
  };
  BOOST_TEST(of_syn(100) == "allowed");
  BOOST_TEST(of_syn(102) == "icmp-unsolicited");
  BOOST_TEST(of_syn(99) == "icmp-unsolicited");
  gate.send(kCore, answer(s("SA", 500, 101)), world);
  gate.send(kLan, request(c("A", 101, 501)), world);
  gate.send(kLan, request(c("PA", 101, 501, 400)), world);
  struct Case {
    const char* name;
    bool by_client;  // who sent what is quoted
    Bytes segment;
    Ipv4Options ip;
    std::string want;
  };
  const std::string kInvalid = "icmp-invalid", kUnsolicited = "icmp-unsolicited";
  for (const Case& k : std::vector<Case>{
           {"data on its way", true, c("PA", 101, 501, 400), {}, kOk},
           {"its end", true, c("A", 501, 501), {}, kOk},
           {"beyond its end", true, c("A", 502, 501), {}, kUnsolicited},
           {"a window ago", true, c("A", 501U - 65535U - 3U, 501), {}, kUnsolicited},
           {"the other side's", false, s("A", 501, 501), {}, kOk},
           {"beyond the other side's", false, s("A", 502, 501), {}, kUnsolicited},
           {"a wrong header checksum",
            true,
            c("PA", 101, 501, 400),
            {.bad_checksum = true},
            kInvalid},
           {"too short for TCP", true, c("A", 101, 501), {.total = 39}, kInvalid},
       }) {
    const Bytes quoted = k.by_client ? ipv4(kClient, kServer, 6, k.segment, k.ip)
                                     : ipv4(kServer, kClient, 6, k.segment, k.ip);
    const Gate::Out got =
        gate.send(k.by_client ? kCore : kLan,
                  ethernet(k.by_client ? ipv4("59.205.16.77", kClient, 1, icmp(3, 4, 0, quoted))
                                       : ipv4(kClient, kServer, 1, icmp(3, 4, 0, quoted))),
                  world);
    BOOST_TEST(got.reason() == k.want, k.name);
  }
  gate.send(kLan, request(udp(4000, 53), 17), world);
  for (const auto& [length, want] : {std::pair{16, kOk}, {17, kInvalid}, {7, kInvalid}}) {
    const Bytes quoted = ipv4(kClient, kServer, 17,
                              udp(4000, 53, 8, static_cast<std::uint16_t>(length)));
    BOOST_TEST(gate.send(kCore, ethernet(ipv4(kServer, kClient, 1, icmp(3, 3, 0, quoted))), world)
                       .reason() == want,
               length);
  }
}

// RFC 4890 section 4.3, for what is sent through: what must not be dropped (4.3.1) and echo pass by
// flow and rules, all else does not: of the link alone (4.3.3), unallocated, experiments, mobile
// IPv6, node information and the like (4.3.4, 4.3.5). To the gateway itself only neighbour
// discovery with a hop limit of 255 and echo mean anything (4.4).
BOOST_AUTO_TEST_CASE(icmp6_in_transit) {
  const World world;
  const Bytes unknown = ipv6("2001:db8:1::9", "2001:db8:2::10", 17, udp(4000, 53));
  for (unsigned type = 0; type < 256; ++type) {
    Gate gate;
    Bytes message{static_cast<std::uint8_t>(type), 0, 0, 0, 0, 0, 0, 0};
    const bool error = type >= 1 && type <= 4;
    message = message + (error ? unknown : Bytes(40));
    const auto send = [&](PortId port, std::string_view source, std::string_view destination) {
      return gate.send(port, ethernet(icmp6_packet(source, destination, message)), world).reason();
    };
    const std::string want = type == 128                  ? "allowed"
                             : type >= 133 && type <= 137 ? "icmp-invalid"
                                                          : "icmp-unsolicited";
    BOOST_TEST(send(kLan, "2001:db8:1::9", "2001:db8:2::10") == want, type);
    if (!error) continue;
    gate.send(kLan, ethernet(unknown), world);
    for (unsigned code = 0; code < 256; ++code) {
      message[1] = static_cast<std::uint8_t>(code);
      const unsigned most = type == 1 ? 8 : type == 2 ? 255 : type == 3 ? 1 : 10;
      BOOST_TEST(send(kCore, "2001:db8:2::1", "2001:db8:1::9") ==
                     (code <= most ? "allowed" : "icmp-invalid"),
                 type << ' ' << code);
    }
  }
}

}  // namespace
}  // namespace meiguan::fastpath
