// What a policy costs: ./policy_bench POLICY [--benchmark_filter=...]
//
// Reading, compiling and opening it, and the decision about a first packet. For the decision,
// packets go from addresses of units to endpoints of services. `few` asks about 1,024 packets over
// and over, so that the parts of the image that they need lie in the caches, as they do for the
// traffic of an hour; `all` about a million packets that touch everything in turn.

#include <benchmark/benchmark.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>
#include <vector>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {
namespace {

constexpr std::size_t kFew = 1024;
constexpr std::size_t kAll = std::size_t{1} << 20;

const char* g_path = nullptr;  // of the command line

struct Packet {
  SpaceId space;
  ZoneId in_zone;
  ZoneId out_zone;
  net::Address source;
  net::Address destination;
  fastpath::Protocol protocol;
};

struct Loaded {
  policy::CheckedPolicy policy;
  policy::Compiled compiled;
  image::Image image;
};

void complain(const policy::Diagnostics& diagnostics) {
  for (const auto& diagnostic : diagnostics) {
    std::fprintf(stderr, "%s:%u: %s\n", diagnostic.file.c_str(), diagnostic.line,
                 diagnostic.message.english.c_str());
  }
}

policy::CheckedPolicy load() {
  auto policy = policy::load_policy(g_path);
  if (!policy) {
    complain(policy.error());
    std::exit(2);
  }
  return std::move(*policy);
}

policy::Compiled compile(const policy::CheckedPolicy& policy) {
  auto compiled = policy::compile(policy, nullptr, nullptr);
  if (!compiled) {
    std::fprintf(stderr, "%s\n", compiled.error().message.english.c_str());
    std::exit(2);
  }
  return std::move(*compiled);
}

const Loaded& loaded() {
  static const Loaded* const once = [] {
    policy::CheckedPolicy policy = load();
    policy::Compiled compiled = compile(policy);
    const auto image = image::Image::open(compiled.bytes.span());
    if (!image) std::exit(2);
    return new Loaded{std::move(policy), std::move(compiled), *image};
  }();
  return *once;
}

net::Address host(const net::Prefix& prefix, std::uint32_t number) {
  const unsigned bits = (prefix.family() == net::Family::kIpv4 ? 32U : 128U) - prefix.length();
  const std::uint32_t mask = bits >= 32 ? ~0U : (1U << bits) - 1;
  if (prefix.family() == net::Family::kIpv4) {
    return net::Address::v4(prefix.address().v4_value() | (number & mask));
  }
  auto bytes = prefix.address().bytes();
  for (std::size_t i = 0; i < 4; ++i) {
    bytes[15 - i] |= static_cast<std::uint8_t>((number & mask) >> (8 * i));
  }
  return net::Address::v6(bytes);
}

// Packets of units of shared zones to services of the same family there.
std::vector<Packet> packets(const policy::CheckedPolicy& policy, std::size_t count) {
  struct End {
    const policy::Service* service;
    const policy::Endpoint* endpoint;
  };
  std::array<std::vector<End>, 2> ends;
  for (const auto& service : policy.services) {
    if (policy.zones[service.zone.index()].space != kSharedSpace) continue;
    for (const auto& endpoint : service.endpoints) {
      ends[endpoint.prefix.family() == net::Family::kIpv4 ? 0 : 1].push_back({&service, &endpoint});
    }
  }
  std::mt19937 random{1};
  std::vector<Packet> result;
  while (result.size() < count) {
    const auto& unit = policy.units[random() % policy.units.size()];
    const auto& zone = policy.zones[unit.zone.index()];
    if (zone.space != kSharedSpace) continue;
    const auto& prefix = unit.prefixes[random() % unit.prefixes.size()];
    const auto& of_family = ends[prefix.family() == net::Family::kIpv4 ? 0 : 1];
    if (of_family.empty()) continue;
    const End& end = of_family[random() % of_family.size()];
    const auto& match = end.endpoint->match;
    const auto value = static_cast<std::uint16_t>(
        match.first + random() % (std::uint32_t{match.last} - match.first + 1));
    result.push_back({kSharedSpace,
                      unit.zone,
                      end.service->zone,
                      host(prefix, static_cast<std::uint32_t>(random())),
                      host(end.endpoint->prefix, static_cast<std::uint32_t>(random())),
                      {match.any_protocol ? std::uint8_t{6} : match.protocol, value}});
  }
  return result;
}

void read_and_check(benchmark::State& state) {
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(load());
}

// The same tree once more, as after a change of one file.
void read_again(benchmark::State& state) {
  policy::PolicyLoader loader;
  (void)loader.load(g_path);
  for ([[maybe_unused]] auto _ : state) benchmark::DoNotOptimize(loader.load(g_path));
}

void compile_image(benchmark::State& state) {
  const policy::CheckedPolicy policy = load();
  std::size_t bytes = 0;
  for ([[maybe_unused]] auto _ : state) bytes = compile(policy).bytes.size();
  state.counters["bytes"] = static_cast<double>(bytes);
  state.counters["rules"] = static_cast<double>(policy.rules.size());
  state.counters["units"] = static_cast<double>(policy.units.size());
}

// As after a change of one rule: an allow becomes a deny, then an allow again.
void compile_again(benchmark::State& state) {
  policy::CheckedPolicy policy = load();
  policy::Compiler compiler;
  auto last = compiler.compile(policy, nullptr, nullptr);
  if (!last) std::exit(2);
  const auto rule = std::ranges::find(policy.rules, policy::Action::kAllow, &policy::Rule::action);
  bool took_over = true;
  for ([[maybe_unused]] auto _ : state) {
    rule->action = rule->action == policy::Action::kAllow ? policy::Action::kDeny
                                                          : policy::Action::kAllow;
    auto next = compiler.compile(policy, nullptr, &last->catalog);
    if (!next) std::exit(2);
    last = std::move(next);
    took_over = took_over && compiler.took_over();
  }
  state.counters["took_over"] = took_over ? 1 : 0;
}

void open_image(benchmark::State& state) {
  const auto bytes = loaded().compiled.bytes.span();
  for ([[maybe_unused]] auto _ : state) {
    benchmark::DoNotOptimize(image::Image::open(bytes));
  }
}

void decide(benchmark::State& state, std::size_t count) {
  const image::Image& image = loaded().image;
  const image::Moment moment{image, 1'767'225'600};
  const std::vector<Packet> asked = packets(loaded().policy, count);
  std::size_t i = 0;
  std::uint64_t allowed = 0;
  for ([[maybe_unused]] auto _ : state) {
    const Packet& p = asked[i++ & (count - 1)];
    const auto subject = fastpath::find_subject(image, p.space, p.source, p.in_zone);
    const auto target = fastpath::find_target(image, p.space, p.destination, p.protocol,
                                              p.out_zone);
    allowed += fastpath::decide(image, moment, subject, target).decision.forwards() ? 1U : 0U;
  }
  state.counters["allowed"] = static_cast<double>(allowed) / static_cast<double>(i);
}

BENCHMARK(read_and_check)->Unit(benchmark::kMillisecond);
BENCHMARK(read_again)->Unit(benchmark::kMillisecond);
BENCHMARK(compile_image)->Unit(benchmark::kMillisecond);
BENCHMARK(compile_again)->Unit(benchmark::kMillisecond);
BENCHMARK(open_image)->Unit(benchmark::kMillisecond);
BENCHMARK_CAPTURE(decide, few, kFew);
BENCHMARK_CAPTURE(decide, all, kAll);

}  // namespace
}  // namespace meiguan::analysis

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (argc != 2) {
    std::fprintf(stderr, "usage: policy_bench POLICY [--benchmark_...]\n");
    return 2;
  }
  meiguan::analysis::g_path = argv[1];
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
