#define BOOST_TEST_MODULE report
#include "controlplane/report/collector.h"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <functional>

namespace meiguan::report {
namespace {

constexpr fastpath::CounterCapacity kCapacity{.ports = 4, .units = 8, .services = 4, .rules = 16};
constexpr std::uint64_t kRingEvents = 1024;

// A data plane's shared memory, as its own process would make it.
class Dataplane {
 public:
  Dataplane() {
    const auto block = fastpath::CounterBlock::block_bytes(kCapacity);
    const std::size_t first = 128;
    hello.segment_bytes = first + 2 * block;
    hello.ring_events = kRingEvents;
    hello.ring_bytes = fastpath::EventRing::ring_bytes(kRingEvents);
    hello.workers = 1;
    memory = make(hello.segment_bytes, segment_file);
    header.magic = fastpath::SegmentHeader::kMagic;
    header.blocks = 2;
    header.ports = kCapacity.ports;
    header.units = kCapacity.units;
    header.services = kCapacity.services;
    header.rules = kCapacity.rules;
    header.flow_capacity = 100;
    header.block_bytes = block;
    header.first_block = first;
    write_header();
    worker = fastpath::CounterBlock{memory + first, kCapacity};
    main_thread = fastpath::CounterBlock{memory + first + block, kCapacity};
    ring = fastpath::EventRing{make(hello.ring_bytes, ring_file), kRingEvents, true};
  }
  void write_header() { std::memcpy(memory, &header, sizeof header); }

  [[nodiscard]] Result<Segment> open() const {
    channel::Message message;
    message.payload.resize(sizeof hello);
    std::memcpy(message.payload.data(), &hello, sizeof hello);
    message.descriptors = {::dup(segment_file), ::dup(ring_file)};
    return Segment::open(message);
  }

  channel::HelloAnswer hello{};
  fastpath::SegmentHeader header{};
  std::byte* memory{};
  fastpath::CounterBlock worker;
  fastpath::CounterBlock main_thread;
  fastpath::EventRing ring;

 private:
  static std::byte* make(std::size_t bytes, int& file) {
    file = ::memfd_create("test", MFD_CLOEXEC);
    BOOST_REQUIRE(::ftruncate(file, static_cast<off_t>(bytes)) == 0);
    void* const data = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    BOOST_REQUIRE(data != MAP_FAILED);
    return static_cast<std::byte*>(data);
  }
  int segment_file{-1};
  int ring_file{-1};
};

BOOST_AUTO_TEST_CASE(a_header_that_does_not_fit_is_refused) {
  struct Case {
    const char* name;
    std::function<void(Dataplane&)> damage;
  };
  const Case kCases[] = {
      {"magic", [](Dataplane& d) { d.header.magic = 1; }},
      {"blocks", [](Dataplane& d) { d.header.blocks = 3; }},
      {"ports", [](Dataplane& d) { d.header.ports = 5; }},
      {"units", [](Dataplane& d) { d.header.units = 0xffff'ffff; }},
      {"block bytes", [](Dataplane& d) { d.header.block_bytes += 64; }},
      {"first block", [](Dataplane& d) { d.header.first_block += 64; }},
      {"first block, far", [](Dataplane& d) { d.header.first_block = ~std::uint64_t{63}; }},
      {"first block, in the header", [](Dataplane& d) { d.header.first_block = 0; }},
      {"segment bytes", [](Dataplane& d) { d.hello.segment_bytes += 4096 * 64; }},
      {"segment bytes, few", [](Dataplane& d) { d.hello.segment_bytes = 8; }},
      {"workers", [](Dataplane& d) { d.hello.workers = 2; }},
      {"ring events", [](Dataplane& d) { d.hello.ring_events = 1000; }},
      {"ring events, many", [](Dataplane& d) { d.hello.ring_events = 1 << 20; }},
      {"ring bytes", [](Dataplane& d) { d.hello.ring_bytes *= 2; }},
  };
  BOOST_TEST(Dataplane{}.open().has_value());
  for (const auto& test : kCases) {
    Dataplane dataplane;
    test.damage(dataplane);
    dataplane.write_header();
    BOOST_TEST(!dataplane.open().has_value(), test.name);
  }
}

BOOST_AUTO_TEST_CASE(blocks_are_added_up) {
  Dataplane dataplane;
  dataplane.worker.unit(UnitId{3}).sent.add(10, 1000);
  dataplane.main_thread.unit(UnitId{3}).sent.add(1, 60);
  dataplane.worker.rule(RuleId{15}).hits.add(7);
  dataplane.worker.totals().events_lost.add(2);
  auto segment = dataplane.open();
  BOOST_REQUIRE(segment.has_value());
  const auto sums = add_up(*segment, {.ports = 1, .units = 5, .services = 9, .rules = 16});
  BOOST_TEST(sums.units.size() == 5U);
  BOOST_TEST(sums.services.size() == 4U);  // no more than there are
  BOOST_TEST(sums.units[3][0] == 11U);
  BOOST_TEST(sums.units[3][1] == 1060U);
  BOOST_TEST(sums.rules[15][2] == 7U);
  BOOST_TEST(sums.events_lost == 2U);
}

fastpath::Event denial(std::uint32_t source, UnitId unit, std::uint64_t packets) {
  fastpath::Event event;
  event.kind = fastpath::EventKind::kDenial;
  event.reason = fastpath::Reason::kDenied;
  event.source = net::Address::v4(source);
  event.unit = unit;
  event.packets = packets;
  return event;
}

BOOST_AUTO_TEST_CASE(denials_are_grouped) {
  Dataplane dataplane;
  Collector collector;
  auto segment = dataplane.open();
  BOOST_REQUIRE(segment.has_value());
  collector.attach(std::move(*segment));
  BOOST_TEST(dataplane.ring.push(denial(1, UnitId{1}, 5)));
  BOOST_TEST(dataplane.ring.push(denial(2, UnitId{1}, 5)));  // the same unit
  BOOST_TEST(dataplane.ring.push(denial(1, UnitId{}, 1)));   // of no unit
  BOOST_TEST(dataplane.ring.push(denial(2, UnitId{}, 0)));   // another, at least one packet
  fastpath::Event flow;
  flow.kind = fastpath::EventKind::kFlowEnd;
  BOOST_TEST(dataplane.ring.push(flow));
  collector.drain();
  const auto groups = collector.denials();
  BOOST_REQUIRE(groups.size() == 3U);
  std::uint64_t packets = 0;
  for (const auto& group : groups) packets += group.packets;
  BOOST_TEST(packets == 12U);
  BOOST_TEST(collector.recent_denials().size() == 4U);
  BOOST_TEST(collector.recent_flow_ends().size() == 1U);
}

BOOST_AUTO_TEST_CASE(memory_is_bounded) {
  Dataplane dataplane;
  Collector collector;
  auto segment = dataplane.open();
  BOOST_REQUIRE(segment.has_value());
  collector.attach(std::move(*segment));
  for (std::uint32_t i = 0; i < 6000; ++i) {
    while (!dataplane.ring.push(denial(i, UnitId{}, 1))) collector.drain();
  }
  collector.drain();
  BOOST_TEST(collector.denials().size() == 4096U);
  BOOST_TEST(collector.forgotten_groups() == 6000U - 4096U);
  BOOST_TEST(collector.recent_denials().size() == 1024U);
}

}  // namespace
}  // namespace meiguan::report
