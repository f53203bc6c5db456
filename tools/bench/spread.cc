// How evenly flows fall on workers and on boxes, and what the loss of a box moves: a simulation by
// the hash that the workers use and the addresses of a province, for tools/bench/SCALE.md. Prints
// tables in Markdown; the same on every machine.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <functional>
#include <random>
#include <span>
#include <vector>

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::bench {
namespace {

constexpr std::uint32_t kTerminals = 200'000;
constexpr std::uint32_t kSystems = 1'100;

struct Flow {
  std::uint32_t hash;
  double weight;  // its share of the packets
};

// Terminals of units side by side in 10.64/12, systems in 59.205/16, ports as clients choose them:
// keys that look like one another, as real ones do. The n-th flow has the share 1 / n^zipf.
std::vector<Flow> make_flows(std::uint32_t count, double zipf) {
  std::mt19937_64 random{1};
  std::vector<Flow> flows(count);
  double total = 0;
  for (std::uint32_t n = 0; n < count; ++n) {
    fastpath::FlowKey key;
    key.source = net::Address::v4(0x0a40'0000U + static_cast<std::uint32_t>(random() % kTerminals));
    key.destination = net::Address::v4(0x3bcd'0000U +
                                       static_cast<std::uint32_t>(random() % kSystems));
    key.protocol = net::protocol::kTcp;
    key.source_port = static_cast<std::uint16_t>(49152 + random() % 16384);
    key.destination_port = 443;
    flows[n] = {fastpath::owner_of(key), 1 / std::pow(n + 1.0, zipf)};
    total += flows[n].weight;
  }
  for (Flow& flow : flows) flow.weight /= total;
  // Which of them is large has nothing to do with its place.
  std::ranges::shuffle(flows, random);
  return flows;
}

// The load of the busiest of them, where the mean is 1.
double busiest(std::span<const Flow> flows, std::uint32_t bins,
               const std::function<std::uint32_t(const Flow&)>& bin_of) {
  std::vector<double> load(bins);
  for (const Flow& flow : flows) load[bin_of(flow)] += flow.weight;
  return std::ranges::max(load) * bins;
}

void print_workers() {
  fmt::print(
      "| flows | packets of each | 2 workers | 8 workers | 32 workers | largest flow |\n"
      "|---:|---|---:|---:|---:|---:|\n");
  for (const std::uint32_t count : {1U << 14, 1U << 19, 1U << 22}) {
    for (const double zipf : {0.0, 1.0}) {
      const std::vector<Flow> flows = make_flows(count, zipf);
      fmt::print("| {} | {} |", count, zipf == 0 ? "alike" : "Zipf 1.0");
      for (const std::uint32_t workers : {2U, 8U, 32U}) {
        const double load = busiest(flows, workers,
                                    [&](const Flow& flow) { return flow.hash % workers; });
        fmt::print(" {:.2f} |", load);
      }
      const double largest = std::ranges::max(flows, {}, &Flow::weight).weight;
      fmt::print(" {:.1f} % |\n", largest * 100);
    }
  }
}

// Routers spread flows over next hops by a table of buckets. Each bucket goes to the box that has
// the highest number for it (rendezvous hashing: Thaler and Ravishankar, 1998), so that a box that
// is lost leaves the buckets of the others where they were.
constexpr std::uint32_t kBuckets = 4096;
std::vector<std::uint32_t> place_buckets(std::uint32_t boxes, std::uint32_t lost) {
  std::vector<std::uint32_t> box_of(kBuckets);
  for (std::uint32_t bucket = 0; bucket < kBuckets; ++bucket) {
    std::uint64_t best = 0;
    for (std::uint32_t box = 0; box < boxes; ++box) {
      const std::uint64_t number =
          fastpath::HashSeed::from(std::uint64_t{bucket} << 32 | box).keys[0];
      if (box == lost || number < best) continue;
      best = number;
      box_of[bucket] = box;
    }
  }
  return box_of;
}

void print_boxes() {
  fmt::print(
      "| boxes | busiest | flows that move when one is lost | the least that must | by "
      "modulo they would be | busiest of those left |\n|---:|---:|---:|---:|---:|---:|\n");
  const std::vector<Flow> flows = make_flows(1U << 19, 0);
  for (const std::uint32_t boxes : {2U, 4U, 8U}) {
    const auto bucket_of = [](const Flow& flow) {
      return flow.hash / (0xffff'ffffU / kBuckets + 1);
    };
    const auto before = place_buckets(boxes, boxes);
    const auto after = place_buckets(boxes, 0);
    double moved = 0, by_modulo = 0, had = 0;
    for (const Flow& flow : flows) {
      const std::uint32_t bucket = bucket_of(flow);
      if (before[bucket] == 0) had += flow.weight;
      if (before[bucket] != after[bucket]) moved += flow.weight;
      const std::uint32_t old_box = flow.hash % boxes;
      if (old_box == 0 || old_box - 1 != flow.hash % (boxes - 1)) by_modulo += flow.weight;
    }
    const double load = busiest(flows, boxes, [&](const Flow& f) { return before[bucket_of(f)]; });
    const double left = busiest(flows, boxes, [&](const Flow& f) { return after[bucket_of(f)]; });
    fmt::print("| {} | {:.2f} | {:.1f} % | {:.1f} % | {:.1f} % | {:.2f} |\n", boxes, load,
               moved * 100, had * 100, by_modulo * 100, left * (boxes - 1) / boxes);
  }
}

}  // namespace
}  // namespace meiguan::bench

int main() {
  fmt::print("Load of the busiest worker, where the mean is 1:\n\n");
  meiguan::bench::print_workers();
  fmt::print(
      "\nBoxes behind routers that spread flows by 4,096 buckets, each at the box that "
      "rendezvous hashing gives it; load of the busiest box, where the mean is 1:\n\n");
  meiguan::bench::print_boxes();
  return 0;
}
