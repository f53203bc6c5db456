#include "controlplane/policy/compile_selectors.h"

#include <algorithm>
#include <utility>

namespace meiguan::policy {
namespace {

template <typename Id>
Id id_of(std::size_t index) {
  return Id{static_cast<std::uint32_t>(index)};
}

}  // namespace

ZoneColumns::ZoneColumns(const CheckedPolicy& policy) : column_(policy.zones.size(), 0) {
  const auto visit = [&](std::span<const Selector> selectors) {
    for (const Selector& s : selectors) {
      if (s.kind == SelectorKind::kZone) column_[s.zone.index()] = 1;
    }
  };
  for (const Rule& rule : policy.rules) {
    visit(rule.from);
    visit(rule.except_from);
    visit(rule.to);
    visit(rule.except_to);
  }
  for (const Assertion& assertion : policy.assertions) {
    visit(assertion.from);
    visit(assertion.except_from);
    visit(assertion.to);
    visit(assertion.except_to);
  }
  for (const Egress& egress : policy.egresses) visit(egress.from);
  for (const Group& group : policy.groups) {
    visit(group.members);
    visit(group.except);
  }
  for (std::size_t& column : column_) {
    if (column != 0) column = count_++;
  }
}

SourcePoints::SourcePoints(const CheckedPolicy& policy, const AddressPlan& plan,
                           const ZoneColumns& columns, const UnitSets& units)
    : policy_{policy}, plan_{plan}, columns_{columns}, units_{units} {
  std::map<SourceGroup, std::uint32_t> numbers;
  for (const PlannedAtom& atom : plan.atoms) {
    const SourceGroup group{atom.unit, atom.nets};
    const auto [it, is_new] = numbers.try_emplace(group,
                                                  static_cast<std::uint32_t>(groups_.size()));
    if (is_new) groups_.push_back(group);
    group_of_atom_.push_back(it->second);
  }
  groups_of_unit_.resize(policy.units.size());
  groups_of_net_.resize(plan.nets.size());
  for (std::uint32_t g = 0; g < groups_.size(); ++g) {
    if (groups_[g].unit.is_some()) groups_of_unit_[groups_[g].unit.index()].push_back(g);
    for (const std::uint32_t net : groups_[g].nets) groups_of_net_[net].push_back(g);
  }
}

void SourcePoints::add(const Selector& selector, Bits& out) const {
  switch (selector.kind) {
    case SelectorKind::kAny: out = Bits{size(), true}; return;
    case SelectorKind::kUnit:
    case SelectorKind::kNode:
    case SelectorKind::kTier:
    case SelectorKind::kLabel:
      for (const UnitId unit : units_.of(selector)) {
        for (const std::uint32_t group : groups_of_unit_[unit.index()]) add_group(group, out);
      }
      return;
    case SelectorKind::kGroup: out |= of_group(selector.group); return;
    case SelectorKind::kZone:
      for (std::size_t g = 0; g < groups_.size(); ++g) {
        out.set(point(g, columns_.of(selector.zone)));
      }
      return;
    case SelectorKind::kNet:
      for (const std::uint32_t group :
           groups_of_net_[plan_.net_index(selector.space, selector.prefix)]) {
        add_group(group, out);
      }
      return;
    case SelectorKind::kService:
    case SelectorKind::kServices: return;  // check() refuses them on this side
  }
}

const Bits& SourcePoints::of_group(GroupId id) const {
  if (const auto it = found_.find(id); it != found_.end()) return it->second;
  const Group& group = policy_.groups[id.index()];
  return found_.emplace(id, matching(group.members, group.except)).first->second;
}

Bits SourcePoints::matching(std::span<const Selector> selectors,
                            std::span<const Selector> except) const {
  Bits result{size()};
  for (const Selector& s : selectors) add(s, result);
  if (!except.empty()) {
    Bits without{size()};
    for (const Selector& s : except) add(s, without);
    result.remove(without);
  }
  return result;
}

TargetPoints::TargetPoints(const CheckedPolicy& policy, const AddressPlan& plan,
                           const TargetPlan& targets, const ZoneColumns& columns,
                           const UnitSets& units)
    : policy_{policy},
      plan_{plan},
      targets_{targets},
      columns_{columns},
      units_{units},
      targets_of_unit_(policy.units.size()),
      targets_of_net_(plan.nets.size()),
      targets_of_service_(policy.services.size()),
      rights_{policy, units} {
  for (std::uint32_t t = 0; t < targets.targets.size(); ++t) {
    const PlannedTarget& target = targets.targets[t];
    if (target.unit.is_some()) targets_of_unit_[target.unit.index()].push_back(t);
    for (const std::uint32_t net : plan.atoms[target.atom].nets) targets_of_net_[net].push_back(t);
    for (const ServiceId s : target.services) targets_of_service_[s.index()].push_back(t);
  }
}

void TargetPoints::add_service(ServiceId id, const Opener& opener, TargetMatch& out) const {
  const Service& service = policy_.services[id.index()];
  if (!policy_.is_within(service.node, opener.node) &&
      !std::ranges::binary_search(opener.offered, id)) {
    return;
  }
  for (const std::uint32_t target : targets_of_service_[id.index()]) {
    add_target(target, out.any);
    add_target(target, out.service);
    if (!service.publish) add_target(target, out.unpublished);
  }
}

void TargetPoints::add(const Selector& selector, const Opener& opener, TargetMatch& out) const {
  switch (selector.kind) {
    case SelectorKind::kAny: out.any = Bits{size(), true}; return;
    case SelectorKind::kUnit:
    case SelectorKind::kNode:
    case SelectorKind::kTier:
    case SelectorKind::kLabel:
      for (const UnitId unit : units_.of(selector)) {
        if (!policy_.is_within(policy_.units[unit.index()].node, opener.node)) continue;
        for (const std::uint32_t target : targets_of_unit_[unit.index()]) {
          add_target(target, out.any);
        }
      }
      return;
    case SelectorKind::kGroup: {
      const TargetMatch& match = of_group(selector.group, opener);
      out.any |= match.any;
      out.service |= match.service;
      out.unpublished |= match.unpublished;
      return;
    }
    case SelectorKind::kZone:
      for (std::size_t t = 0; t < targets_.targets.size(); ++t) {
        out.any.set(point(t, columns_.of(selector.zone)));
        // Without a gateway: the zone of any object of the destination.
        if (std::ranges::binary_search(targets_.targets[t].zones, selector.zone)) {
          out.any.set(point(t, columns_.objects()));
        }
      }
      return;
    case SelectorKind::kNet:
      for (const std::uint32_t target :
           targets_of_net_[plan_.net_index(selector.space, selector.prefix)]) {
        add_target(target, out.any);
      }
      return;
    case SelectorKind::kService: add_service(selector.service, opener, out); return;
    case SelectorKind::kServices:
      for (std::size_t i = 0; i < policy_.services.size(); ++i) {
        const auto& labels = policy_.services[i].labels;
        if (std::ranges::find(labels, selector.text) != labels.end()) {
          add_service(id_of<ServiceId>(i), opener, out);
        }
      }
      return;
  }
}

const TargetMatch& TargetPoints::of_group(GroupId id, const Opener& opener) const {
  Found& found = opener == found_by_root_.opener ? found_by_root_ : found_below_;
  if (found.opener != opener) found = {opener, {}};
  if (const auto it = found.matches.find(id); it != found.matches.end()) return it->second;
  const Group& group = policy_.groups[id.index()];
  return found.matches.emplace(id, match_list(group.members, group.except, opener)).first->second;
}

TargetMatch TargetPoints::match_list(std::span<const Selector> selectors,
                                     std::span<const Selector> except, const Opener& opener) const {
  TargetMatch match{Bits{size()}, Bits{size()}, Bits{size()}};
  for (const Selector& s : selectors) add(s, opener, match);
  if (!except.empty()) {
    // What is left out is left out whoever owns it.
    TargetMatch without{Bits{size()}, Bits{size()}, Bits{size()}};
    for (const Selector& s : except) add(s, found_by_root_.opener, without);
    match.any.remove(without.any);
    match.service.remove(without.any);
    match.unpublished.remove(without.any);
  }
  return match;
}

// Ports that a rule names cut every atom that the rule can reach, so that one key of a target
// stands for all of its keys.
void TargetPoints::narrow(std::span<const PortMatch> ports, TargetMatch& match) const {
  std::size_t target = targets_.targets.size();  // the one asked last
  bool passes = false;
  for (const std::uint32_t p : match.any.list()) {
    if (target_of(p) != target) {
      target = target_of(p);
      const std::uint32_t key = targets_.targets[target].key;
      passes = std::ranges::any_of(ports, [&](const PortMatch& m) { return matches(m, key); });
    }
    if (passes) continue;
    match.any.reset(p);
    match.service.reset(p);
    match.unpublished.reset(p);
  }
}

TargetPoints::Opener TargetPoints::opener(const Rule& rule) const {
  const bool may_open_all = rule.action != Action::kAllow || rule.node == NodeId{0};
  return may_open_all ? found_by_root_.opener : Opener{rule.node, rights_.offered(rule)};
}

TargetMatch TargetPoints::matching(const Rule& rule, const Opener& opener) const {
  TargetMatch match = match_list(rule.to, rule.except_to, opener);
  if (!rule.ports.empty()) narrow(rule.ports, match);
  return match;
}

Bits TargetPoints::matching(const Assertion& assertion) const {
  TargetMatch match = match_list(assertion.to, assertion.except_to, found_by_root_.opener);
  if (!assertion.ports.empty()) narrow(assertion.ports, match);
  return std::move(match.any);
}

}  // namespace meiguan::policy
