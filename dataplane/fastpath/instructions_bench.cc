// What callgrind counts the instructions of: `instructions CASE` settles, then runs `measured`
// alone.
//
//   known-v4, known-v6, known-nat   packets of flows that are known
//   new-v4, new-nat                 first packets, each of which opens a flow
//
// Prints how many packets it gave to `measured`. tests/instructions/instructions.py runs it.

#include <cstdio>
#include <memory>
#include <string_view>

#include "dataplane/fastpath/traffic_fixture.h"

namespace {

using namespace meiguan::fastpath;
using namespace meiguan::fastpath::test;

constexpr std::uint32_t kBurst = 32;
constexpr std::uint32_t kBursts = 256;

}  // namespace

// Its name is what callgrind is told.
extern "C" [[gnu::noinline]] void measured(BenchTraffic& traffic, Tick now) {
  traffic.process(kBurst, now);
  traffic.pipeline.expire(now);
}

int main(int argc, char** argv) {
  const std::string_view name = argc == 2 ? argv[1] : "";
  const bool known = name.starts_with("known-");
  const std::string_view kind = name.substr(name.find('-') + 1);
  if (name.find('-') == name.npos || (!known && !name.starts_with("new-")) ||
      (kind != "v4" && kind != "v6" && kind != "nat")) {
    std::fputs("usage: instructions known-v4|known-v6|known-nat|new-v4|new-v6|new-nat\n", stderr);
    return 2;
  }
  const auto traffic = std::make_unique<BenchTraffic>(
      TrafficOptions{.flows = known ? 4096U : kBurst * (kBursts + 1),
                     .kind = kind == "v6"    ? Kind::kV6
                             : kind == "nat" ? Kind::kNat
                                             : Kind::kV4,
                     .flow_capacity = 1U << 15});
  if (known) traffic->open_all();
  std::size_t packets = 0;
  const Tick now = traffic->opened();
  for (int i = 0; i < 1024; ++i) traffic->pipeline.expire(now);  // no round of old is left to do
  // The first burst of an image takes what it says of limits and time-outs.
  if (!known) {
    if (!traffic->load_next(kBurst)) return 1;
    traffic->process(kBurst, now);
  }
  for (std::size_t i = 0; i < kBursts; ++i) {
    if (known) {
      traffic->load(kBurst);
    } else if (!traffic->load_next(kBurst)) {
      return 1;
    }
    measured(*traffic, now);
    packets += kBurst;
    for (std::size_t k = 0; k < kBurst; ++k) {
      if (traffic->fates[k].step == NextStep::kSend) continue;
      std::fprintf(stderr, "a packet is not sent: reason %u\n",
                   static_cast<unsigned>(traffic->fates[k].reason));
      return 1;
    }
  }
  std::printf("%zu\n", packets);
  return 0;
}
