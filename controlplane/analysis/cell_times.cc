#include "controlplane/analysis/cell_times.h"

#include <algorithm>
#include <unordered_set>

#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {

using image::Cell;
using image::Image;
using image::Isolation;

std::vector<std::uint32_t> conditions_of(const Image& image, Cell cell) {
  std::vector<std::uint32_t> conditions;
  std::unordered_set<Cell> seen;
  std::vector<Cell> open{cell};
  while (!open.empty()) {
    const Cell here = open.back();
    open.pop_back();
    if ((here & image::kBranchBit) == 0 || !seen.insert(here).second) continue;
    const image::Branch& branch = image.branches()[here & ~image::kBranchBit];
    conditions.push_back(branch.condition);
    open.push_back(branch.when_holds);
    open.push_back(branch.otherwise);
  }
  std::ranges::sort(conditions);
  const auto rest = std::ranges::unique(conditions);
  conditions.erase(rest.begin(), rest.end());
  return conditions;
}

const std::vector<CellTimes::Instant>& CellTimes::instants_of(Cell cell) {
  auto& known = of_cell_[cell];
  if (known != nullptr) return *known;
  const std::vector<std::uint32_t> conditions = conditions_of(image_, cell);
  const auto [it, is_new] = of_conditions_.try_emplace(conditions);
  if (is_new) {
    std::vector<ConditionRef> refs;
    for (const std::uint32_t condition : conditions) refs.push_back({&image_, condition});
    for (const Constellation& one : constellations(refs, from_)) {
      Instant instant{{}, one.first};
      for (std::size_t i = 0; i < conditions.size(); ++i) {
        instant.moment.suppose(conditions[i], one.holds[i]);
      }
      it->second.push_back(instant);
    }
  }
  known = &it->second;
  return it->second;
}

WhenLetBy CellTimes::of(Cell cell, Isolation isolation) {
  const auto let_by = [&](const image::OutcomeRecord& outcome) {
    return fastpath::decide(image_, isolation, outcome).decision.forwards();
  };
  WhenLetBy result;
  if ((cell & image::kBranchBit) == 0) {
    (let_by(image_.outcomes()[cell]) ? result.allowed : result.denied) = from_;
    return result;
  }
  const auto [it, is_new] = known_.try_emplace(std::uint64_t{cell} << 8 | isolation.bits);
  if (!is_new) return it->second;
  for (const Instant& instant : instants_of(cell)) {
    auto& first = let_by(image_.outcome(cell, instant.moment)) ? result.allowed : result.denied;
    if (!first) first = instant.first;
    if (result.allowed && result.denied) break;
  }
  it->second = result;
  return result;
}

BlockTimes::Masks BlockTimes::of(std::uint32_t block, Isolation isolation) {
  const auto [it, is_new] = known_.try_emplace(std::uint64_t{block} << 8 | isolation.bits);
  if (!is_new) return it->second;
  Masks masks;
  const auto cells = image_.cells().subspan(std::size_t{block} * image::kBlockColumns,
                                            image::kBlockColumns);
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const std::uint64_t bit = std::uint64_t{1} << i;
    // Neighbours mostly say the same.
    if (i > 0 && cells[i] == cells[i - 1]) {
      if ((masks.allowed & bit >> 1) != 0) masks.allowed |= bit;
      if ((masks.denied & bit >> 1) != 0) masks.denied |= bit;
      continue;
    }
    const WhenLetBy when = cells_.of(cells[i], isolation);
    if (when.allowed) masks.allowed |= bit;
    if (when.denied) masks.denied |= bit;
  }
  it->second = masks;
  return masks;
}

}  // namespace meiguan::analysis
