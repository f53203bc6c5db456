#pragma once

#include <cstdint>

#include "dataplane/fastpath/rate.h"

namespace meiguan::fastpath {

// What a limit says; 0: no limit.
struct LimitValues {
  std::uint32_t flows{0};
  std::uint32_t new_per_second{0};
  std::uint32_t half_open{0};
  std::uint64_t bandwidth{0};  // bits a second
};

// What one unit, service or rule has taken and what it may take: all on one line. The numbers that
// it may take are those of the image of `generation`; the flows that it has are counted whether
// there is a limit or not, so that one that comes into force finds them right.
struct alignas(64) Allowance {
  std::uint32_t flows{0};
  std::uint32_t half_open{0};  // of the flows, those whose TCP connection is not established
  std::uint32_t most_flows{kUnlimited};
  std::uint32_t most_half_open{kUnlimited};
  RateTime flow_next{0};
  RateTime byte_next{0};
  FlowRate flow_rate;
  ByteRate byte_rate;
  std::uint32_t generation{0};  // 0: of none yet

  static constexpr std::uint32_t kUnlimited = 0xffff'ffff;

  // One of `workers` equal shares of a number, none where it is 0, and never less than one.
  [[nodiscard]] static constexpr std::uint32_t share(std::uint32_t number,
                                                     std::uint32_t workers) noexcept {
    return number == 0 ? kUnlimited : (number + workers - 1) / workers;
  }

  void set(const LimitValues& values, std::uint32_t workers, std::uint32_t of_generation) noexcept {
    most_flows = share(values.flows, workers);
    most_half_open = share(values.half_open, workers);
    flow_rate = FlowRate::of(values.new_per_second, workers);
    byte_rate = ByteRate::of(values.bandwidth, workers);
    generation = of_generation;
  }
};
static_assert(sizeof(Allowance) == 64);

}  // namespace meiguan::fastpath
