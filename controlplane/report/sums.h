#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "controlplane/report/segment.h"

namespace meiguan::report {

// The numbers of one object, in the order of the kind's list below.
template <std::size_t N>
using Numbers = std::array<std::uint64_t, N>;

// What all blocks of a segment add up to.
struct Sums {
  // packets, bytes
  std::vector<Numbers<2>> reasons;
  // received packets, bytes; sent packets, bytes; dropped; local
  std::vector<Numbers<6>> ports;
  // sent packets, bytes; received packets, bytes; flows; denied
  std::vector<Numbers<6>> units;
  // request packets, bytes; reply packets, bytes; flows; denied
  std::vector<Numbers<6>> services;
  // packets, bytes; hits; audited
  std::vector<Numbers<4>> rules;
  std::uint64_t packets{0};
  std::uint64_t flows_created{0};
  std::uint64_t flows_ended{0};
  std::uint64_t events_lost{0};
};

// How many of each kind are worth reading: those that have names.
struct Extent {
  std::size_t ports{0};
  std::size_t units{0};
  std::size_t services{0};
  std::size_t rules{0};
};

[[nodiscard]] Sums add_up(const Segment& segment, const Extent& extent);
[[nodiscard]] Sums add_up(std::span<const fastpath::CounterBlock> blocks, const Extent& extent);

}  // namespace meiguan::report
