// Packets through one pipeline, 64-byte frames: ./pipeline_bench [--benchmark_filter=...]
//
// Frames are copied from their originals burst by burst; the copy is measured by itself, too. What
// a flow takes of memory stands beside the rate, as `flow_bytes`.

#include <benchmark/benchmark.h>

#include <memory>
#include <numeric>
#include <vector>

#include "dataplane/fastpath/decide.h"
#include "dataplane/fastpath/flow_table.h"
#include "dataplane/fastpath/stage_profile.h"
#include "dataplane/fastpath/traffic_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

// What a flow takes: its record, its part of the buckets (which have room for the second keys of
// half of all flows) and the time of its next look; a translated one its translation as well.
constexpr double bytes_of_flow(bool translated) {
  constexpr std::uint32_t kFlows = 1U << 20;
  return static_cast<double>(FlowTable::bytes_for(kFlows, kFlows / 2)) / kFlows +
         (translated ? sizeof(Translation) : 0);
}
static_assert(bytes_of_flow(false) <= 160);

void copying_alone(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  const auto traffic = std::make_unique<BenchTraffic>(TrafficOptions{});
  for (auto _ : state) {
    traffic->load(burst);
    benchmark::DoNotOptimize(traffic->memory.data());
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * state.range(0));
}

// The share of each stage; nothing unless they are built in (stage_profile.h).
void tell_stages(benchmark::State& state) {
  if (!kStageProfile) return;
  const auto all = static_cast<double>(
      std::accumulate(stage_ticks.begin(), stage_ticks.end(), std::uint64_t{0}));
  for (std::size_t i = 0; i < kStages; ++i) {
    state.counters[kStageNames[i]] = static_cast<double>(stage_ticks[i]) / all;
  }
}

void known_flows(benchmark::State& state) {
  const auto burst = static_cast<std::size_t>(state.range(0));
  const auto flows = static_cast<std::uint32_t>(state.range(1));
  const auto kind = static_cast<Kind>(state.range(2));
  const auto traffic = std::make_unique<BenchTraffic>(
      TrafficOptions{.flows = flows, .kind = kind, .flow_capacity = flows + flows / 4});
  traffic->open_all();
  const Tick now = traffic->opened();
  stage_ticks = {};
  for (auto _ : state) {
    traffic->load(burst);
    traffic->process(burst, now);
    traffic->pipeline.expire(now);
  }
  tell_stages(state);
  if (traffic->fates[0].step != NextStep::kSend) state.SkipWithError("not sent");
  state.SetItemsProcessed(state.iterations() * state.range(0));
  state.counters["flow_bytes"] = bytes_of_flow(kind == Kind::kNat);
}

// A flood that the rules deny: every packet is judged in full.
void denied(benchmark::State& state) {
  const auto traffic = std::make_unique<BenchTraffic>(TrafficOptions{});
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

// Every packet opens a flow that nobody answers, and as many end: a table for a million flows holds
// some 600,000 of them at any time.
void new_flows(benchmark::State& state) {
  constexpr std::size_t kBurst = 32;
  constexpr std::uint32_t kFlows = 1U << 20;  // by the time that the first comes again it has ended
  constexpr Tick kLife = 120'000;             // RFC 4787 REQ-5
  constexpr std::uint64_t kLive = 600'000;
  const auto traffic = std::make_unique<BenchTraffic>(TrafficOptions{.flows = kFlows});
  std::uint64_t packets = 0;
  std::uint64_t refused = 0;
  const auto burst = [&] {
    if (!traffic->load_next(kBurst)) {
      traffic->next_flow = 0;
      (void)traffic->load_next(kBurst);
    }
    const Tick now = 1000 + packets * kLife / kLive;
    traffic->process(kBurst, now);
    traffic->pipeline.expire(now);
    packets += kBurst;
    refused += traffic->fates[0].step != NextStep::kSend;
  };
  while (packets < kFlows) burst();
  stage_ticks = {};
  for (auto _ : state) burst();
  tell_stages(state);
  if (refused != 0) state.SkipWithError("a flow was not opened");
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(kBurst));
  state.counters["live"] = traffic->pipeline.live_flows();
  state.counters["flow_bytes"] = bytes_of_flow(false);
}

// The decision alone, from many sources to one service; where `timed`, by way of a branch.
void deciding(benchmark::State& state) {
  const auto traffic = std::make_unique<BenchTraffic>(
      TrafficOptions{.flows = 1U << 8, .timed = state.range(0) != 0});
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
constexpr std::int64_t kOf(Kind kind) { return static_cast<std::int64_t>(kind); }

BENCHMARK(known_flows)
    ->ArgNames({"burst", "flows", "kind"})  // kind: 0 IPv4, 1 IPv6, 2 translated, 3 IMIX
    ->Args({32, 1 << 19, kOf(Kind::kV4)})
    ->Args({64, 1 << 14, kOf(Kind::kV4)})
    ->Args({64, 1 << 19, kOf(Kind::kV4)})
    ->Args({64, 1 << 22, kOf(Kind::kV4)})
    ->Args({64, 1 << 19, kOf(Kind::kV6)})
    ->Args({64, 1 << 19, kOf(Kind::kNat)})
    ->Args({64, 1 << 19, kOf(Kind::kImix)});
BENCHMARK(denied);
BENCHMARK(deciding)->ArgName("timed")->Arg(0)->Arg(1);
BENCHMARK(new_flows);

}  // namespace
}  // namespace meiguan::fastpath

BENCHMARK_MAIN();
