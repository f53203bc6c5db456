#include "controlplane/policy/nat_scope.h"

#include <algorithm>

#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

bool names_unit(const CheckedPolicy& policy, const Selector& s, const Unit& unit) {
  const auto has = [](const std::vector<std::string>& labels, const std::string& label) {
    return std::ranges::find(labels, label) != labels.end();
  };
  switch (s.kind) {
    case SelectorKind::kAny: return true;
    case SelectorKind::kUnit: return s.unit.is_some() && &policy.units[s.unit.index()] == &unit;
    case SelectorKind::kNode: return s.node.is_some() && policy.is_within(unit.node, s.node);
    case SelectorKind::kTier: return policy.nodes[unit.node.index()].tier == s.tier;
    case SelectorKind::kLabel: return has(unit.labels, s.text);
    case SelectorKind::kZone: return unit.zone == s.zone;
    case SelectorKind::kGroup: {
      if (s.group.is_none()) return false;
      const Group& group = policy.groups[s.group.index()];
      return names_unit(policy, group.members, unit) && !names_unit(policy, group.except, unit);
    }
    case SelectorKind::kNet:
    case SelectorKind::kService:
    case SelectorKind::kServices: break;
  }
  return false;
}

void add_nets(const CheckedPolicy& policy, const std::vector<Selector>& from,
              std::vector<net::Prefix>& out) {
  for (const Selector& s : from) {
    if (s.kind == SelectorKind::kNet && s.space == kSharedSpace &&
        s.prefix.family() == net::Family::kIpv6) {
      out.push_back(s.prefix);
    } else if (s.kind == SelectorKind::kGroup && s.group.is_some()) {
      add_nets(policy, policy.groups[s.group.index()].members, out);
    }
  }
}

}  // namespace

std::vector<NatRange> nat_ranges(const CheckedPolicy& policy) {
  std::vector<NatRange> ranges;
  for (std::uint32_t i = 0; i < policy.publishes.size(); ++i) {
    const Publish& p = policy.publishes[i];
    ranges.push_back({p.address.prefix, image::NatKind::kPublish, i, p.node, p.place});
  }
  for (std::uint32_t i = 0; i < policy.egresses.size(); ++i) {
    const Egress& e = policy.egresses[i];
    for (const net::Prefix& pool : e.pool) {
      const auto kind = pool.family() == net::Family::kIpv4 ? image::NatKind::kPool
                                                            : image::NatKind::kNpt;
      ranges.push_back({pool, kind, i, e.node, e.place});
    }
  }
  for (std::uint32_t i = 0; i < policy.translates.size(); ++i) {
    const Translate& t = policy.translates[i];
    ranges.push_back({t.outside, image::NatKind::kTranslate, i, t.node, t.place});
  }
  return ranges;
}

Text nat_range_text(const CheckedPolicy& policy, const NatRange& range) {
  const std::string prefix = net::to_string(range.prefix);
  switch (range.kind) {
    case image::NatKind::kPublish: {
      const ServiceId service = policy.publishes[range.object].service;
      const std::string id = service.is_some() ? policy.services[service.index()].id : "?";
      return say("public address {} of service `{}`", "业务系统 `{1}` 的公网地址 {0}",
                 net::to_string(range.prefix.address()), id);
    }
    case image::NatKind::kPool:
    case image::NatKind::kNpt:
      return say("pool {} of egress `{}`", "出口 `{1}` 的地址池 {0}", prefix,
                 policy.egresses[range.object].id);
    case image::NatKind::kTranslate: break;
  }
  const ZoneId zone = policy.translates[range.object].zone;
  return say("`outside` {} of zone `{}`", "区域 `{1}` 的 `outside` {0}", prefix,
             zone.is_some() ? policy.zones[zone.index()].id : "?");
}

bool is_in_force(const CheckedPolicy& policy, NodeId node, const CheckedGateway* gateway) {
  return gateway == nullptr || policy.is_within(gateway->node, node);
}

std::vector<std::uint32_t> egresses_in_force(const CheckedPolicy& policy,
                                             const CheckedGateway* gateway) {
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < policy.egresses.size(); ++i) {
    if (is_in_force(policy, policy.egresses[i].node, gateway)) order.push_back(i);
  }
  if (gateway == nullptr) return order;
  std::ranges::stable_sort(order, std::ranges::greater{}, [&](std::uint32_t i) {
    return policy.nodes[policy.egresses[i].node.index()].depth;
  });
  return order;
}

bool names_unit(const CheckedPolicy& policy, const std::vector<Selector>& from, const Unit& unit) {
  return std::ranges::any_of(from, [&](const Selector& s) { return names_unit(policy, s, unit); });
}

std::vector<net::Prefix> npt_nets(const CheckedPolicy& policy, const Egress& egress) {
  std::vector<net::Prefix> nets;
  add_nets(policy, egress.from, nets);
  return nets;
}

std::vector<net::Prefix> npt_sources(const CheckedPolicy& policy, const Egress& egress) {
  std::vector<net::Prefix> sources;
  for (const Unit& unit : policy.units) {
    if (unit.zone.is_none() || !policy.is_within(unit.node, egress.node)) continue;
    const ZoneKind kind = policy.zones[unit.zone.index()].kind;
    // The table lets nobody else out.
    if (kind != ZoneKind::kExtranet && kind != ZoneKind::kDmz) continue;
    if (!names_unit(policy, egress.from, unit)) continue;
    for (const net::Prefix& prefix : unit.prefixes) {
      if (prefix.family() == net::Family::kIpv6) sources.push_back(prefix);
    }
  }
  add_nets(policy, egress.from, sources);
  std::ranges::sort(sources);
  const auto rest = std::ranges::unique(sources);
  sources.erase(rest.begin(), rest.end());
  return sources;
}

}  // namespace meiguan::policy
