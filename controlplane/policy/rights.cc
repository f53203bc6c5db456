#include "controlplane/policy/rights.h"

#include <algorithm>
#include <utility>

namespace meiguan::policy {
namespace {

// The edges at which what `nets` say of an address may change, from the first address of `family`.
std::vector<net::Address> edges(const std::vector<Selector>& nets, SpaceId space,
                                net::Family family) {
  std::set<net::Address> found;
  found.insert(family == net::Family::kIpv4 ? net::Address::v4(0) : net::Address::v6({}));
  for (const Selector& net : nets) {
    if (net.space != space || net.prefix.family() != family) continue;
    found.insert(net.prefix.address());
    const auto next = next_address(net.prefix.last());
    if (next && next->family() == family) found.insert(*next);
  }
  return {found.begin(), found.end()};
}

}  // namespace

Rights::Rights(const CheckedPolicy& policy, const UnitSets& units)
    : policy_{policy}, units_{units} {
  for (std::uint32_t i = 0; i < policy.services.size(); ++i) {
    if (!policy.services[i].offered_to.empty()) offers_.emplace_back(i);
  }
}

const PrefixIndex& Rights::prefixes() const {
  if (prefixes_ != nullptr) return *prefixes_;
  auto index = std::make_unique<PrefixIndex>();
  for (std::uint32_t u = 0; u < policy_.units.size(); ++u) {
    const Unit& unit = policy_.units[u];
    if (unit.zone.is_none()) continue;
    const SpaceId space = policy_.zones[unit.zone.index()].space;
    for (std::uint32_t i = 0; i < unit.prefixes.size(); ++i) {
      index->add(space, unit.prefixes[i], UnitId{u}, unit.node, i);
    }
  }
  static_cast<void>(index->build());
  prefixes_ = std::move(index);
  return *prefixes_;
}

bool Rights::is_by_units(std::span<const Selector> selectors) const {
  return std::ranges::all_of(selectors, [&](const Selector& s) {
    switch (s.kind) {
      case SelectorKind::kUnit:
      case SelectorKind::kNode:
      case SelectorKind::kTier:
      case SelectorKind::kLabel: return true;
      case SelectorKind::kGroup: return s.group.is_none() || is_by_units(s.group);
      default: return false;
    }
  });
}

bool Rights::is_by_units(GroupId group) const {
  if (const auto it = by_units_.find(group); it != by_units_.end()) return it->second;
  const Group& held = policy_.groups[group.index()];
  return by_units_[group] = is_by_units(held.members) && is_by_units(held.except);
}

void Rights::add(const Selector& selector, const Where& where, Set& out) const {
  const auto add_if = [&](bool matches) {
    if (matches) out = Set{out.size(), true};
  };
  switch (selector.kind) {
    case SelectorKind::kAny: add_if(true); return;
    case SelectorKind::kZone:
      add_if(selector.zone.is_some() && selector.zone == where.zone);
      return;
    case SelectorKind::kNet:
      add_if(where.address && selector.space == where.space &&
             selector.prefix.contains(*where.address));
      return;
    case SelectorKind::kGroup:
      if (selector.group.is_some()) out |= of_group(selector.group, where);
      return;
    case SelectorKind::kUnit:
    case SelectorKind::kNode:
    case SelectorKind::kTier:
    case SelectorKind::kLabel:
      for (const UnitId unit : units_.of(selector)) out.set(unit.index());
      return;
    case SelectorKind::kService:
    case SelectorKind::kServices: return;  // check() refuses them on this side
  }
}

const Rights::Set& Rights::of_group(GroupId id, const Where& where) const {
  std::map<GroupId, Set>& found = is_by_units(id) ? groups_by_units_ : groups_here_;
  if (const auto it = found.find(id); it != found.end()) return it->second;
  const Group& group = policy_.groups[id.index()];
  return found.emplace(id, matching(group.members, group.except, where)).first->second;
}

Rights::Set Rights::matching(std::span<const Selector> selectors, std::span<const Selector> except,
                             const Where& where) const {
  Set result{policy_.units.size() + 1};
  for (const Selector& s : selectors) add(s, where, result);
  if (!except.empty()) {
    Set without{result.size()};
    for (const Selector& s : except) add(s, where, without);
    result.remove(without);
  }
  return result;
}

Rights::Set Rights::by_any_port(const Rule& rule, Where where) const {
  Set result{policy_.units.size() + 1};
  for (std::uint16_t zone = 0; zone < policy_.zones.size(); ++zone) {
    if (policy_.zones[zone].space != where.space) continue;
    where.zone = ZoneId{zone};
    groups_here_.clear();
    result |= matching(rule.from, rule.except_from, where);
  }
  return result;
}

void Rights::add_nets(std::span<const Selector> selectors, std::set<GroupId>& seen,
                      std::vector<Selector>& out) const {
  for (const Selector& s : selectors) {
    if (s.kind == SelectorKind::kNet) out.push_back(s);
    if (s.kind != SelectorKind::kGroup || s.group.is_none() || is_by_units(s.group)) continue;
    if (!seen.insert(s.group).second) continue;
    add_nets(policy_.groups[s.group.index()].members, seen, out);
    add_nets(policy_.groups[s.group.index()].except, seen, out);
  }
}

// Between two edges of the nets that the rule names, what it matches depends on the unit alone.
Senders Rights::by_addresses(const Rule& rule) const {
  std::vector<Selector> nets;
  std::set<GroupId> seen;
  add_nets(rule.from, seen, nets);
  add_nets(rule.except_from, seen, nets);
  Set matched{policy_.units.size()};
  Set addressed{policy_.units.size()};
  for (const UnitId unit : prefixes().owners()) addressed.set(unit.index());
  bool others = false;
  for (std::uint16_t s = 0; s < policy_.space_count; ++s) {
    const SpaceId space{s};
    for (const net::Family family : {net::Family::kIpv4, net::Family::kIpv6}) {
      const std::vector<net::Address> starts = edges(nets, space, family);
      for (std::size_t i = 0; i < starts.size() && !others; ++i) {
        const Set set = by_any_port(rule, {starts[i], space, {}});
        const auto end = i + 1 < starts.size() ? std::optional{starts[i + 1]} : std::nullopt;
        prefixes().for_each_owner(space, starts[i], end, [&](UnitId owner) {
          if (owner.is_none()) {
            others = set.test(policy_.units.size());
          } else if (set.test(owner.index())) {
            matched.set(owner.index());
          }
          return !others;
        });
      }
    }
    const Set by_name = by_any_port(rule, {std::nullopt, space, {}});
    for (std::uint32_t u = 0; u < policy_.units.size(); ++u) {
      const ZoneId zone = policy_.units[u].zone;
      if (zone.is_none() || policy_.zones[zone.index()].space != space) continue;
      if (!addressed.test(u) && by_name.test(u)) matched.set(u);
    }
  }
  Senders senders{others, {}};
  for (const std::uint32_t u : matched.list()) senders.units.emplace_back(u);
  return senders;
}

Senders Rights::senders(const Rule& rule) const {
  if (!is_by_units(rule.from) || !is_by_units(rule.except_from)) return by_addresses(rule);
  Senders senders;
  for (const std::uint32_t u : matching(rule.from, rule.except_from, {}).list()) {
    senders.units.emplace_back(u);
  }
  return senders;
}

std::optional<UnitId> Rights::not_offered(ServiceId service, const Senders& senders) const {
  auto it = offered_to_.find(service);
  if (it == offered_to_.end()) {
    const Service& object = policy_.services[service.index()];
    it = offered_to_.emplace(service, matching(object.offered_to, {}, {})).first;
  }
  for (const UnitId unit : senders.units) {
    if (!it->second.test(unit.index())) return unit;
  }
  return std::nullopt;
}

bool Rights::are_own(const Senders& senders, NodeId node) const {
  return !senders.others && !senders.units.empty() &&
         std::ranges::all_of(senders.units, [&](UnitId unit) {
           return policy_.is_within(policy_.units[unit.index()].node, node);
         });
}

// Whether `selectors`, a rule's `to`, may name the service; a group may name any.
bool Rights::names(std::span<const Selector> selectors, ServiceId service) const {
  const auto& labels = policy_.services[service.index()].labels;
  return std::ranges::any_of(selectors, [&](const Selector& s) {
    switch (s.kind) {
      case SelectorKind::kService: return s.service == service;
      case SelectorKind::kServices: return std::ranges::find(labels, s.text) != labels.end();
      case SelectorKind::kGroup: return true;
      default: return false;
    }
  });
}

std::vector<ServiceId> Rights::offered(const Rule& rule) const {
  std::vector<ServiceId> found;
  std::optional<Senders> asked;
  for (const ServiceId service : offers_) {
    const NodeId above = policy_.services[service.index()].node;
    if (above == rule.node || !policy_.is_within(rule.node, above)) continue;
    if (!names(rule.to, service)) continue;
    if (!asked) {
      asked = senders(rule);
      if (!are_own(*asked, rule.node)) return found;
    }
    if (!not_offered(service, *asked)) found.push_back(service);
  }
  return found;
}

}  // namespace meiguan::policy
