#pragma once

// A pipeline and traffic for it, to measure by: frames of many flows lie in memory as a device
// would leave them; every burst is copied from its originals first, because processing rewrites it.

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <random>
#include <string>
#include <vector>

#include "dataplane/base/huge_memory.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/prefetch.h"

namespace meiguan::fastpath::test {

inline constexpr std::size_t kFrame = 64;   // what is kept of one: all that anybody reads or writes
inline constexpr std::size_t kRoom = 1600;  // the longest and its headroom, line-aligned
inline constexpr unsigned kUnits = 4096;

// A date that the benchmarks lie before.
inline constexpr std::optional<image::ConditionRecord> kWhen{{0, 1'000'000, image::kNone, 0}};

enum class Kind : std::uint8_t {
  kV4,    // from any of half a million addresses of 4096 units to one server
  kV6,    // likewise
  kNat,   // IPv4 out to the internet by an egress, from 128 addresses
  kImix,  // as kV4; of twelve frames seven have 64 bytes, four 594, one 1518
};

struct TrafficOptions {
  std::uint32_t flows{1U << 19};
  Kind kind{Kind::kV4};
  bool timed{false};                      // rules hang on conditions
  std::uint32_t flow_capacity{1U << 20};  // of the pipeline's table
};

struct BenchTraffic {
  explicit BenchTraffic(const TrafficOptions& wanted)
      : options{wanted},
        world{{.nat = wanted.kind == Kind::kNat,
               .egress = {0, 1, 0, 1, 1024, 65535, 512, 8, {}, {}},
               .when = wanted.timed ? kWhen : std::nullopt,
               .extra_units = kUnits}},
        moment{world.image(), 1},
        counters{CounterBlock::block_bytes(kCapacity)},
        pipeline{{.flow_capacity = wanted.flow_capacity,
                  .assume_resolved = true,
                  .hash_seed = 1,
                  .translations = wanted.kind == Kind::kNat ? wanted.flow_capacity : 16},
                 CounterBlock{counters.span().data(), kCapacity},
                 nullptr,
                 &neighbours},
        originals(std::size_t{wanted.flows} * kFrame),
        lengths(wanted.flows),
        memory(kMaxBurst * kRoom + 64) {
    neighbours.set(kCore, address("10.0.0.2"), {2, 0, 0, 0, 9, 9});
    neighbours.set(kCore, address("2001:db8:f::2"), {2, 0, 0, 0, 9, 9});
    neighbours.set(kWan, address("203.0.113.254"), {2, 0, 0, 0, 9, 8});
    std::mt19937 random{1};
    std::vector<std::uint32_t> order(wanted.flows);
    for (std::uint32_t i = 0; i < wanted.flows; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const std::uint32_t i : order) {
      const Bytes frame = frame_of(i);
      std::memcpy(originals.data() + std::size_t{i} * kFrame, frame.data(),
                  std::min(frame.size(), kFrame));
      lengths[i] = static_cast<std::uint16_t>(std::max(frame.size(), kFrame - 4));
    }
    draw();
  }

  [[nodiscard]] Bytes frame_of(std::uint32_t i) const {
    switch (options.kind) {
      case Kind::kV4: return frame_v4(i, 18);
      case Kind::kImix: return frame_v4(i, imix(i));
      case Kind::kV6: return frame_v6(i);
      case Kind::kNat: return frame_nat(i);
    }
    std::abort();
  }
  // Payloads of frames that have these lengths with their FCS.
  static std::size_t imix(std::uint32_t i) {
    return (i % 12 < 7 ? 64U : i % 12 < 11 ? 594U : 1518U) - 46;
  }
  static Bytes frame_v4(std::uint32_t i, std::size_t payload) {
    const std::string source = "20." + std::to_string(i >> 8 & 15) + "." + std::to_string(i & 255) +
                               "." + std::to_string(1 + (i >> 12 & 127));
    return ethernet(
        ipv4(source, "59.205.16.10", 17,
             udp(static_cast<std::uint16_t>(1024 + (i >> 19) + i % 50000), 53, payload)));
  }
  static Bytes frame_v6(std::uint32_t i) {
    char source[64];
    std::snprintf(source, sizeof source, "2001:db8:1::%x:%x", i >> 16 | 0x100, i & 0xffff);
    return ethernet(ipv6(source, "2001:db8:2::10", 17, udp(4000, 53, 2)));
  }
  // 128 addresses with 256 ports each, every port towards as many remote addresses as it takes.
  static Bytes frame_nat(std::uint32_t i) {
    const std::string source = "10.64.37." + std::to_string(2 + (i & 127));
    const std::string remote = "198.51." + std::to_string(i >> 15 & 255) + "." +
                               std::to_string(1 + (i >> 23));
    return ethernet(
        ipv4(source, remote, 17, udp(static_cast<std::uint16_t>(2048 + (i >> 7 & 255)), 53, 18)));
  }

  // Copies a frame to its place in the burst.
  void load_one(std::size_t at, std::size_t flow) {
    std::uint8_t* const data = memory.data() + at * kRoom + 64;
    std::memcpy(data, originals.data() + flow * kFrame, kFrame);
    frames[at] = {data, lengths[flow], kLan};
  }
  // A burst of frames of any flows. Those of the burst after it are fetched meanwhile: a port's
  // frames come to the cache by themselves, and are not to be waited for here.
  void load(std::size_t burst) {
    for (std::size_t i = 0; i < burst; ++i) load_one(i, coming[i]);
    draw();
  }
  void draw() {
    for (std::size_t& flow : coming) {
      next = next * 6364136223846793005ULL + 1442695040888963407ULL;
      flow = static_cast<std::size_t>((next >> 32) * (originals.size() / kFrame) >> 32);
      prefetch(originals.data() + flow * kFrame);
      prefetch(lengths.data() + flow);
    }
  }
  // A burst of the flows that come next; false once all have come.
  [[nodiscard]] bool load_next(std::size_t burst) {
    if ((next_flow + burst) * kFrame > originals.size()) return false;
    for (std::size_t i = 0; i < burst; ++i) load_one(i, next_flow++);
    return true;
  }
  void process(std::size_t burst, Tick now) {
    pipeline.process(world.image(), moment, 1, now, std::span{frames}.first(burst), fates);
  }
  // Every flow once, so that all are known. A thousand in a millisecond, so that no limit is met.
  void open_all() {
    for (next_flow = 0; next_flow * kFrame < originals.size(); ++next_flow) {
      load_one(0, next_flow);
      process(1, 1000 + next_flow / 1000);
      if (fates[0].step != NextStep::kSend) {
        std::fprintf(stderr, "flow %zu is not opened: reason %u\n", next_flow,
                     static_cast<unsigned>(fates[0].reason));
        std::abort();
      }
    }
  }
  // The time by which open_all has opened them.
  [[nodiscard]] Tick opened() const { return 1000 + originals.size() / kFrame / 1000; }

  static constexpr CounterCapacity kCapacity{};
  TrafficOptions options;
  World world;
  image::Moment moment;
  image::AlignedBytes counters;
  NeighbourTable neighbours{1024};
  Pipeline pipeline;
  HugeVector<std::uint8_t> originals;
  HugeVector<std::uint16_t> lengths;
  std::vector<std::uint8_t> memory;  // of a burst
  std::array<Frame, kMaxBurst> frames;
  std::array<Fate, kMaxBurst> fates;
  std::array<std::size_t, kMaxBurst> coming{};
  std::uint64_t next{1};
  std::size_t next_flow{0};
};

}  // namespace meiguan::fastpath::test
