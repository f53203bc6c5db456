#pragma once

// At which instants conditions (schedules, dates) hold together or fail together.

#include <compare>
#include <cstdint>
#include <span>
#include <vector>

#include "dataplane/image/reader.h"

namespace meiguan::analysis {

struct ConditionRef {
  const image::Image* image;
  std::uint32_t condition;
  auto operator<=>(const ConditionRef&) const = default;
};

// One way in which conditions hold or do not, each in its place, and the first instant at which it
// is so (seconds since 1970-01-01T00:00Z).
struct Constellation {
  std::vector<bool> holds;
  std::int64_t first{0};
};

// Every constellation of `conditions` that there is at `from` or at any later instant, ascending by
// first instant; at least one. Exact: between the instants at which a date begins or ends or the
// wall clock is set, schedules repeat week by week, so that one week of each such time says all.
[[nodiscard]] std::vector<Constellation> constellations(std::span<const ConditionRef> conditions,
                                                        std::int64_t from);

}  // namespace meiguan::analysis
