// The block list through the whole pipeline, by the hand-made gateway (test_image.h).

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <optional>
#include <tuple>

#include "dataplane/fastpath/fragment_fixture.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/image/block_writer.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

struct Entry {
  const char* address;
  unsigned length;
  std::uint64_t space{0};
  std::int64_t ends{image::kBlockForEver};
};

// A gateway with a block list.
struct BlockGate : Gate {
  using Gate::Gate;

  void block(const World& world, const std::vector<Entry>& entries, std::int64_t at = 0) {
    std::vector<image::BlockedPrefix> prefixes;
    for (const Entry& entry : entries) {
      const auto prefix = net::Prefix::make(address(entry.address),
                                            static_cast<std::uint8_t>(entry.length));
      BOOST_REQUIRE_MESSAGE(prefix.has_value(), entry.address);
      prefixes.push_back({entry.space, *prefix, entry.ends});
    }
    std::ranges::sort(prefixes, [](const auto& a, const auto& b) {
      return std::tie(a.space, a.prefix) < std::tie(b.space, b.prefix);
    });
    auto written = image::write_block_list({0, 1}, prefixes, 3);
    BOOST_REQUIRE(written.has_value());
    bytes = std::move(*written);
    list = *image::BlockList::open(bytes.span());
    blocks = image::Blocks{*list, world.image(), at};
    hits = std::vector<Counter>(list->records().size());
    pipeline->set_blocks(&blocks, hits, ++revision);
    ++generation;
  }
  std::uint64_t all_hits() const {
    std::uint64_t sum = 0;
    for (const Counter& hit : hits) sum += hit.value();
    return sum;
  }
  // A whole turn of the table.
  void turn() {
    for (int i = 0; i < 100; ++i) pipeline->expire(now);
  }
  std::vector<FlowEnd> ends() {
    std::vector<FlowEnd> all;
    for (const Event& event : events()) {
      if (event.kind == EventKind::kFlowEnd) all.push_back(event.end);
    }
    return all;
  }

  image::AlignedBytes bytes;
  std::optional<image::BlockList> list;
  image::Blocks blocks;
  std::vector<Counter> hits;
  std::uint32_t revision{0};
};

Bytes dns4(std::string_view from = "10.64.37.9", std::string_view to = "59.205.16.10") {
  return ethernet(ipv4(from, to, 17, udp(4000, 53)));
}
Bytes dns4_reply(std::string_view from = "59.205.16.10", std::string_view to = "10.64.37.9") {
  return ethernet(ipv4(from, to, 17, udp(53, 4000)));
}
Bytes dns6() { return ethernet(ipv6("2001:db8:1::9", "2001:db8:2::10", 17, udp(4000, 53))); }

BOOST_AUTO_TEST_CASE(a_blocked_address_passes_nothing) {
  const World world;
  const std::vector<Entry> v4{{"10.64.37.9", 32}}, v6{{"2001:db8:1::", 64}};
  struct Case {
    const char* name;
    std::vector<Entry> entries;
    PortId in;
    Bytes frame;
    const char* want;
  };
  const std::vector<Case> cases{
      {"nothing is blocked", {}, kLan, dns4(), "allowed"},
      {"the source", v4, kLan, dns4(), "blocked"},
      {"its neighbour", v4, kLan, dns4("10.64.37.10"), "allowed"},
      {"the destination", {{"59.205.16.0", 28}}, kLan, dns4(), "blocked"},
      {"IPv6 source", v6, kLan, dns6(), "blocked"},
      {"IPv6 destination", {{"2001:db8:2::10", 128}}, kLan, dns6(), "blocked"},
      {"for the gateway itself", v4, kLan,
       ethernet(ipv4("10.64.37.9", "10.64.37.1", 1, icmp(8, 0, 1))), "blocked"},
      {"the gateway's own address",
       {{"10.64.37.1", 32}},
       kLan,
       ethernet(ipv4("10.64.37.9", "10.64.37.1", 1, icmp(8, 0, 1))),
       "blocked"},
      {"what the rules deny anyway", v4, kLan,
       ethernet(ipv4("10.64.37.9", "59.205.16.10", 17, udp(4000, 54))), "blocked"},
      {"of no unit: before admission", {{"10.64.39.0", 24}}, kLan, dns4("10.64.39.9"), "spoofed"},
      {"what may not be comes first", {{"0.0.0.0", 0}}, kLan, dns4("127.0.0.1"), "source-loopback"},
      {"a stray segment", v4, kLan,
       ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, tcp(1000, 443, "A"))), "blocked"},
      {"in another space", {{"10.64.37.9", 32, 1}}, kLan, dns4(), "allowed"},
      {"it has ended", {{"10.64.37.9", 32, 0, 100}}, kLan, dns4(), "allowed"},
      {"a shorter one has not",
       {{"10.64.37.9", 32, 0, 100}, {"10.64.0.0", 16}},
       kLan,
       dns4(),
       "blocked"},
      {"everything", {{"0.0.0.0", 0}}, kLan, dns4(), "blocked"},
      {"all of the other family", {{"::", 0}}, kLan, dns4(), "allowed"},
      {"a fragment", v4, kLan, piece4(17, udp(4000, 53, 60), 0, 32, true), "blocked"},
  };
  for (const Case& c : cases) {
    BlockGate gate;
    gate.block(world, c.entries, 100);
    const Gate::Out out = gate.send(c.in, c.frame, world);
    BOOST_TEST(out.reason() == c.want, c.name << ": " << out.reason());
    const bool blocked = out.reason() == "blocked";
    BOOST_TEST(gate.all_hits() == (blocked ? 1U : 0U), c.name);
    if (blocked) BOOST_TEST((out.fate.step == NextStep::kDrop), c.name);
    if (blocked) BOOST_TEST(out.fate.unit.is_none(), c.name);
  }
}

BOOST_AUTO_TEST_CASE(live_flows_end_at_their_next_packet) {
  const World world;
  struct Case {
    const char* name;
    std::vector<Entry> entries;
    PortId in;
    Bytes next;
  };
  for (const Case& c : std::vector<Case>{
           {"source, its packet", {{"10.64.37.9", 32}}, kLan, dns4()},
           {"source, a reply to it", {{"10.64.37.9", 32}}, kCore, dns4_reply()},
           {"destination, a packet to it", {{"59.205.16.10", 32}}, kLan, dns4()},
           {"destination, its reply", {{"59.205.16.0", 24}}, kCore, dns4_reply()},
       }) {
    BlockGate gate;
    BOOST_TEST(gate.send(kLan, dns4(), world).reason() == "allowed", c.name);
    BOOST_TEST(gate.send(kCore, dns4_reply(), world).reason() == "allowed", c.name);
    static_cast<void>(gate.events());
    gate.block(world, c.entries);
    BOOST_TEST(gate.send(c.in, c.next, world).reason() == "blocked", c.name);
    BOOST_TEST(gate.pipeline->live_flows() == 0U, c.name);
    BOOST_TEST((gate.ends() == std::vector{FlowEnd::kBlocked}), c.name);
    BOOST_TEST(gate.all_hits() == 1U, c.name);
    // And when it is lifted, a new flow is what it was.
    gate.block(world, {});
    BOOST_TEST(gate.send(kLan, dns4(), world).reason() == "allowed", c.name);
  }
}

BOOST_AUTO_TEST_CASE(silent_flows_end_in_the_table) {
  const World world;
  BlockGate gate;
  for (const char* from : {"10.64.37.7", "10.64.37.8", "10.64.37.9"}) {
    BOOST_TEST(gate.send(kLan, dns4(from), world).reason() == "allowed");
  }
  BOOST_TEST(gate.send(kLan, dns6(), world).reason() == "allowed");
  static_cast<void>(gate.events());
  gate.turn();
  BOOST_TEST(gate.pipeline->live_flows() == 4U);
  gate.block(world, {{"10.64.37.8", 31}, {"2001:db8:2::10", 128}});
  gate.turn();
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
  BOOST_TEST((gate.ends() == std::vector<FlowEnd>(3, FlowEnd::kBlocked)));
  BOOST_TEST(gate.all_hits() == 0U);  // no packet was dropped
  BOOST_TEST(gate.send(kLan, dns4("10.64.37.7"), world).reason() == "allowed");
}

BOOST_AUTO_TEST_CASE(an_error_from_a_blocked_router_is_dropped) {
  const World world;
  const Bytes quoted = ipv4("10.64.37.9", "59.205.16.10", 17, udp(4000, 53));
  const auto error = [&](std::string_view from) {
    return ethernet(ipv4(from, "10.64.37.9", 1, icmp(3, 1, 0, quoted)));
  };
  BlockGate gate;
  BOOST_TEST(gate.send(kLan, dns4(), world).reason() == "allowed");
  gate.block(world, {{"172.20.0.0", 16}});
  BOOST_TEST(gate.send(kCore, error("172.20.0.1"), world).reason() == "blocked");
  // The flow is nobody's who is blocked.
  BOOST_TEST(gate.send(kCore, error("59.205.16.1"), world).reason() == "allowed");
  BOOST_TEST(gate.pipeline->live_flows() == 1U);
  gate.block(world, {{"59.205.16.10", 32}});
  BOOST_TEST(gate.send(kCore, error("59.205.16.1"), world).reason() == "blocked");
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
}

BOOST_AUTO_TEST_CASE(translated_ends_are_asked_by_every_address_they_have) {
  const World world{{.nat = true}};
  const Bytes to_portal = ethernet(ipv4("198.51.100.7", "203.0.113.10", 6, tcp(1000, 443, "S")));
  const Bytes out = dns4("10.64.37.9", "198.51.100.7");
  struct Case {
    const char* name;
    Entry entry;
    PortId in;
    const Bytes& frame;
  };
  for (const Case& c : {
           Case{"the public address", {"203.0.113.10", 32}, kWan, to_portal},
           Case{"what stands behind it", {"59.205.17.10", 32}, kWan, to_portal},
           Case{"the internet's end", {"198.51.100.7", 32}, kWan, to_portal},
           Case{"the inside address", {"10.64.37.9", 32}, kLan, out},
           Case{"the pool's address", {"203.0.113.32", 28}, kLan, out},
           Case{"where it goes", {"198.51.100.0", 24}, kLan, out},
       }) {
    BlockGate gate;
    gate.block(world, {c.entry});
    BOOST_TEST(gate.send(c.in, c.frame, world).reason() == "blocked", c.name);
    BOOST_TEST(gate.pipeline->live_flows() == 0U, c.name);
    BOOST_TEST(gate.all_hits() == 1U, c.name);
    // The same under a live flow, by a packet and by the table.
    for (const bool by_table : {false, true}) {
      BlockGate live;
      BOOST_TEST(live.send(c.in, c.frame, world).reason() == "allowed", c.name);
      live.block(world, {c.entry});
      if (by_table) {
        live.turn();
      } else {
        BOOST_TEST(live.send(c.in, c.frame, world).reason() == "blocked", c.name);
        BOOST_TEST(live.all_hits() == 1U, c.name);
      }
      BOOST_TEST(live.pipeline->live_flows() == 0U, c.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(fragments_are_judged_by_the_list_that_holds_when_they_are_whole) {
  const World world;
  BlockGate gate;
  const std::vector<Bytes> pieces = cut(false, 17, udp(4000, 53, 60), 32);
  BOOST_TEST((gate.send(kLan, pieces[0], world).fate.step == NextStep::kHold));
  gate.block(world, {{"10.64.37.9", 32}});
  BOOST_TEST(gate.send(kLan, pieces[1], world).reason() == "blocked");
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
