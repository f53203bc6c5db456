#pragma once

// Batches on their way into a database: what meets in one pack is put together before that is
// written.

#include <cstdint>
#include <map>
#include <utility>
#include <vector>

#include "controlplane/store/dictionary.h"
#include "controlplane/store/pack.h"

namespace meiguan::store {

// A batch and the time that its rows have in some resolution.
struct PlacedBatch {
  const Batch* batch;
  std::int64_t time;
};

// What is new in a resolution, by the numbers of a dictionary.
struct PlacedPacks {
  std::map<std::pair<std::int64_t, std::uint32_t>, std::vector<GroupSums>> nodes;  // time and node
  // Of a time: what all nodes have together, and who was watched.
  struct Time {
    std::vector<GroupSums> whole;
    std::vector<NodeWatch> watches;
  };
  std::map<std::int64_t, Time> times;

  void add(const PlacedBatch& placed, Numbering& numbering) {
    const auto& [batch, time] = placed;
    auto& all = times[time];
    std::vector<GroupSums>* pack = nullptr;
    std::uint32_t of = 0;
    for (const auto& row : batch->rows) {
      const auto group = numbering.group(row.key);
      const auto node = numbering.groups()[group][0];
      if (pack == nullptr || node != of) pack = &nodes[{time, of = node}];
      pack->push_back({group, row.sums});
      all.whole.push_back({numbering.without_place_of(group), row.sums});
    }
    if (batch->stream == Stream::kBulk) {
      all.watches.push_back({numbering.name(batch->node), batch->watch});
    }
  }
};

}  // namespace meiguan::store
