#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/fragment_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::uint8_t kUdp = net::protocol::kUdp;
constexpr std::uint8_t kTcp = net::protocol::kTcp;
constexpr std::uint8_t kIcmp = net::protocol::kIcmp;
constexpr std::uint8_t kIcmp6 = net::protocol::kIcmp6;

// A datagram to the name server with 48 bytes: pieces of 16 are three.
const Bytes kQuery = udp(4000, 53, 40);

Bytes p4(std::size_t from, std::size_t to, bool more, const PieceOptions& o = {}) {
  return piece4(kUdp, kQuery, from, to, more, o);
}
Bytes p6(std::size_t from, std::size_t to, bool more, const PieceOptions& o = {}) {
  return piece6(kUdp, kQuery, from, to, more, o);
}
Bytes changed(Bytes frame) {
  frame.back() ^= 1;
  return frame;
}

struct Case {
  std::string name;
  std::vector<Bytes> frames;
  std::string want;      // of each frame, at once
  std::string want_end;  // behind the time-out
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    FragmentGate g;
    g.send(c.frames);
    BOOST_TEST(g.reasons() == c.want, c.name << ": " << g.reasons() << ", want " << c.want);
    g.gate.now += 60'000;
    g.expire();
    const std::string want_end = c.want_end.empty() ? c.want : c.want_end;
    BOOST_TEST(g.reasons() == want_end, c.name << ", at the end: " << g.reasons());
  }
}

BOOST_AUTO_TEST_CASE(a_datagram_goes_on_when_it_is_whole) {
  check({
      {"RFC 791 3.2: in order",
       {p4(0, 16, true), p4(16, 32, true), p4(32, 48, false)},
       "3 allowed",
       ""},
      {"RFC 791 3.2: out of order",
       {p4(16, 32, true), p4(32, 48, false), p4(0, 16, true)},
       "3 allowed",
       ""},
      {"the last one first",
       {p4(32, 48, false), p4(16, 32, true), p4(0, 16, true)},
       "3 allowed",
       ""},
      {"a last piece that is no multiple of 8", cut(false, kUdp, udp(4000, 53, 41), 16),
       "4 allowed", ""},
      {"RFC 8200 4.5: in order", {p6(0, 16, true), p6(16, 48, false)}, "2 allowed", ""},
      {"RFC 8200 4.5: out of order", {p6(16, 48, false), p6(0, 16, true)}, "2 allowed", ""},
      {"RFC 8200 4.5: of later ones the next header does not count",
       {p6(0, 16, true), p6(16, 48, false, {.next_header = kTcp})},
       "2 allowed",
       ""},
      {"RFC 6946: an atomic fragment is a whole packet", {p6(0, 48, false)}, "allowed", ""},
      {"RFC 6946: it has nothing to do with others of its identification",
       {p6(0, 16, true), p6(0, 48, false), p6(16, 48, false)},
       "3 allowed",
       ""},
      {"RFC 8200 4.5: an exact duplicate is dropped alone",
       {p4(0, 16, true), p4(0, 16, true), p4(16, 48, false)},
       "allowed, fragment-duplicate, allowed",
       ""},
      {"the same over IPv6",
       {p6(16, 48, false), p6(16, 48, false), p6(0, 16, true)},
       "allowed, fragment-duplicate, allowed",
       ""},
      {"padding of a short frame is not the fragment's",
       {p4(0, 16, true, {.link = {.padding = 10}}), p4(16, 48, false)},
       "2 allowed",
       ""},
      {"a denied one ends as a whole", cut(false, kUdp, udp(4000, 54, 40), 16), "3 denied", ""},
      {"without a rule", cut(true, kUdp, udp(4000, 55, 40), 16), "3 default-deny", ""},
      {"a protocol without ports", cut(false, 47, Bytes(64), 24), "3 allowed", ""},
      {"RFC 768: the UDP length is the datagram's", cut(false, kUdp, udp(4000, 53, 40, 16), 16),
       "3 udp-length", ""},
      {"flags that no TCP sends", cut(false, kTcp, tcp(9, 443, "SF", {.payload = 80}), 24),
       "5 tcp-flags", ""},
      {"a segment from the middle", cut(false, kTcp, tcp(9, 443, "A", {.payload = 80}), 24),
       "5 tcp-no-state", ""},
      {"a reply that nobody asked for", cut(false, kIcmp, icmp(0, 0, 1, Bytes(80)), 24),
       "4 icmp-unsolicited", ""},
      {"RFC 6980: neighbour discovery is never fragmented",
       cut(true, kIcmp6, neighbour(135, "2001:db8:2::10", 0, Bytes(16)), 24), "2 icmp-invalid", ""},
      {"for the gateway: at its place in the order, and not gathered",
       cut(false, kIcmp, icmp(8, 0, 1, Bytes(40)), 24, {.destination = "10.64.37.1"}),
       "2 for-gateway", ""},
      {"a spoofed one is never held", {p4(0, 16, true, {.source = "59.205.16.9"})}, "spoofed", ""},
  });
}

BOOST_AUTO_TEST_CASE(what_cannot_become_one_is_dropped_whole) {
  const Bytes segment = tcp(9, 443, "S", {.payload = 40, .offset = 8});
  const Bytes echo = icmp(8, 0, 1, Bytes(1472));
  const Bytes large(65536);
  check({
      {"FFW_RUL_EXT.1.6 b: the last is missing",
       {p4(0, 16, true), p4(16, 32, true)},
       "2 held",
       "2 fragment-incomplete"},
      {"the first is missing",
       {p4(16, 32, true), p4(32, 48, false)},
       "2 held",
       "2 fragment-incomplete"},
      {"one in the middle is missing",
       {p6(0, 16, true), p6(32, 48, false)},
       "2 held",
       "2 fragment-incomplete"},
      {"another identification",
       {p4(0, 16, true), p4(16, 48, false, {.identification = 1})},
       "2 held",
       "2 fragment-incomplete"},
      {"RFC 791: another protocol",
       {p4(0, 16, true), piece4(47, kQuery, 16, 48, false)},
       "2 held",
       "2 fragment-incomplete"},
      {"RFC 5722: a later one reaches into an earlier",
       {p4(0, 24, true), p4(16, 48, false)},
       "2 fragment-overlap",
       ""},
      {"RFC 5722: the same over IPv6",
       {p6(0, 24, true), p6(16, 48, false)},
       "2 fragment-overlap",
       ""},
      {"teardrop: one lies inside another",
       {p4(0, 32, true), p4(8, 16, false)},
       "2 fragment-overlap",
       ""},
      {"one that holds another inside",
       {p4(16, 24, true), p4(8, 48, false)},
       "2 fragment-overlap",
       ""},
      {"RFC 5722: the datagram stays refused",
       {p4(0, 24, true), p4(16, 48, false), p4(0, 24, true), p4(24, 48, false)},
       "4 fragment-overlap",
       ""},
      {"a duplicate with other bytes is an overlap",
       {p4(0, 16, true), changed(p4(0, 16, true))},
       "2 fragment-overlap",
       ""},
      {"a duplicate that says it is the last",
       {p4(16, 32, true), p4(16, 32, false)},
       "2 fragment-overlap",
       ""},
      {"two last ones with other ends",
       {p4(32, 48, false), p4(16, 24, false)},
       "2 fragment-overlap",
       ""},
      {"one behind the last", {p4(16, 32, false), p4(32, 48, true)}, "2 fragment-overlap", ""},
      {"a last one before what is there",
       {p4(32, 48, true), p4(16, 32, false)},
       "2 fragment-overlap",
       ""},
      {"RFC 791: a length that is no multiple of 8", {p4(0, 20, true)}, "fragment-invalid", ""},
      {"RFC 8200 4.5: the same", {p6(0, 20, true)}, "fragment-invalid", ""},
      {"ping of death: it ends behind 65535",
       {piece4(kIcmp, large, 65528, 65536, false)},
       "fragment-invalid",
       ""},
      {"the same over IPv6", {piece6(kUdp, large, 65528, 65536, false)}, "fragment-invalid", ""},
      {"RFC 1858: ports alone in the first",
       {piece4(kTcp, segment, 0, 16, true)},
       "fragment-invalid",
       ""},
      {"RFC 3128: a TCP fragment at offset 8",
       {piece4(kTcp, segment, 8, 60, false)},
       "fragment-invalid",
       ""},
      {"RFC 7112: options of TCP in the second",
       {piece6(kTcp, segment, 0, 24, true)},
       "fragment-invalid",
       ""},
      {"RFC 7112: the whole header in the first", cut(true, kTcp, segment, 32), "2 allowed", ""},
      {"rose: a first and a last one, and nothing between",
       {piece4(kIcmp, echo, 0, 16, true), piece4(kIcmp, echo, 1472, 1480, false)},
       "2 held",
       "2 fragment-incomplete"},
      {"jolt: the last pieces of many long pings",
       {piece4(kIcmp, large, 65488, 65504, false), piece4(kIcmp, large, 65488, 65512, false)},
       "2 fragment-overlap",
       ""},
      {"a fragment in a fragment",
       {piece6(net::protocol::kFragment, Bytes(16), 0, 16, true)},
       "extension-invalid",
       ""},
  });
}

// Options of the first fragment count towards the datagram's length.
BOOST_AUTO_TEST_CASE(a_datagram_that_is_too_long_only_as_a_whole) {
  FragmentGate g;
  const Bytes ping = icmp(8, 0, 1, Bytes(65500));
  const std::vector<Bytes> pieces = cut(false, kIcmp, ping, 1456);
  g.send(piece4(kIcmp, ping, 0, 1456, true, {.options = Bytes(40, 1)}));
  for (std::size_t i = 1; i < pieces.size(); ++i) g.send(pieces[i]);
  BOOST_TEST(g.reasons() == std::to_string(pieces.size()) + " fragment-invalid");
}

BOOST_AUTO_TEST_CASE(a_ping_of_60_kb_passes) {
  for (const bool v6 : {false, true}) {
    FragmentGate g;
    const Bytes ping = icmp(v6 ? 128 : 8, 0, 7, Bytes(60'000));
    const auto pieces = cut(v6, v6 ? kIcmp6 : kIcmp, ping, v6 ? 1232 : 1480);
    g.send(pieces);
    BOOST_TEST(g.reasons() == std::to_string(pieces.size()) + " allowed");
    // Each by itself, with one hop less, in the order of their offsets.
    for (std::size_t i = 0; i < pieces.size(); ++i) {
      BOOST_TEST(g.order[i] == &g.all[i]);
      const Bytes sent = g.all[i].bytes();
      BOOST_TEST(sent.size() == pieces[i].size());
      const std::size_t ttl = v6 ? 14 + 7 : 14 + 8;
      BOOST_TEST(sent[ttl] == 63);
      BOOST_TEST((v6 || net::checksum({sent.data() + 14, 20}) == net::Be16{}));
    }
    BOOST_TEST(g.gate.pipeline->live_flows() == 1U);
  }
}

BOOST_AUTO_TEST_CASE(time_runs_from_the_first_that_came) {
  struct Row {
    const char* name;
    bool v6;
    Tick second, third;
    const char* want;
  };
  for (const Row& row :
       {Row{"in time", false, 15'000, 29'999, "3 allowed"},
        Row{"too late", false, 15'000, 30'000, "2 fragment-incomplete, held"},
        Row{"IPv6 in time", true, 30'000, 59'999, "3 allowed"},
        Row{"IPv6 too late", true, 1, 60'000, "2 fragment-incomplete, held"},
        Row{"a clock that goes back stands still", false, 15'000, 0, "3 allowed"}}) {
    FragmentGate g;
    const auto pieces = cut(row.v6, kUdp, kQuery, 16);
    const Tick start = g.gate.now;
    g.send(pieces[0]);
    g.gate.now = start + row.second;
    g.send(pieces[1]);
    g.gate.now = start + row.third;
    g.send(pieces[2]);
    BOOST_TEST(g.reasons() == row.want, row.name << ": " << g.reasons());
  }
  // A tombstone's time ends likewise, and then a datagram of that identification may pass.
  FragmentGate g;
  g.send({p4(0, 24, true), p4(16, 48, false)});
  g.gate.now += 30'000;
  g.send({p4(0, 24, true), p4(24, 48, false)});
  BOOST_TEST(g.reasons() == "2 fragment-overlap, 2 allowed");
}

BOOST_AUTO_TEST_CASE(fragments_of_one_datagram_have_one_fate) {
  FragmentGate g;
  const auto pieces = cut(false, kUdp, kQuery, 16);
  g.send(pieces[0]);
  g.send(p4(16, 32, true, {.ttl = 1}));
  g.send(pieces[2]);
  BOOST_TEST(g.reasons() == "3 ttl-expired");
  // RFC 1122 section 3.2.2: only of the first is its sender told.
  BOOST_TEST((g.all[0].fate.step == NextStep::kReport));
  BOOST_TEST((g.all[1].fate.step == NextStep::kDrop));
  BOOST_TEST((g.all[2].fate.step == NextStep::kDrop));
  BOOST_TEST(g.gate.pipeline->live_flows() == 0U);
}

BOOST_AUTO_TEST_CASE(flow_and_counters_count_every_fragment) {
  FragmentGate g;
  const auto pieces = cut(false, kUdp, kQuery, 16);
  g.send({pieces[2], pieces[0], pieces[1]});
  g.send(ethernet(ipv4("10.64.37.9", "59.205.16.10", kUdp, udp(4000, 53, 8))));
  std::uint64_t bytes = 0;
  for (const auto& sent : g.all) bytes += sent.fate.ip_bytes;
  BOOST_TEST(bytes == 3 * 36U + 36U);
  g.end();
  std::uint64_t packets = 0;
  for (const Event& event : g.gate.events()) {
    if (event.kind != EventKind::kFlowEnd) continue;
    packets = event.packets;
    BOOST_TEST(event.bytes == bytes);
  }
  BOOST_TEST(packets == 4U);
  BOOST_TEST(g.gate.counters.totals().packets.value() == 4U);
  BOOST_TEST(g.gate.counters.unit(UnitId{0}).sent.packets.value() == 4U);
  BOOST_TEST(g.gate.counters.unit(UnitId{0}).sent.bytes.value() == bytes);
  BOOST_TEST(g.gate.counters.rule(RuleId{0}).hits.value() == 1U);
}

// RFC 9293: a segment in fragments is one segment, and what follows it knows of all of it.
BOOST_AUTO_TEST_CASE(tcp_in_fragments_moves_its_connection) {
  FragmentGate g;
  const auto to_server = [](const Bytes& segment) {
    return ethernet(ipv4("10.64.37.9", "59.205.16.10", kTcp, segment));
  };
  const auto to_client = [](const Bytes& segment) {
    return ethernet(ipv4("59.205.16.10", "10.64.37.9", kTcp, segment));
  };
  g.send(cut(false, kTcp, tcp(9, 443, "S", {.sequence = 100, .payload = 40}), 24));
  g.send(to_client(tcp(443, 9, "SA", {.sequence = 500, .acknowledgment = 101})), kCore);
  g.send(to_server(tcp(9, 443, "A", {.sequence = 101, .acknowledgment = 501})));
  g.send(cut(false, kTcp,
             tcp(9, 443, "AP", {.sequence = 101, .acknowledgment = 501, .payload = 400}), 200));
  g.send(to_client(tcp(443, 9, "A", {.sequence = 501, .acknowledgment = 501})), kCore);
  // The segment that ends the connection has two fragments, and its event tells of both.
  g.send(cut(false, kTcp,
             tcp(9, 443, "RA", {.sequence = 501, .acknowledgment = 501, .payload = 80}), 56));
  BOOST_TEST(g.reasons() == "11 allowed");
  std::uint64_t packets = 0;
  for (const Event& event : g.gate.events()) {
    if (event.kind == EventKind::kFlowEnd) packets = event.packets + event.reply_packets;
  }
  BOOST_TEST(packets == 11U);
}

BOOST_AUTO_TEST_CASE(an_icmp_error_in_fragments_belongs_to_the_flow_that_it_quotes) {
  for (const bool known : {true, false}) {
    FragmentGate g;
    const Bytes query = ipv4("10.64.37.9", "59.205.16.10", kUdp, kQuery);
    if (known) g.send(ethernet(query));
    g.send(cut(false, kIcmp, icmp(3, 3, 0, query), 32,
               {.source = "59.205.16.10", .destination = "10.64.37.9"}),
           kCore);
    BOOST_TEST(g.reasons() == (known ? "4 allowed" : "3 icmp-unsolicited"));
  }
}

BOOST_AUTO_TEST_CASE(address_spaces_and_zones_do_not_meet) {
  FragmentGate g;
  const PieceOptions shared{.source = "10.1.1.9", .destination = "10.1.1.10"};
  PieceOptions own = shared;
  own.link.vlan = 100;
  const Bytes syn = tcp(9, 443, "S", {.payload = 40});
  g.send(piece4(kTcp, syn, 0, 32, true, own));
  // The same addresses and identification, but not from the private zone.
  g.send(piece4(kTcp, syn, 32, 60, false, shared), kWan);
  BOOST_TEST(g.reasons() == "held, source-private");
  g.send(piece4(kTcp, syn, 32, 60, false, own));
  BOOST_TEST(g.reasons() == "allowed, source-private, allowed");
}

}  // namespace
}  // namespace meiguan::fastpath
