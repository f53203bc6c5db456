#pragma once

// Batches on their way into a database: what meets in one row is added before it is written.

#include <algorithm>
#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "controlplane/store/row.h"

namespace meiguan::store {

// A batch and the time that its rows have in some resolution.
struct PlacedBatch {
  const Batch* batch;
  std::int64_t time;
};

// The row of a group that has a number.
struct PlacedRow {
  std::int64_t time;
  std::int64_t group;
  Sums sums;
};

// By time and node, whatever number that has.
using PlacedWatches = std::map<std::pair<std::int64_t, std::int64_t>, Watch>;

// In the order of the tables' keys, each of these once.
inline void merge(std::vector<PlacedRow>& rows) {
  std::ranges::stable_sort(rows, [](const PlacedRow& a, const PlacedRow& b) {
    return std::pair{a.time, a.group} < std::pair{b.time, b.group};
  });
  std::size_t kept = 0;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    if (kept > 0 && rows[kept - 1].time == rows[i].time && rows[kept - 1].group == rows[i].group) {
      rows[kept - 1].sums.add(rows[i].sums);
    } else {
      rows[kept++] = rows[i];
    }
  }
  rows.resize(kept);
}

}  // namespace meiguan::store
