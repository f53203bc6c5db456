// Known flows through one pipeline, 64-byte frames: ./pipeline_bench [--benchmark_filter=...]
//
// Frames of 0.5 M flows lie in memory as a device would leave them, in bursts of 32 or 64; every
// burst is copied from its original first, because processing rewrites it. The copy is measured
// by itself too.

#include <benchmark/benchmark.h>

#include <array>
#include <memory>
#include <optional>
#include <random>
#include <vector>

#include "dataplane/fastpath/decide.h"
#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

constexpr std::size_t kFrame = 64;
constexpr std::size_t kRoom = 128;  // a frame and its headroom, line-aligned
constexpr unsigned kUnits = 4096;

// A date that the benchmarks lie before.
constexpr std::optional<image::ConditionRecord> kWhen{{0, 1'000'000, image::kNone, 0}};

struct Traffic {
  Traffic(std::uint32_t flows, bool ipv6, bool timed = false)
      : world{{.when = timed ? kWhen : std::nullopt, .extra_units = kUnits}},
        moment{world.image(), 1},
        counters{CounterBlock::block_bytes(kCapacity)},
        pipeline{{.flow_capacity = 1U << 20, .assume_resolved = true, .hash_seed = 1},
                 CounterBlock{counters.span().data(), kCapacity},
                 nullptr,
                 &neighbours},
        originals(std::size_t{flows} * kFrame) {
    neighbours.set(kCore, address("10.0.0.2"), {2, 0, 0, 0, 9, 9});
    neighbours.set(kCore, address("2001:db8:f::2"), {2, 0, 0, 0, 9, 9});
    std::mt19937 random{1};
    std::vector<std::uint32_t> order(flows);
    for (std::uint32_t i = 0; i < flows; ++i) order[i] = i;
    std::shuffle(order.begin(), order.end(), random);
    for (const std::uint32_t i : order) {
      const Bytes frame = ipv6 ? frame_v6(i) : frame_v4(i);
      std::memcpy(originals.data() + std::size_t{i} * kFrame, frame.data(),
                  std::min(frame.size(), kFrame));
    }
  }

  static Bytes frame_v4(std::uint32_t i) {
    const std::string source = "20." + std::to_string(i >> 8 & 15) + "." + std::to_string(i & 255) +
                               "." + std::to_string(1 + (i >> 12 & 127));
    return ethernet(ipv4(source, "59.205.16.10", 17,
                         udp(static_cast<std::uint16_t>(1024 + (i >> 19) + i % 50000), 53, 18)));
  }
  static Bytes frame_v6(std::uint32_t i) {
    char source[64];
    std::snprintf(source, sizeof source, "2001:db8:1::%x:%x", i >> 16 | 0x100, i & 0xffff);
    Bytes frame = ethernet(ipv6(source, "2001:db8:2::10", 17, udp(4000, 53, 2)));
    return frame;
  }

  // Copies a burst of frames of any flows to where the pipeline gets it.
  void load(std::size_t burst) {
    for (std::size_t i = 0; i < burst; ++i) {
      next = next * 6364136223846793005ULL + 1442695040888963407ULL;
      const std::size_t flow = static_cast<std::size_t>(
          (next >> 32) * (originals.size() / kFrame) >> 32);
      std::uint8_t* const data = memory.data() + i * kRoom + 64;
      std::memcpy(data, originals.data() + flow * kFrame, kFrame);
      frames[i] = {data, kFrame, kLan};
    }
  }
  // Every flow once, so that all are known.
  void open_all() {
    const std::size_t flows = originals.size() / kFrame;
    for (std::size_t i = 0; i < flows; ++i) {
      std::memcpy(memory.data() + 64, originals.data() + i * kFrame, kFrame);
      frames[0] = {memory.data() + 64, kFrame, kLan};
      pipeline.process(world.image(), moment, 1, 1000, std::span{frames}.first(1), fates);
      if (fates[0].reason != Reason::kAllowed) std::abort();
    }
  }

  static constexpr CounterCapacity kCapacity{};
  World world;
  image::Moment moment;
  image::AlignedBytes counters;
  NeighbourTable neighbours{1024};
  Pipeline pipeline;
  std::vector<std::uint8_t> originals;
  alignas(64) std::array<std::uint8_t, kMaxBurst * kRoom + 64> memory{};
  std::array<Frame, kMaxBurst> frames;
  std::array<Fate, kMaxBurst> fates;
  std::uint64_t next{1};
};

void copying_alone(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  const auto traffic = std::make_unique<Traffic>(1U << 19, false);
  for (auto _ : state) {
    traffic->load(burst);
    benchmark::DoNotOptimize(traffic->memory.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

void known_flows(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  const auto traffic = std::make_unique<Traffic>(static_cast<std::uint32_t>(state.range(1)),
                                                 state.range(2) == 6);
  traffic->open_all();
  Tick now = 1000;
  for (auto _ : state) {
    traffic->load(burst);
    traffic->pipeline.process(traffic->world.image(), traffic->moment, 1, now,
                              std::span{traffic->frames}.first(burst), traffic->fates);
    traffic->pipeline.expire(now);
  }
  if (traffic->fates[0].step != NextStep::kSend) state.SkipWithError("not sent");
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// A flood that the rules deny: every packet is judged in full.
void denied(benchmark::State& state) {
  const auto traffic = std::make_unique<Traffic>(1U << 19, false);
  for (std::size_t at = 0; at < traffic->originals.size(); at += kFrame) {
    traffic->originals[at + 37] = 54;  // the port that rule 1 denies
  }
  for (auto _ : state) {
    traffic->load(64);
    traffic->pipeline.process(traffic->world.image(), traffic->moment, 1, 1000,
                              std::span{traffic->frames}.first(64), traffic->fates);
  }
  if (traffic->fates[0].reason != Reason::kDenied) state.SkipWithError("not denied");
  state.SetItemsProcessed(state.iterations() * 64);
}

// Flows that come and go: each packet opens one, which the next round finds expired.
void new_flows(benchmark::State& state) {
  const auto traffic = std::make_unique<Traffic>(1U << 19, false);
  Tick now = 1000;
  std::size_t flow = 0;
  const std::size_t flows = traffic->originals.size() / kFrame;
  for (auto _ : state) {
    for (std::size_t i = 0; i < 32; ++i, flow = flow + 1 == flows ? 0 : flow + 1) {
      std::uint8_t* const data = traffic->memory.data() + i * kRoom + 64;
      std::memcpy(data, traffic->originals.data() + flow * kFrame, kFrame);
      traffic->frames[i] = {data, kFrame, kLan};
      if (flow == 0) now += 1'000'000;
    }
    traffic->pipeline.process(traffic->world.image(), traffic->moment, 1, now,
                              std::span{traffic->frames}.first(32), traffic->fates);
  }
  state.SetItemsProcessed(state.iterations() * 32);
}

// The decision alone, from many sources to one service; where `timed`, by way of a branch.
void deciding(benchmark::State& state) {
  const auto traffic = std::make_unique<Traffic>(1U << 8, false, state.range(0) != 0);
  const image::Image& image = traffic->world.image();
  std::vector<Subject> subjects;
  for (std::uint32_t i = 0; i < 1024; ++i) {
    const net::Address source = net::Address::v4(0x1400'0001U + (i << 8));
    subjects.push_back(find_subject(image, kSharedSpace, source, ZoneId{0}));
  }
  const Target target = find_target(image, kSharedSpace, address("59.205.16.10"), {17, 53},
                                    ZoneId{0});
  for (auto _ : state) {
    for (const Subject& subject : subjects) {
      benchmark::DoNotOptimize(decide(image, traffic->moment, subject, target));
    }
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(subjects.size()));
}

BENCHMARK(copying_alone)->Arg(64);
BENCHMARK(known_flows)
    ->ArgNames({"burst", "flows", "ip"})
    ->Args({32, 1 << 19, 4})
    ->Args({64, 1 << 19, 4})
    ->Args({64, 1 << 12, 4})
    ->Args({64, 1 << 19, 6});
BENCHMARK(denied);
BENCHMARK(deciding)->ArgName("timed")->Arg(0)->Arg(1);
BENCHMARK(new_flows);

}  // namespace
}  // namespace meiguan::fastpath

BENCHMARK_MAIN();
