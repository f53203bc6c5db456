// After construction the path of packets allocates nothing (invariant 1). An executable of its own,
// because it replaces the allocator.

#define BOOST_TEST_MODULE fastpath_allocation
#include <boost/test/unit_test.hpp>

#include <cstdlib>
#include <new>

#include "dataplane/fastpath/fragment_fixture.h"

namespace {

bool g_armed = false;
std::size_t g_allocations = 0;

void* allocate(std::size_t bytes) {
  if (g_armed) ++g_allocations;
  void* const memory = std::malloc(bytes);
  if (memory == nullptr) throw std::bad_alloc{};
  return memory;
}

}  // namespace

extern "C" void* __libc_malloc(std::size_t);
extern "C" void* malloc(std::size_t bytes) {
  if (g_armed) ++g_allocations;
  return __libc_malloc(bytes);
}
void* operator new(std::size_t bytes) { return allocate(bytes); }
void* operator new[](std::size_t bytes) { return allocate(bytes); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace meiguan::fastpath {
namespace {

using namespace test;

BOOST_AUTO_TEST_CASE(the_trap_works) {
  g_armed = true;
  auto* const number = new int{1};
  void* const memory = std::malloc(10);
  g_armed = false;
  BOOST_TEST(g_allocations >= 2U);
  delete number;
  std::free(memory);
  g_allocations = 0;
}

BOOST_AUTO_TEST_CASE(translations_allocate_nothing) {
  const World world{{.nat = true}}, other{{.nat = true, .pool = "203.0.113.64/28"}};
  Gate gate{{.flow_capacity = 64, .assume_resolved = true, .hash_seed = 1}};
  std::vector<Bytes> kinds;
  for (std::uint16_t i = 1; i < 200; ++i) {
    const std::string from = "10.64.37." + std::to_string(2 + i % 50);
    kinds.push_back(ethernet(ipv4(from, "198.51.100.7", 17, udp(i, 53))));
  }
  kinds.push_back(ethernet(ipv4("10.64.37.9", "198.51.100.7", 1, icmp(8, 0, 5))));
  kinds.push_back(ethernet(ipv6("2001:db8:1::9", "2001:db8:77::1", 17, udp(9, 53))));
  kinds.push_back(ethernet(ipv4("10.64.37.9", "203.0.113.11", 6, tcp(9, 8000, "S"))));
  kinds.push_back(ethernet(ipv4("10.64.37.9", "203.0.113.40", 17, udp(9, 2000))));
  Bytes memory(2048);
  std::vector<Event> events(Gate::kRing);
  g_armed = true;
  for (std::uint32_t round = 0; round < 20; ++round) {
    for (const Bytes& kind : kinds) {
      std::memcpy(memory.data() + Frame::kHeadroom, kind.data(), kind.size());
      Frame frame{memory.data() + Frame::kHeadroom, static_cast<std::uint32_t>(kind.size()), kLan};
      Fate fate;
      (void)Pipeline::owner(world.image(), kind, kLan, 2);
      gate.pipeline->process(round % 3 == 2 ? other.image() : world.image(), {}, 1 + round / 3,
                             round * 60'000, {&frame, 1}, {&fate, 1});
      gate.pipeline->expire(round * 60'000);
    }
    (void)gate.ring.pop(events);
  }
  g_armed = false;
  BOOST_TEST(g_allocations == 0U);
  BOOST_TEST(gate.pipeline->live_flows() != 0U);
}

BOOST_AUTO_TEST_CASE(packets_allocate_nothing) {
  const World world, other{{.allow = false}};
  NeighbourTable neighbours{16};
  Gate gate{{.flow_capacity = 64, .hash_seed = 1}, &neighbours};
  std::vector<Bytes> kinds;
  for (std::uint16_t i = 1; i < 100; ++i) {
    kinds.push_back(ethernet(ipv4("10.64.37.9", "59.205.16.10", 17, udp(i, 53))));
  }
  kinds.push_back(ethernet(ipv4("10.64.37.9", "59.205.16.10", 6, tcp(9, 443, "S"))));
  kinds.push_back(ethernet(ipv4("59.205.16.10", "10.64.37.9", 6, tcp(443, 9, "SA"))));
  kinds.push_back(ethernet(ipv4("10.64.37.9", "59.205.16.10", 17, udp(9, 54))));
  kinds.push_back(ethernet(ipv6("2001:db8:1::9", "2001:db8:2::10", 17, udp(9, 53))));
  kinds.push_back(ethernet(arp(1, "10.64.37.9", "10.64.37.1"), 0x0806));
  kinds.push_back(ethernet(ipv4("10.64.40.9", "59.205.16.10", 17, udp(9, 53)), {.vlan = 200}));
  kinds.push_back(Bytes(7));
  Bytes memory(2048);
  std::vector<Event> events(Gate::kRing);
  g_armed = true;
  for (std::uint32_t round = 0; round < 20; ++round) {
    gate.pipeline->set_trace(round % 2 == 0);
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      std::memcpy(memory.data() + Frame::kHeadroom, kinds[i].data(), kinds[i].size());
      Frame frame{memory.data() + Frame::kHeadroom, static_cast<std::uint32_t>(kinds[i].size()),
                  PortId{static_cast<std::uint16_t>(i % 3 == 0 ? 1 : 0)}};
      Fate fate;
      gate.pipeline->process(round % 5 == 4 ? other.image() : world.image(), {}, 1 + round / 4,
                             round * 60'000, {&frame, 1}, {&fate, 1});
      gate.pipeline->expire(round * 60'000 + i);
      (void)Pipeline::owner_hash(kinds[i]);
    }
    (void)gate.ring.pop(events);
  }
  std::size_t count = 0;
  (void)gate.pipeline->list_flows(0, events, count);
  gate.pipeline->end_all(1U << 30, FlowEnd::kShutdown);
  g_armed = false;
  BOOST_TEST(g_allocations == 0U);
}

BOOST_AUTO_TEST_CASE(fragments_allocate_nothing) {
  const World world;
  Gate gate{{.flow_capacity = 64,
             .assume_resolved = true,
             .hash_seed = 1,
             .fragments = {.fragments = 16, .datagrams = 8, .source_fragments = 8}}};
  const Bytes query = udp(4000, 53, 40);
  std::vector<Bytes> kinds;
  for (const bool v6 : {false, true}) {
    for (std::uint16_t id = 0; id < 20; ++id) {
      // Whole ones, ones that are never whole, overlaps, doubles.
      std::vector<Bytes> pieces = cut(v6, 17, query, 16, {.identification = id});
      if (id % 4 == 1) pieces.pop_back();
      if (id % 4 == 2) pieces.push_back(pieces.front());
      if (id % 4 == 3) pieces.push_back(cut(v6, 17, query, 24, {.identification = id})[1]);
      kinds.insert(kinds.end(), pieces.begin(), pieces.end());
    }
  }
  std::vector<Bytes> memory(kinds.size() * 4, Bytes(256));  // none is used while it is held
  std::vector<Event> events(Gate::kRing);
  std::array<Frame, kMaxBurst> frames;
  std::array<Fate, kMaxBurst> fates;
  std::size_t back = 0;
  g_armed = true;
  for (std::uint32_t round = 0; round < 20; ++round) {
    for (std::size_t i = 0; i < kinds.size(); ++i) {
      Bytes& bytes = memory[(round * kinds.size() + i) % memory.size()];
      std::memcpy(bytes.data() + Frame::kHeadroom, kinds[i].data(), kinds[i].size());
      Frame frame{bytes.data() + Frame::kHeadroom, static_cast<std::uint32_t>(kinds[i].size()),
                  kLan};
      Fate fate;
      gate.pipeline->process(world.image(), {}, 1 + round / 4, round * 20'000, {&frame, 1},
                             {&fate, 1});
      gate.pipeline->expire(round * 20'000 + i);
      while (const std::size_t count = gate.pipeline->released(frames, fates)) back += count;
    }
    (void)gate.ring.pop(events);
  }
  gate.pipeline->end_all(1U << 30, FlowEnd::kShutdown);
  g_armed = false;
  BOOST_TEST(back > 1000U);
  BOOST_TEST(g_allocations == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
