#include "controlplane/analysis/prove.h"

#include <algorithm>
#include <array>
#include <map>
#include <unordered_map>
#include <utility>
#include <vector>

namespace meiguan::analysis {
namespace {

using image::Image;
using image::Isolation;

// Sources for which isolation says the same, by row; the rows in the order of their first points.
struct SourceCase {
  struct Row {
    std::uint32_t number{0};
    std::vector<const SourcePoint*> points;
  };
  Sender sender;
  Families families{0};
  std::vector<Row> rows;
  std::unordered_map<std::uint32_t, std::size_t> row_at;

  void add(const SourcePoint& point) {
    const auto [it, is_new] = row_at.try_emplace(point.row, rows.size());
    if (is_new) rows.push_back({point.row, {}});
    rows[it->second].points.push_back(&point);
  }
};

// Targets of one column for which isolation says the same.
struct TargetCase {
  std::uint8_t bit{0};  // of the block
  Families families{0};
  std::vector<const TargetPoint*> points;
};

using Blocks = std::map<std::uint32_t, std::vector<TargetCase>>;

std::vector<SourceCase> group_sources(const Reach& reach, const policy::AssertionPoints& points) {
  const std::size_t width = reach.image().meta().zone_columns;
  std::map<std::pair<Sender, Families>, std::size_t> numbers;
  std::vector<SourceCase> cases;
  for (const SourcePoint& source : reach.sources()) {
    const std::size_t group = reach.image().atoms()[source.atom].source_group;
    if (!points.sources.test(group * width + source.zone.index())) continue;
    const auto [it, is_new] = numbers.try_emplace({source.sender, source.families}, cases.size());
    if (is_new) cases.push_back({source.sender, source.families, {}, {}});
    cases[it->second].add(source);
  }
  return cases;
}

Blocks group_targets(const Reach& reach, const policy::AssertionPoints& points) {
  const std::size_t width = reach.image().meta().zone_columns;
  std::map<std::array<std::uint32_t, 3>, std::size_t> numbers;
  Blocks blocks;
  for (const TargetPoint& target : reach.targets()) {
    const std::size_t zone = target.zone.is_some() ? target.zone.index() : width - 1;
    if (!points.targets.test(target.target * width + zone)) continue;
    auto& cases = blocks[target.column / image::kBlockColumns];
    const auto [it, is_new] = numbers.try_emplace({target.column, reach.isolation_key(target),
                                                   target.families},
                                                  cases.size());
    if (is_new) {
      cases.push_back(
          {static_cast<std::uint8_t>(target.column % image::kBlockColumns), target.families, {}});
    }
    cases[it->second].points.push_back(&target);
  }
  return blocks;
}

// Of one block, as seen from a source case: the targets under each answer of isolation.
struct View {
  Isolation isolation;
  std::uint64_t columns{0};
  std::vector<const TargetCase*> targets;
};

std::vector<View> views_of(const Reach& reach, const SourceCase& from,
                           const std::vector<TargetCase>& targets) {
  std::vector<View> views;
  for (const TargetCase& target : targets) {
    if ((target.families & from.families) == 0) continue;
    const Isolation isolation = reach.isolation(from.sender, *target.points.front());
    auto view = std::ranges::find(views, isolation, &View::isolation);
    if (view == views.end()) view = views.insert(views.end(), {isolation, 0, {}});
    view->columns |= std::uint64_t{1} << target.bit;
    view->targets.push_back(&target);
  }
  return views;
}

using Visit = std::function<bool(const Packets&)>;

// The packets of one source case to the targets of one block of columns.
class BlockWalk {
 public:
  BlockWalk(const Image& image, BlockTimes& times, bool let_by, const Visit& visit)
      : image_{image}, times_{times}, let_by_{let_by}, visit_{visit} {
    seen_.resize(image.cells().size() / image::kBlockColumns, 0);
  }

  // Answers whether `visit` did. A block that many rows share is looked at once.
  bool run(const SourceCase& from, std::uint32_t b, const std::vector<View>& views) {
    ++turn_;
    for (const SourceCase::Row& row : from.rows) {
      const std::uint32_t block = image_.block(row.number, b);
      if (seen_[block] == turn_) continue;
      seen_[block] = turn_;
      for (const View& view : views) {
        const auto masks = times_.of(block, view.isolation);
        const std::uint64_t hits = (let_by_ ? masks.allowed : masks.denied) & view.columns;
        if (hits != 0 && show(sources_of(from, b, block), block, view, hits)) return true;
      }
    }
    return false;
  }

 private:
  [[nodiscard]] std::vector<const SourcePoint*> sources_of(const SourceCase& from, std::uint32_t b,
                                                           std::uint32_t block) const {
    std::vector<const SourcePoint*> sources;
    for (const SourceCase::Row& row : from.rows) {
      if (image_.block(row.number, b) != block) continue;
      sources.insert(sources.end(), row.points.begin(), row.points.end());
    }
    return sources;
  }

  bool show(const std::vector<const SourcePoint*>& sources, std::uint32_t block, const View& view,
            std::uint64_t hits) {
    for (const TargetCase* const target : view.targets) {
      if ((hits >> target->bit & 1) == 0) continue;
      const image::Cell cell =
          image_.cells()[std::size_t{block} * image::kBlockColumns + target->bit];
      const WhenLetBy when = times_.cells().of(cell, view.isolation);
      if (visit_({sources, target->points, *(let_by_ ? when.allowed : when.denied),
                  when.allowed && when.denied})) {
        return true;
      }
    }
    return false;
  }

  const Image& image_;
  BlockTimes& times_;
  bool let_by_;
  const Visit& visit_;
  std::vector<std::uint32_t> seen_;  // by block: the turn in which it was last looked at
  std::uint32_t turn_{0};
};

}  // namespace

Prover::Prover(const Reach& reach, std::int64_t from)
    : reach_{reach}, blocks_{reach.image(), from} {}

bool Prover::find(const policy::AssertionPoints& points, bool let_by, const Visit& visit) {
  const Blocks blocks = group_targets(reach_, points);
  BlockWalk walk{reach_.image(), blocks_, let_by, visit};
  for (const SourceCase& from : group_sources(reach_, points)) {
    for (const auto& [b, targets] : blocks) {
      const std::vector<View> views = views_of(reach_, from, targets);
      if (!views.empty() && walk.run(from, b, views)) return true;
    }
  }
  return false;
}

}  // namespace meiguan::analysis
