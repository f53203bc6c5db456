#include "controlplane/analysis/semantic_diff.h"

#include <algorithm>
#include <map>
#include <optional>
#include <set>
#include <tuple>
#include <unordered_map>
#include <utility>

#include "controlplane/analysis/joint_times.h"
#include "controlplane/analysis/names.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {
namespace {

using image::Image;
using image::Isolation;
using image::kNone;
using net::Family;

// Sources or targets that both matrices and both isolations treat alike.
template <typename Point>
struct Class {
  const Point* first{nullptr};
  std::vector<const Point*> points;
};
using SourceClass = Class<JointSource>;
using TargetClass = Class<JointTarget>;

template <typename Point, typename Key>
std::vector<Class<Point>> classify(const std::vector<Point>& points, const Key& key_of) {
  std::map<decltype(key_of(points.front())), std::size_t> numbers;
  std::vector<Class<Point>> classes;
  for (const Point& point : points) {
    const auto [it, is_new] = numbers.try_emplace(key_of(point), classes.size());
    if (is_new) classes.push_back({&point, {}});
    classes[it->second].points.push_back(&point);
  }
  return classes;
}

// A target class to which access changes.
struct Difference {
  std::uint32_t target{0};
  WhenDiffers when;
};

// Compares all classes; what it finds is listed once for each pair of blocks, and for each source
// class it is known which lists are its.
class Comparison {
 public:
  Comparison(const Sides<PolicySide>& sides, const JointPoints& points, std::int64_t from)
      : sides_{sides}, times_{sides, from} {
    sources_ = classify(points.sources, [](const JointSource& s) {
      return std::tuple{s.sides[0].sender, s.sides[1].sender, s.families, s.sides[0].row,
                        s.sides[1].row};
    });
    targets_ = classify(points.targets, [&](const JointTarget& t) {
      return std::tuple{t.sides[0].column, t.sides[1].column,
                        isolation_key_of(*sides[0].image, t.sides[0]),
                        isolation_key_of(*sides[1].image, t.sides[1]), t.families};
    });
    lists_.emplace_back();
    of_source_.resize(sources_.size());
    compare();
  }

  [[nodiscard]] const std::vector<SourceClass>& sources() const { return sources_; }
  [[nodiscard]] const std::vector<TargetClass>& targets() const { return targets_; }
  [[nodiscard]] const std::vector<Difference>& list(std::uint32_t number) const {
    return lists_[number];
  }
  [[nodiscard]] const std::vector<std::uint32_t>& lists_of(std::size_t source) const {
    return of_source_[source];
  }

 private:
  using BlockPair = Sides<std::uint32_t>;

  // The targets of one pair of blocks, with what isolation answers from a pair of zones.
  struct View {
    std::uint32_t target;
    Sides<Isolation> isolation;
  };

  void compare() {
    std::map<BlockPair, std::vector<std::uint32_t>> groups;
    for (std::uint32_t t = 0; t < targets_.size(); ++t) {
      BlockPair blocks{kNone, kNone};
      for (const std::size_t side : {kBefore, kAfter}) {
        const std::uint32_t column = targets_[t].first->sides[side].column;
        if (column != kNone) blocks[side] = column / image::kBlockColumns;
      }
      groups[blocks].push_back(t);
    }
    // Sources by what isolation sees of them.
    std::map<std::tuple<Sender, Sender, Families>, std::vector<std::uint32_t>> cases;
    for (std::uint32_t s = 0; s < sources_.size(); ++s) {
      const JointSource& first = *sources_[s].first;
      cases[{first.sides[0].sender, first.sides[1].sender, first.families}].push_back(s);
    }
    for (const auto& [zones, sources] : cases) {
      for (const auto& [blocks, targets] : groups) {
        const auto views = views_of(*sources_[sources.front()].first, targets);
        if (!views.empty()) compare_group(blocks, views, sources);
      }
    }
  }

  [[nodiscard]] std::vector<View> views_of(const JointSource& from,
                                           const std::vector<std::uint32_t>& targets) const {
    std::vector<View> views;
    for (const std::uint32_t t : targets) {
      const JointTarget& to = *targets_[t].first;
      if ((to.families & from.families) == 0) continue;
      View view{t, {}};
      bool dropped = true;
      for (const std::size_t side : {kBefore, kAfter}) {
        view.isolation[side].bits = Isolation::kZoneIsolated;
        if (from.sides[side].row == kNone || to.sides[side].column == kNone) continue;
        view.isolation[side] = isolation_of(*sides_[side].image, from.sides[side].sender,
                                            to.sides[side]);
        fastpath::Reason reason{};
        dropped = dropped && fastpath::drops(view.isolation[side], reason);
      }
      if (!dropped) views.push_back(view);
    }
    return views;
  }

  void compare_group(const BlockPair& blocks, const std::vector<View>& views,
                     const std::vector<std::uint32_t>& sources) {
    std::unordered_map<std::uint64_t, std::uint32_t> known;  // list by the two blocks' numbers
    std::uint64_t last_key = ~std::uint64_t{0};
    std::uint32_t last_list = 0;
    for (const std::uint32_t s : sources) {
      const JointSource& from = *sources_[s].first;
      BlockPair numbers{kNone, kNone};
      for (const std::size_t side : {kBefore, kAfter}) {
        if (blocks[side] == kNone || from.sides[side].row == kNone) continue;
        numbers[side] = sides_[side].image->block(from.sides[side].row, blocks[side]);
      }
      const std::uint64_t key = std::uint64_t{numbers[0]} << 32 | numbers[1];
      if (key != last_key) {
        const auto [it, is_new] = known.try_emplace(key, 0);
        if (is_new) it->second = compare_blocks(numbers, views);
        last_key = key;
        last_list = it->second;
      }
      if (last_list != 0) of_source_[s].push_back(last_list);
    }
  }

  // The number of the list of what differs; 0 where nothing does.
  std::uint32_t compare_blocks(const BlockPair& numbers, const std::vector<View>& views) {
    std::vector<Difference> found;
    for (const View& view : views) {
      const JointTarget& to = *targets_[view.target].first;
      Sides<Answer> answers;
      for (const std::size_t side : {kBefore, kAfter}) {
        if (numbers[side] == kNone || to.sides[side].column == kNone) continue;
        const auto& cells = sides_[side].image->cells();
        answers[side] = {cells[std::size_t{numbers[side]} * image::kBlockColumns +
                               to.sides[side].column % image::kBlockColumns],
                         view.isolation[side]};
      }
      const WhenDiffers when = times_.of(answers);
      if (when.gains || when.loses) found.push_back({view.target, when});
    }
    if (found.empty()) return 0;
    lists_.push_back(std::move(found));
    return static_cast<std::uint32_t>(lists_.size() - 1);
  }

  const Sides<PolicySide>& sides_;
  JointTimes times_;
  std::vector<SourceClass> sources_;
  std::vector<TargetClass> targets_;
  std::vector<std::vector<Difference>> lists_;
  std::vector<std::vector<std::uint32_t>> of_source_;
};

// From classes to units and services.
class Teller {
 public:
  Teller(const Sides<PolicySide>& sides, const Comparison& found)
      : sides_{sides}, found_{found}, names_{Names{*sides[0].catalog}, Names{*sides[1].catalog}} {}

  AccessChanges tell(std::size_t most) {
    AccessChanges result;
    std::set<std::tuple<bool, ChangeEnd, ChangeEnd>> told;
    // Sources with the same lists see the same destinations change.
    std::map<std::vector<std::uint32_t>, std::vector<std::size_t>> alike;
    for (std::size_t s = 0; s < found_.sources().size(); ++s) {
      if (!found_.lists_of(s).empty()) alike[found_.lists_of(s)].push_back(s);
    }
    for (const auto& [lists, sources] : alike) {
      for (const bool gains : {true, false}) {
        const auto ends = destinations(lists, gains);
        // Where none gains (loses), the sources may have no address space after (before).
        if (ends.empty()) continue;
        for (const std::size_t s : sources) {
          for (const JointSource* const source : found_.sources()[s].points) {
            const ChangeEnd from = end_of(*source, gains ? kAfter : kBefore);
            for (const auto& [to, hit] : ends) {
              if ((hit.target->families & source->families) == 0) continue;
              if (!told.insert({gains, from, to}).second) continue;
              if (result.changes.size() == most) {
                result.all = false;
                return sorted(std::move(result));
              }
              result.changes.push_back({gains, from, to, example(*source, hit, gains)});
            }
          }
        }
      }
    }
    return sorted(std::move(result));
  }

 private:
  struct Hit {
    const JointTarget* target;
    WhenDiffers when;
  };

  static AccessChanges sorted(AccessChanges result) {
    std::ranges::sort(result.changes, [](const AccessChange& a, const AccessChange& b) {
      return std::tie(a.from.node, a.from, a.to, b.gains) <
             std::tie(b.from.node, b.from, b.to, a.gains);
    });
    return result;
  }

  // What the targets of some lists are called, each with one target so called.
  [[nodiscard]] std::vector<std::pair<ChangeEnd, Hit>> destinations(
      const std::vector<std::uint32_t>& lists, bool gains) const {
    std::map<std::pair<ChangeEnd, Families>, Hit> ends;
    for (const std::uint32_t list : lists) {
      for (const Difference& difference : found_.list(list)) {
        if (!(gains ? difference.when.gains : difference.when.loses)) continue;
        for (const JointTarget* const target : found_.targets()[difference.target].points) {
          ends.try_emplace({end_of(*target, gains ? kAfter : kBefore), target->families},
                           Hit{target, difference.when});
        }
      }
    }
    std::vector<std::pair<ChangeEnd, Hit>> result;
    for (const auto& [key, hit] : ends) result.emplace_back(key.first, hit);
    return result;
  }

  [[nodiscard]] ChangeEnd zone_end(std::size_t side, ZoneId zone) const {
    return {ChangeEnd::Kind::kZone, std::string{names_[side].zone_id(zone)}, {}, {}, {}};
  }
  [[nodiscard]] ChangeEnd named(std::size_t side, ChangeEnd::Kind kind, const std::string& id,
                                const std::string& name, NodeId node) const {
    ChangeEnd end{kind, id, name, {}, {}};
    if (node.is_some()) {
      const auto& known = sides_[side].catalog->nodes[node.index()];
      end.node = known.code;
      end.node_name = known.name;
    }
    return end;
  }
  [[nodiscard]] ChangeEnd unit_end(std::size_t side, std::uint32_t unit, ZoneId zone) const {
    if (unit == kNone) return zone_end(side, zone);
    const auto& known = *names_[side].unit(UnitId{unit});
    return named(side, ChangeEnd::Kind::kUnit, known.id, known.name, known.node);
  }
  [[nodiscard]] ChangeEnd end_of(const JointSource& source, std::size_t side) const {
    const SourceSide& here = source.sides[side];
    return unit_end(side, sides_[side].image->atoms()[here.atom].unit, here.zone);
  }
  [[nodiscard]] ChangeEnd end_of(const JointTarget& target, std::size_t side) const {
    const TargetSide& here = target.sides[side];
    const Image& image = *sides_[side].image;
    const std::uint32_t service = image.targets()[here.target].service;
    if (service != kNone) {
      const auto& known = *names_[side].service(ServiceId{service});
      return named(side, ChangeEnd::Kind::kService, known.id, known.name, known.node);
    }
    return unit_end(side, unit_of(target, side), here.zone);
  }
  [[nodiscard]] std::uint32_t unit_of(const JointTarget& target, std::size_t side) const {
    const Family family = (target.families & kHasV4) != 0 ? Family::kIpv4 : Family::kIpv6;
    const auto& address = target.ranges[index_of(family)].first;
    return sides_[side].image->atom_at(target.sides[side].space, address).unit;
  }

  [[nodiscard]] ChangeExample example(const JointSource& source, const Hit& hit, bool gains) const {
    const JointTarget& target = *hit.target;
    const Family family = (source.families & target.families & kHasV4) != 0 ? Family::kIpv4
                                                                            : Family::kIpv6;
    const JointRange& from = source.ranges[index_of(family)];
    const JointRange& to = target.ranges[index_of(family)];
    const std::uint32_t key = target.keys[index_of(family)];
    ChangeExample example;
    example.from = sample_addresses(from.first, from.last).front();
    example.to = {sample_addresses(to.first, to.last).front(),
                  {static_cast<std::uint8_t>(key >> 16), static_cast<std::uint16_t>(key & 0xffff)}};
    example.at = *(gains ? hit.when.gains : hit.when.loses);
    example.timed = hit.when.timed;
    const std::size_t shown = gains ? kAfter : kBefore;
    example.from_zone = names_[shown].zone_id(source.sides[shown].zone);
    example.to_zone = names_[shown].zone_id(zone_of(target, shown));
    for (const std::size_t side : {kBefore, kAfter}) {
      example.decisions[side] = decide(side, source, target, example);
    }
    return example;
  }

  // The zone that was assumed, or one of the objects'.
  [[nodiscard]] ZoneId zone_of(const JointTarget& target, std::size_t side) const {
    const TargetSide& here = target.sides[side];
    if (here.zone.is_some()) return here.zone;
    const Image& image = *sides_[side].image;
    const auto& set = image.zone_sets()[image.targets()[here.target].zone_set];
    std::size_t zone = 0;
    while ((set.zones[zone / 64] >> zone % 64 & 1) == 0) ++zone;
    return ZoneId{static_cast<ZoneId::rep>(zone)};
  }

  [[nodiscard]] fastpath::Decision decide(std::size_t side, const JointSource& source,
                                          const JointTarget& target,
                                          const ChangeExample& example) const {
    const SourceSide& from = source.sides[side];
    const TargetSide& to = target.sides[side];
    fastpath::Decision none;
    none.reason = fastpath::Reason::kZoneIsolated;
    if (from.row == kNone || to.column == kNone) return none;
    const Image& image = *sides_[side].image;
    const auto subject = fastpath::find_subject(image, from.space, example.from, from.zone);
    auto found = fastpath::find_target(image, to.space, example.to.address, example.to.protocol,
                                       ZoneId{});
    found.assumed_zone = to.zone;
    return fastpath::decide(image, image::Moment{image, example.at}, subject, found).decision;
  }

  const Sides<PolicySide>& sides_;
  const Comparison& found_;
  Sides<Names> names_;
};

}  // namespace

AccessChanges diff_access(const Sides<PolicySide>& sides, std::int64_t from, std::size_t most) {
  const JointPoints points = join(sides);
  const Comparison found{sides, points, from};
  return Teller{sides, found}.tell(most);
}

}  // namespace meiguan::analysis
