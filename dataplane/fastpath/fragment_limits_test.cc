#include <boost/test/unit_test.hpp>

#include <algorithm>

#include "dataplane/fastpath/fragment_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::uint8_t kUdp = net::protocol::kUdp;

// A datagram to the name server with 48 bytes: pieces of 16 are three.
const Bytes kQuery = udp(4000, 53, 40);

Bytes p4(std::size_t from, std::size_t to, bool more, const PieceOptions& o = {}) {
  return piece4(kUdp, kQuery, from, to, more, o);
}
Bytes p6(std::size_t from, std::size_t to, bool more, const PieceOptions& o = {}) {
  return piece6(kUdp, kQuery, from, to, more, o);
}

PipelineOptions small_store(FragmentOptions fragments) {
  return {.flow_capacity = 1024, .assume_resolved = true, .hash_seed = 1, .fragments = fragments};
}

BOOST_AUTO_TEST_CASE(a_datagram_has_so_many_fragments_and_no_more) {
  FragmentGate g{small_store({.per_datagram = 4})};
  const Bytes query = udp(4000, 53, 72);
  g.send(cut(false, kUdp, query, 16));
  BOOST_TEST(g.reasons() == "5 fragment-limit");
  g.send(piece4(kUdp, query, 0, 80, false));
  BOOST_TEST(g.reasons(5) == "allowed");  // a whole packet, whatever its identification
}

BOOST_AUTO_TEST_CASE(a_source_gives_up_its_own_oldest) {
  FragmentGate g{small_store({.source_fragments = 8, .source_datagrams = 3})};
  g.send(p4(0, 16, true, {.source = "10.64.37.7"}));
  for (std::uint16_t id = 1; id <= 5; ++id) g.send(p4(0, 16, true, {.identification = id}));
  BOOST_TEST(g.reasons() == "held, 2 fragment-limit, 3 held");
  g.send(p4(16, 48, false, {.source = "10.64.37.7"}));
  g.send(p4(16, 48, false, {.identification = 5}));
  BOOST_TEST(g.reasons() == "allowed, 2 fragment-limit, 2 held, 3 allowed");
  // By fragments likewise; the datagram that grows is the last to go.
  FragmentGate by_fragments{small_store({.source_fragments = 3, .source_datagrams = 9})};
  const auto pieces = cut(false, kUdp, udp(4000, 53, 72), 16);
  by_fragments.send(p4(0, 16, true, {.identification = 1}));
  by_fragments.send({pieces[0], pieces[1], pieces[2], pieces[3]});
  BOOST_TEST(by_fragments.reasons() == "fragment-limit, 3 held, fragment-limit");
}

BOOST_AUTO_TEST_CASE(many_addresses_of_one_network_have_a_share_together) {
  FragmentGate g{small_store({.network_datagrams = 4})};
  for (int i = 2; i <= 9; ++i) {
    g.send(p6(0, 16, true, {.source = "2001:db8:1::" + std::to_string(i)}));
  }
  BOOST_TEST(g.reasons() == "4 held, 4 fragment-limit");
  for (int i = 33; i <= 38; ++i) {
    g.send(p4(0, 16, true, {.source = "10.64.37." + std::to_string(i)}));
  }
  BOOST_TEST(g.reasons(8) == "4 held, 2 fragment-limit");
  // The next /27 has its own.
  g.send(cut(false, kUdp, kQuery, 16, {.source = "10.64.37.64"}));
  g.send(cut(false, kUdp, kQuery, 16, {.source = "10.64.37.31"}));
  BOOST_TEST(g.reasons(14) == "6 allowed");
}

BOOST_AUTO_TEST_CASE(a_full_store_refuses_and_takes_nothing_from_others) {
  for (const FragmentOptions& options :
       {FragmentOptions{.fragments = 2}, FragmentOptions{.datagrams = 2}}) {
    FragmentGate g{small_store(options)};
    g.send(p4(0, 16, true, {.source = "10.64.37.7"}));
    g.send(p6(0, 16, true, {.source = "2001:db8:1::7"}));
    g.send(p4(0, 16, true));
    BOOST_TEST(g.reasons() == "2 held, fragment-store-full");
    // Who holds some gives up of its own.
    g.send(p4(0, 16, true, {.source = "10.64.37.7", .identification = 2}));
    BOOST_TEST(g.reasons() == "fragment-limit, held, fragment-store-full, held");
    g.gate.now += 60'000;
    g.expire();
    g.send(cut(false, kUdp, kQuery, 24));
    BOOST_TEST(g.reasons(4) == "2 allowed");
  }
}

// What the image in force says holds, up to what memory was taken for.
BOOST_AUTO_TEST_CASE(an_image_sets_shares_and_times) {
  FragmentGate g;
  image::GatewayLimits own;
  own.fragment_datagrams = 64;
  own.fragment_source_percent = 10;  // 6 datagrams of one network, 1 of one address
  own.fragment_seconds_v4 = 5;
  own.fragment_seconds_v6 = 7;
  const World tight{{.gateway_limits = own}};
  ++g.gate.generation;
  for (std::uint16_t id = 1; id <= 3; ++id) {
    g.send(p4(0, 16, true, {.identification = id}), kLan, tight);
  }
  BOOST_TEST(g.reasons() == "2 fragment-limit, held");
  for (int i = 1; i <= 7; ++i) {
    g.send(p6(0, 16, true, {.source = "2001:db8:1::" + std::to_string(i + 1)}), kLan, tight);
  }
  BOOST_TEST(g.reasons(3) == "6 held, fragment-limit");
  g.gate.now += 4'999;
  g.expire();
  BOOST_TEST(g.reasons(2) == "7 held, fragment-limit");
  g.gate.now += 1;
  g.expire();
  BOOST_TEST(g.reasons(2) == "fragment-incomplete, 6 held, fragment-limit");
  g.gate.now += 2'000;
  g.expire();
  BOOST_TEST(g.reasons(2) == "7 fragment-incomplete, fragment-limit");

  own.fragment_datagrams = 4096;  // more than there is room for
  own.fragment_source_percent = 100;
  const World wide{{.gateway_limits = own}};
  PipelineOptions options = small_store(FragmentOptions::room(4096, 2));
  FragmentGate small{options};
  for (std::uint16_t id = 1; id <= 3; ++id) {
    small.send(p4(0, 16, true, {.identification = id}), kLan, wide);
  }
  BOOST_TEST(small.reasons() == "fragment-limit, 2 held");
  FragmentGate many;
  for (std::uint16_t id = 1; id <= 300; ++id) {
    many.send(p4(0, 16, true, {.identification = id}), kLan, wide);
  }
  BOOST_TEST(many.reasons() == "300 held");
}

BOOST_AUTO_TEST_CASE(another_policy_judges_what_it_finds_held) {
  const World deny{{.allow = false}};
  const World no_route{{.core_routes = false}};
  FragmentGate g;
  g.send(p4(0, 16, true));
  ++g.gate.generation;
  g.send(p4(16, 48, false), kLan, deny);
  BOOST_TEST(g.reasons() == "2 denied");
  // Anti-spoof of the image in force holds for fragments that an earlier one let by.
  FragmentGate loose{small_store({}), {.lan_anti_spoof = image::AntiSpoof::kOff}};
  loose.send(p4(0, 16, true, {.source = "172.20.0.9"}), kLan);
  ++loose.gate.generation;
  loose.send(p4(16, 48, false, {.source = "172.20.0.9"}), kCore, deny);
  BOOST_TEST(loose.reasons() == "2 spoofed");
}

// With several workers one gathers, and the flow's owner judges.
BOOST_AUTO_TEST_CASE(a_whole_datagram_goes_to_the_owner_of_its_flow) {
  const Bytes whole = ethernet(ipv4("10.64.37.9", "59.205.16.10", kUdp, kQuery));
  const auto pieces = cut(false, kUdp, kQuery, 16);
  const std::uint32_t owner = Pipeline::owner_hash(whole) % 3;
  for (std::uint32_t worker = 0; worker < 3; ++worker) {
    PipelineOptions options = small_store({});
    options.workers = 3;
    options.worker = worker;
    FragmentGate g{options};
    g.send(pieces);
    BOOST_TEST(g.reasons() ==
               (worker == owner ? std::string{"3 allowed"} : "3 to " + std::to_string(owner)));
    BOOST_TEST(g.gate.counters.totals().packets.value() == (worker == owner ? 3U : 0U));
  }
  // All fragments of a datagram are gathered by one, and not all datagrams by the same.
  for (const bool v6 : {false, true}) {
    std::vector<std::uint32_t> gatherers;
    for (std::uint16_t id = 0; id < 32; ++id) {
      std::vector<std::uint32_t> hashes;
      for (const Bytes& piece : cut(v6, kUdp, kQuery, 16, {.identification = id})) {
        hashes.push_back(Pipeline::owner_hash(piece));
      }
      BOOST_TEST((hashes[0] == hashes[1] && hashes[1] == hashes[2]));
      gatherers.push_back(hashes[0] % 2);
    }
    BOOST_TEST((std::ranges::count(gatherers, 0U) > 4 && std::ranges::count(gatherers, 1U) > 4));
  }
}

BOOST_AUTO_TEST_CASE(what_is_held_at_the_end_is_told_of) {
  FragmentGate g;
  g.send({p4(0, 16, true), p6(0, 16, true)});
  g.end();
  BOOST_TEST(g.reasons() == "2 fragment-incomplete");
  BOOST_TEST(g.gate.counters.totals().packets.value() == 2U);
}

BOOST_AUTO_TEST_CASE(only_fragments_may_be_held) {
  BOOST_TEST(Pipeline::may_hold(p4(0, 16, true)));
  BOOST_TEST(Pipeline::may_hold(p6(16, 48, false)));
  BOOST_TEST(!Pipeline::may_hold(p6(0, 48, false)));
  BOOST_TEST(!Pipeline::may_hold(ethernet(ipv4("10.64.37.9", "59.205.16.10", kUdp, kQuery))));
  BOOST_TEST(!Pipeline::may_hold(Bytes(5)));
}

}  // namespace
}  // namespace meiguan::fastpath
