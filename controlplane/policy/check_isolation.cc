// A rule whose selectors' zones could only ever meet where isolation drops everything is a mistake
// of its author: it would never match a packet.

#include <string>
#include <unordered_map>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

using image::Isolation;
using image::isolation;

// The zones in which what a selector matches can be. `unknown` where an error elsewhere keeps one
// from being known; then nothing is said.
struct Reach {
  ZoneBits zones;
  bool unknown{false};
};

constexpr std::array<std::string_view, image::kZoneKinds> kKindNames{"internet", "dmz",
                                                                     "extranet", "exchange",
                                                                     "private",  "management"};

class ZoneReach {
 public:
  explicit ZoneReach(Checking& checking)
      : checking_{checking}, nodes_(checking.policy.nodes.size()) {
    const CheckedPolicy& policy = checking.policy;
    for (const Unit& unit : policy.units) {
      add(nodes_[unit.node.index()], unit.zone);
      add(tiers_[static_cast<std::size_t>(policy.nodes[unit.node.index()].tier)], unit.zone);
      for (const std::string& label : unit.labels) add(labels_[label], unit.zone);
    }
    for (std::size_t i = nodes_.size(); i-- > 1;) {
      const NodeId parent = policy.nodes[i].parent;
      if (parent.is_some()) merge(nodes_[parent.index()], nodes_[i]);
    }
    for (const Service& service : policy.services) {
      for (const std::string& label : service.labels) add(service_labels_[label], service.zone);
    }
    for (std::size_t i = 0; i < policy.zones.size(); ++i) {
      const ZoneId zone{static_cast<std::uint16_t>(i)};
      add(any_, zone);
      if (policy.zones[i].kind != ZoneKind::kPrivate) add(shared_, zone);
    }
    groups_.resize(policy.groups.size());
    for (const std::uint32_t group : checking.group_order) {
      groups_[group] = of(policy.groups[group].members);
    }
  }

  [[nodiscard]] Reach of(const std::vector<Selector>& selectors) const {
    Reach reach;
    for (const Selector& selector : selectors) merge(reach, of(selector));
    return reach;
  }

 private:
  static void merge(Reach& into, const Reach& from) {
    into.zones |= from.zones;
    into.unknown = into.unknown || from.unknown;
  }

  void add(Reach& reach, ZoneId zone) const {
    if (checking_.has_zone_kind(zone)) {
      reach.zones.set(zone.index());
    } else {
      reach.unknown = true;
    }
  }

  [[nodiscard]] Reach of_zone(ZoneId zone) const {
    Reach reach;
    add(reach, zone);
    return reach;
  }

  template <typename Map>
  [[nodiscard]] static Reach find(const Map& map, const std::string& label) {
    const auto it = map.find(label);
    return it == map.end() ? Reach{} : it->second;
  }

  [[nodiscard]] Reach of_net(const Selector& selector) const {
    if (selector.zone.is_some()) {
      // A shared zone after @ is an error of its own, and there is no telling what was meant.
      const bool is_private = checking_.policy.zones[selector.zone.index()].kind ==
                              ZoneKind::kPrivate;
      return is_private ? of_zone(selector.zone) : Reach{{}, true};
    }
    // All of it one unit's: then its zone is known. Otherwise an address of no unit may come by any
    // zone of the shared space.
    const auto cover = checking_.unit_prefixes.longest_cover(kSharedSpace, selector.prefix);
    if (cover == PrefixIndex::kNone) return shared_;
    const UnitId unit = checking_.unit_prefixes.entries()[cover].unit;
    return of_zone(checking_.policy.units[unit.index()].zone);
  }

  [[nodiscard]] Reach of(const Selector& selector) const {
    const CheckedPolicy& policy = checking_.policy;
    const Reach unknown{{}, true};
    switch (selector.kind) {
      case SelectorKind::kAny: return any_;
      case SelectorKind::kUnit:
        return selector.unit.is_none() ? unknown
                                       : of_zone(policy.units[selector.unit.index()].zone);
      case SelectorKind::kNode:
        return selector.node.is_none() ? unknown : nodes_[selector.node.index()];
      case SelectorKind::kTier: return tiers_[static_cast<std::size_t>(selector.tier)];
      case SelectorKind::kLabel: return find(labels_, selector.text);
      case SelectorKind::kGroup:
        return selector.group.is_none() ? unknown : groups_[selector.group.index()];
      case SelectorKind::kZone: return of_zone(selector.zone);
      case SelectorKind::kNet: return of_net(selector);
      case SelectorKind::kService:
        return selector.service.is_none() ? unknown
                                          : of_zone(policy.services[selector.service.index()].zone);
      case SelectorKind::kServices: return find(service_labels_, selector.text);
    }
    return unknown;
  }

  const Checking& checking_;
  Reach any_;
  Reach shared_;
  std::vector<Reach> nodes_;
  std::array<Reach, 5> tiers_;
  std::vector<Reach> groups_;
  std::unordered_map<std::string, Reach> labels_;
  std::unordered_map<std::string, Reach> service_labels_;
};

// The zones of a reach by kind.
using KindBits = std::array<ZoneBits, image::kZoneKinds>;

class IsolationCheck {
 public:
  explicit IsolationCheck(Checking& checking) : checking_{checking}, reach_{checking} {
    const auto& zones = checking.policy.zones;
    for (std::size_t i = 0; i < zones.size(); ++i) {
      of_kind_[static_cast<std::size_t>(zones[i].kind)].set(i);
    }
  }

  void check(const Rule& rule) const {
    const Reach from = reach_.of(rule.from);
    const Reach to = reach_.of(rule.to);
    // A list that nothing matches is a lint and not this error.
    if (from.unknown || to.unknown || from.zones.none() || to.zones.none()) return;
    std::string cells;
    for (std::size_t row = 0; row < image::kZoneKinds; ++row) {
      const ZoneBits sources = from.zones & of_kind_[row];
      if (sources.none()) continue;
      for (std::size_t column = 0; column < image::kZoneKinds; ++column) {
        const ZoneBits targets = to.zones & of_kind_[column];
        if (targets.none()) continue;
        const auto cell = dropping_cell(row, column, sources, targets);
        if (cell.empty()) return;
        if (!cells.empty()) cells += ", ";
        cells += cell;
      }
    }
    checking_.reporter.error(rule.place,
                             say("the rule can never match, isolation drops all of it: {}",
                                 "该规则永远不会匹配，其流量全部被隔离表丢弃：{}", cells),
                             say("see `meiguan isolation show`", "参见 `meiguan isolation show`"));
  }

 private:
  // `from internet to extranet (internet-isolated)`, or nothing where something passes.
  static std::string dropping_cell(std::size_t row, std::size_t column, const ZoneBits& sources,
                                   const ZoneBits& targets) {
    const auto from = static_cast<ZoneKind>(row);
    const auto to = static_cast<ZoneKind>(column);
    const bool may_be_same = (sources & targets).any();
    const Isolation answer = isolation(from, to, may_be_same);
    if (!answer.dropped()) return {};
    const bool is_internet = (answer.bits & Isolation::kInternetIsolated) != 0;
    const bool both_private = from == ZoneKind::kPrivate && to == ZoneKind::kPrivate;
    return fmt::format("from {} to {} ({})", kKindNames[row],
                       both_private ? "private (other)" : kKindNames[column],
                       is_internet ? "internet-isolated" : "zone-isolated");
  }

  Checking& checking_;
  ZoneReach reach_;
  KindBits of_kind_;
};

}  // namespace

void check_isolation(Checking& checking) {
  const IsolationCheck check(checking);
  for (const Rule& rule : checking.policy.rules) check.check(rule);
}

}  // namespace meiguan::policy
