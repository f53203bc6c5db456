#include "controlplane/analysis/class_ranges.h"

#include <map>
#include <tuple>
#include <unordered_map>

#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {

ClassRanges::ClassRanges(const Reach& reach)
    : blocks_{(reach.image().meta().target_classes + image::kBlockColumns - 1) /
              image::kBlockColumns} {
  range_sources(reach);
  ask_isolation(reach);
}

void ClassRanges::range_sources(const Reach& reach) {
  std::vector<Ends> of_row(reach.image().meta().source_classes);
  for (const SourcePoint& source : reach.sources()) {
    for (const Families family : {kHasV4, kHasV6}) {
      if ((source.families & family) == 0) continue;
      of_row[source.row].set(source.zone.index() * 8 + (family == kHasV4 ? 0 : 1) +
                             (source.sender.egress ? 2 : 0) + (source.sender.translated ? 4 : 0));
    }
  }
  std::unordered_map<Ends, std::uint32_t> numbers;
  for (const Ends& ends : of_row) {
    if (ends.none()) {
      sources_.push_back(image::kNone);
      continue;
    }
    const auto [it, is_new] = numbers.try_emplace(ends,
                                                  static_cast<std::uint32_t>(source_sets_.size()));
    if (is_new) source_sets_.push_back(ends);
    sources_.push_back(it->second);
  }
}

void ClassRanges::ask_isolation(const Reach& reach) {
  columns_.resize(source_sets_.size() * blocks_);
  // The ways from each set of sources to one kind of target, asked once for each kind.
  std::map<std::tuple<std::uint32_t, Families>, std::vector<Columns>> known;
  const auto ways_to = [&](const TargetPoint& target) -> const std::vector<Columns>& {
    const auto [it, is_new] = known.try_emplace({reach.isolation_key(target), target.families});
    if (!is_new) return it->second;
    it->second.resize(source_sets_.size());
    for (std::size_t s = 0; s < source_sets_.size(); ++s) {
      for (std::size_t end = 0; end < 8 * reach.image().zones().size(); ++end) {
        const Families family = end % 2 == 0 ? kHasV4 : kHasV6;
        if (!source_sets_[s].test(end) || (target.families & family) == 0) continue;
        const auto answer = reach.isolation({ZoneId{static_cast<ZoneId::rep>(end / 8)},
                                             (end & 2) != 0, (end & 4) != 0},
                                            target);
        fastpath::Reason reason{};
        if (fastpath::drops(answer, reason)) continue;
        Columns& way = it->second[s];
        (!answer.service() ? way.rules : answer.publish() ? way.published : way.service) = 1;
      }
    }
    return it->second;
  };
  for (const TargetPoint& target : reach.targets()) {
    const auto& ways = ways_to(target);
    const std::size_t bit = target.column % image::kBlockColumns;
    for (std::size_t s = 0; s < source_sets_.size(); ++s) {
      Columns& columns = columns_[s * blocks_ + target.column / image::kBlockColumns];
      columns.rules |= ways[s].rules << bit;
      columns.service |= ways[s].service << bit;
      columns.published |= ways[s].published << bit;
    }
  }
}

}  // namespace meiguan::analysis
