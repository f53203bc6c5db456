#include "tests/property/naive_match.h"

#include <algorithm>
#include <utility>

namespace meiguan::property {
namespace {

using policy::Action;
using policy::CheckedPolicy;
using policy::Phase;
using policy::PortMatch;
using policy::Rule;
using policy::Selector;
using policy::SelectorKind;

bool unit_matches(const CheckedPolicy& policy, const policy::Unit* unit, const Selector& selector) {
  if (unit == nullptr) return false;
  switch (selector.kind) {
    case SelectorKind::kUnit: return unit == &policy.units[selector.unit.index()];
    case SelectorKind::kNode: return policy.is_within(unit->node, selector.node);
    case SelectorKind::kTier: return policy.nodes[unit->node.index()].tier == selector.tier;
    case SelectorKind::kLabel:
      return std::find(unit->labels.begin(), unit->labels.end(), selector.text) !=
             unit->labels.end();
    default: return false;
  }
}

bool in_from(const Case& c, const Selector& selector);

bool from_list(const Case& c, const std::vector<Selector>& list) {
  return std::any_of(list.begin(), list.end(), [&](const auto& s) { return in_from(c, s); });
}

bool in_from(const Case& c, const Selector& selector) {
  switch (selector.kind) {
    case SelectorKind::kAny: return true;
    case SelectorKind::kGroup: {
      const auto& group = c.policy.groups[selector.group.index()];
      return from_list(c, group.members) && !from_list(c, group.except);
    }
    case SelectorKind::kZone: {
      const auto* const unit = c.unit_of(c.unit);
      const auto zone = c.ends.by_objects && unit != nullptr ? unit->zone : c.ends.from_zone;
      return zone == selector.zone;
    }
    case SelectorKind::kNet:
      return c.ends.from_space == selector.space && selector.prefix.contains(c.packet.source);
    case SelectorKind::kService:
    case SelectorKind::kServices: return false;
    default: return unit_matches(c.policy, c.unit_of(c.unit), selector);
  }
}

// How a destination list matches: whether it does at all, and by which services it names it.
struct ToMatch {
  bool matches{false};
  std::vector<ServiceId> named;
};

// `opener`: an allow below the root, which may open only what belongs to its node's subtree, and
// the services above that were offered; null where that is not asked.
ToMatch to_selector(const Case& c, const Selector& selector, const Rule* opener);

ToMatch to_list(const Case& c, const std::vector<Selector>& list, const Rule* opener) {
  ToMatch result;
  for (const auto& selector : list) {
    auto one = to_selector(c, selector, opener);
    result.matches = result.matches || one.matches;
    result.named.insert(result.named.end(), one.named.begin(), one.named.end());
  }
  return result;
}

ToMatch to_selector(const Case& c, const Selector& selector, const Rule* opener) {
  const auto owns = [&](NodeId node) {
    return opener == nullptr || c.policy.is_within(node, opener->node);
  };
  ToMatch result;
  switch (selector.kind) {
    case SelectorKind::kAny: result.matches = true; break;
    case SelectorKind::kGroup: {
      const auto& group = c.policy.groups[selector.group.index()];
      if (to_list(c, group.except, nullptr).matches) break;
      return to_list(c, group.members, opener);
    }
    case SelectorKind::kZone:
      if (c.ends.by_objects) {
        auto zones = c.object_zones();
        if (zones.empty()) zones.push_back(c.ends.to_zone);
        result.matches = std::find(zones.begin(), zones.end(), selector.zone) != zones.end();
      } else {
        result.matches = c.ends.to_zone == selector.zone;
      }
      break;
    case SelectorKind::kNet:
      result.matches = c.ends.to_space == selector.space &&
                       selector.prefix.contains(c.packet.destination);
      break;
    case SelectorKind::kService:
    case SelectorKind::kServices:
      for (const auto id : c.services) {
        const auto& service = c.policy.services[id.index()];
        const bool wanted = selector.kind == SelectorKind::kService
                                ? id == selector.service
                                : std::find(service.labels.begin(), service.labels.end(),
                                            selector.text) != service.labels.end();
        if (wanted && (owns(service.node) || is_offered(c.policy, *opener, id))) {
          result.matches = true;
          result.named.push_back(id);
        }
      }
      break;
    default: {
      const auto* const unit = c.unit_of(c.to_unit);
      result.matches = unit_matches(c.policy, unit, selector) && owns(unit->node);
      break;
    }
  }
  return result;
}

}  // namespace

bool matches(const PortMatch& match, std::uint8_t protocol, std::uint16_t value) {
  if (match.any_protocol) return true;
  if (match.protocol != protocol) return false;
  return match.whole || (match.first <= value && value <= match.last);
}

bool from_matches(const Case& c, const std::vector<Selector>& list) { return from_list(c, list); }

bool from_matches(const Case& c, const Rule& rule) {
  return from_list(c, rule.from) && !from_list(c, rule.except_from);
}

bool offers_to(const CheckedPolicy& policy, const policy::Service& service,
               const policy::Unit& unit) {
  // A packet of no address, of that unit: what names units matches, and nothing else is asked.
  const Packet packet{};
  const Ends ends{};
  const auto index = static_cast<UnitId::rep>(&unit - policy.units.data());
  return from_list(Case{policy, packet, ends, UnitId{index}, {}, {}}, service.offered_to);
}

RuleMatch rule_matches(const Case& c, const Rule& rule) {
  if (!from_matches(c, rule)) return {};
  const bool below_root = c.policy.nodes[rule.node.index()].depth > 0;
  const bool restricted = rule.action == Action::kAllow && below_root;
  auto to = to_list(c, rule.to, restricted ? &rule : nullptr);
  if (!to.matches || to_list(c, rule.except_to, nullptr).matches) return {};
  if (!rule.ports.empty() &&
      std::none_of(rule.ports.begin(), rule.ports.end(), [&](const PortMatch& m) {
        return matches(m, c.packet.protocol, c.packet.value);
      })) {
    return {};
  }
  if (restricted && rule.phase == Phase::kMandatory) {
    // Both ends, and every object of the destination, must be the node's own.
    const auto own = [&](NodeId node) { return c.policy.is_within(node, rule.node); };
    const auto* const from = c.unit_of(c.unit);
    if (from == nullptr || !own(from->node)) return {};
    const auto* const unit = c.unit_of(c.to_unit);
    if (unit == nullptr && c.services.empty()) return {};
    if (unit != nullptr && !own(unit->node)) return {};
    for (const auto id : c.services) {
      if (!own(c.policy.services[id.index()].node)) return {};
    }
  }
  return {true, std::move(to.named)};
}

UnitId unit_at(const CheckedPolicy& policy, SpaceId space, const net::Address& address) {
  UnitId best;
  int longest = -1;
  for (std::size_t i = 0; i < policy.units.size(); ++i) {
    const auto& unit = policy.units[i];
    if (policy.zones[unit.zone.index()].space != space) continue;
    for (const auto& prefix : unit.prefixes) {
      if (prefix.contains(address) && prefix.length() > longest) {
        longest = prefix.length();
        best = UnitId{static_cast<UnitId::rep>(i)};
      }
    }
  }
  return best;
}

std::vector<ServiceId> services_at(const CheckedPolicy& policy, SpaceId space,
                                   const Packet& packet) {
  std::vector<ServiceId> found;
  for (std::size_t i = 0; i < policy.services.size(); ++i) {
    const auto& service = policy.services[i];
    if (policy.zones[service.zone.index()].space != space) continue;
    const bool here = std::any_of(service.endpoints.begin(), service.endpoints.end(),
                                  [&](const policy::Endpoint& endpoint) {
                                    return endpoint.prefix.contains(packet.destination) &&
                                           matches(endpoint.match, packet.protocol, packet.value);
                                  });
    if (here) found.emplace_back(static_cast<ServiceId::rep>(i));
  }
  return found;
}

}  // namespace meiguan::property
