#include "tests/property/naive_decide.h"

#include <algorithm>
#include <tuple>

namespace meiguan::property {
namespace {

using fastpath::Reason;
using image::Isolation;
using policy::Action;
using policy::CheckedPolicy;
using policy::Phase;
using policy::PortMatch;
using policy::Rule;
using policy::Selector;
using policy::SelectorKind;

bool matches(const PortMatch& match, std::uint8_t protocol, std::uint16_t value) {
  if (match.any_protocol) return true;
  if (match.protocol != protocol) return false;
  return match.whole || (match.first <= value && value <= match.last);
}

// How many values an endpoint covers; all protocols cover more than any one.
std::uint64_t width(const PortMatch& match) {
  if (match.any_protocol) return std::uint64_t{1} << 32;
  if (match.whole) return 65537;
  return std::uint64_t{match.last} - match.first + 1;
}

struct Case {
  const CheckedPolicy& policy;
  const Packet& packet;
  const Ends& ends;
  UnitId unit;
  UnitId to_unit;
  std::vector<ServiceId> services;

  [[nodiscard]] const policy::Unit* unit_of(UnitId id) const {
    return id.is_some() ? &policy.units[id.index()] : nullptr;
  }
  // The zones of the destination's objects.
  [[nodiscard]] std::vector<ZoneId> object_zones() const {
    std::vector<ZoneId> zones;
    if (to_unit.is_some()) zones.push_back(policy.units[to_unit.index()].zone);
    for (const auto s : services) zones.push_back(policy.services[s.index()].zone);
    return zones;
  }
};

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

// `owner`: where an allow below the root may open only what belongs to that node's subtree.
ToMatch to_selector(const Case& c, const Selector& selector, NodeId owner);

ToMatch to_list(const Case& c, const std::vector<Selector>& list, NodeId owner) {
  ToMatch result;
  for (const auto& selector : list) {
    auto one = to_selector(c, selector, owner);
    result.matches = result.matches || one.matches;
    result.named.insert(result.named.end(), one.named.begin(), one.named.end());
  }
  return result;
}

ToMatch to_selector(const Case& c, const Selector& selector, NodeId owner) {
  const auto may_open = [&](NodeId node) {
    return owner.is_none() || c.policy.is_within(node, owner);
  };
  ToMatch result;
  switch (selector.kind) {
    case SelectorKind::kAny: result.matches = true; break;
    case SelectorKind::kGroup: {
      const auto& group = c.policy.groups[selector.group.index()];
      if (to_list(c, group.except, NodeId{}).matches) break;
      return to_list(c, group.members, owner);
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
      result.matches =
          c.ends.to_space == selector.space && selector.prefix.contains(c.packet.destination);
      break;
    case SelectorKind::kService:
    case SelectorKind::kServices:
      for (const auto id : c.services) {
        const auto& service = c.policy.services[id.index()];
        const bool wanted =
            selector.kind == SelectorKind::kService
                ? id == selector.service
                : std::find(service.labels.begin(), service.labels.end(), selector.text) !=
                      service.labels.end();
        if (wanted && may_open(service.node)) {
          result.matches = true;
          result.named.push_back(id);
        }
      }
      break;
    default: {
      const auto* const unit = c.unit_of(c.to_unit);
      result.matches = unit_matches(c.policy, unit, selector) && may_open(unit->node);
      break;
    }
  }
  return result;
}

// Whether the packet has an end in the node's subtree; the root's scope is everything.
bool in_scope(const Case& c, NodeId node) {
  if (c.policy.nodes[node.index()].depth == 0) return true;
  for (const auto id : {c.unit, c.to_unit}) {
    if (const auto* const unit = c.unit_of(id);
        unit != nullptr && c.policy.is_within(unit->node, node)) {
      return true;
    }
  }
  return std::any_of(c.services.begin(), c.services.end(), [&](ServiceId id) {
    return c.policy.is_within(c.policy.services[id.index()].node, node);
  });
}

// At the same depth: at or above a service, then the destination's unit, then the source's.
int kind_of_cover(const Case& c, NodeId node) {
  for (const auto id : c.services) {
    if (c.policy.is_within(c.policy.services[id.index()].node, node)) return 0;
  }
  const auto* const to = c.unit_of(c.to_unit);
  if (to != nullptr && c.policy.is_within(to->node, node)) return 1;
  const auto* const from = c.unit_of(c.unit);
  if (from != nullptr && c.policy.is_within(from->node, node)) return 2;
  return 3;
}

// The nodes whose scope covers the packet, those nearest to the root first.
std::vector<NodeId> covering_nodes(const Case& c, bool deepest_first) {
  std::vector<NodeId> nodes;
  for (std::size_t i = 0; i < c.policy.nodes.size(); ++i) {
    const NodeId id{static_cast<NodeId::rep>(i)};
    if (in_scope(c, id)) nodes.push_back(id);
  }
  std::sort(nodes.begin(), nodes.end(), [&](NodeId a, NodeId b) {
    const auto& x = c.policy.nodes[a.index()];
    const auto& y = c.policy.nodes[b.index()];
    if (x.depth != y.depth) return deepest_first ? x.depth > y.depth : x.depth < y.depth;
    return std::tuple{kind_of_cover(c, a), x.code} < std::tuple{kind_of_cover(c, b), y.code};
  });
  return nodes;
}

struct RuleMatch {
  bool matches{false};
  std::vector<ServiceId> named;
};

RuleMatch rule_matches(const Case& c, const Rule& rule) {
  if (!from_list(c, rule.from) || from_list(c, rule.except_from)) return {};
  const bool below_root = c.policy.nodes[rule.node.index()].depth > 0;
  const bool restricted = rule.action == Action::kAllow && below_root;
  auto to = to_list(c, rule.to, restricted ? rule.node : NodeId{});
  if (!to.matches || to_list(c, rule.except_to, NodeId{}).matches) return {};
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

struct Search {
  const Case& c;
  bool service_only;  // isolation passes over an allow that names no service here
  std::vector<std::string> audits;

  struct Found {
    const Rule* rule{nullptr};
    std::vector<ServiceId> named;
  };

  // The first deciding rule of one node in one phase; audit rules before it are counted.
  Found first_of(NodeId node, Phase phase) {
    for (const auto& rule : c.policy.rules) {
      if (rule.node != node || rule.phase != phase) continue;
      auto match = rule_matches(c, rule);
      if (!match.matches) continue;
      if (rule.action == Action::kAudit) {
        audits.push_back(c.policy.full_name(rule));
        continue;
      }
      if (rule.action == Action::kAllow && service_only && match.named.empty()) continue;
      return {&rule, std::move(match.named)};
    }
    return {};
  }

  Found run() {
    for (const auto node : covering_nodes(c, false)) {
      if (auto found = first_of(node, Phase::kMandatory); found.rule != nullptr) return found;
    }
    Found allowed;
    Found denied;
    for (const auto node : covering_nodes(c, false)) {
      auto found = first_of(node, Phase::kLocal);
      if (found.rule == nullptr) continue;
      Found& first = found.rule->action == Action::kDeny ? denied : allowed;
      if (first.rule == nullptr) first = std::move(found);
    }
    if (denied.rule != nullptr) return denied;
    if (allowed.rule != nullptr) return allowed;
    for (const auto node : covering_nodes(c, true)) {
      if (auto found = first_of(node, Phase::kBaseline); found.rule != nullptr) return found;
    }
    return {};
  }
};

// One question to the table of section 4.
Isolation ask_table(const CheckedPolicy& policy, ZoneId from, ZoneId to) {
  return image::isolation(policy.zones[from.index()].kind, policy.zones[to.index()].kind,
                          from == to);
}

bool crosses_spaces(const CheckedPolicy& policy, ZoneId from, ZoneId to) {
  return policy.zones[from.index()].space != policy.zones[to.index()].space;
}

Reason reason_of(Isolation answer) {
  return (answer.bits & Isolation::kInternetIsolated) != 0 ? Reason::kInternetIsolated
                                                           : Reason::kZoneIsolated;
}

}  // namespace

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
    const bool here = std::any_of(
        service.endpoints.begin(), service.endpoints.end(), [&](const policy::Endpoint& endpoint) {
          return endpoint.prefix.contains(packet.destination) &&
                 matches(endpoint.match, packet.protocol, packet.value);
        });
    if (here) found.emplace_back(static_cast<ServiceId::rep>(i));
  }
  return found;
}

Answer decide(const CheckedPolicy& policy, const Packet& packet, const Ends& ends) {
  const Case c{policy,
               packet,
               ends,
               unit_at(policy, ends.from_space, packet.source),
               unit_at(policy, ends.to_space, packet.destination),
               services_at(policy, ends.to_space, packet)};
  Answer answer;
  if (const auto* const unit = c.unit_of(c.unit)) answer.unit = unit->id;
  if (const auto* const unit = c.unit_of(c.to_unit)) answer.to_unit = unit->id;
  // The most specific: longest prefix, then narrowest ports, then first id in byte order.
  std::tuple<int, std::uint64_t, std::string> best{1, 0, ""};
  for (const auto id : c.services) {
    const auto& service = policy.services[id.index()];
    for (const auto& endpoint : service.endpoints) {
      if (!endpoint.prefix.contains(packet.destination) ||
          !matches(endpoint.match, packet.protocol, packet.value)) {
        continue;
      }
      const std::tuple key{-static_cast<int>(endpoint.prefix.length()), width(endpoint.match),
                           service.id};
      if (key < best) {
        best = key;
        answer.service = service.id;
      }
    }
  }

  // Isolation, with the zones of the objects and, with a gateway, with those of the ports.
  const auto* const unit = c.unit_of(c.unit);
  const ZoneId object_from = unit != nullptr ? unit->zone : ends.from_zone;
  auto object_to = c.object_zones();
  if (object_to.empty()) object_to.push_back(ends.to_zone);
  Isolation objects;
  bool by_zone = false;
  bool by_internet = false;
  bool crosses = false;
  for (const auto zone : object_to) {
    const auto one = ask_table(policy, object_from, zone);
    objects.bits |= one.bits;
    if (one.dropped()) (reason_of(one) == Reason::kZoneIsolated ? by_zone : by_internet) = true;
    crosses = crosses || crosses_spaces(policy, object_from, zone);
  }
  Isolation ports;
  if (!ends.by_objects) {
    ports = ask_table(policy, ends.from_zone, ends.to_zone);
    crosses = crosses || crosses_spaces(policy, ends.from_zone, ends.to_zone);
  }
  if (ports.dropped()) {
    answer.reason = reason_of(ports);
    return answer;
  }
  if (objects.dropped()) {
    answer.reason = reason_of(objects);
    // The text does not order a missing [[egress]] or [[translate]] of the ports before or behind
    // the objects' drop.
    answer.either_isolation = (by_zone && by_internet) || ports.egress() || crosses;
    return answer;
  }
  // No [[egress]] and no [[translate]] exist in this version, so that nothing is covered by one.
  // They are asked where neither answer of the table is a drop by itself.
  if (ports.egress() || objects.egress()) {
    answer.reason = Reason::kInternetIsolated;
    return answer;
  }
  if (crosses) {
    answer.reason = Reason::kZoneIsolated;
    return answer;
  }

  const bool service_only = ports.service() || objects.service();
  const bool publish = ports.publish() || objects.publish();
  Search search{c, service_only, {}};
  const auto found = search.run();
  answer.audits = std::move(search.audits);
  std::sort(answer.audits.begin(), answer.audits.end());
  if (found.rule == nullptr) {
    answer.reason = Reason::kDefaultDeny;
    return answer;
  }
  if (found.rule->action == Action::kAllow && publish &&
      !std::all_of(found.named.begin(), found.named.end(),
                   [&](ServiceId id) { return policy.services[id.index()].publish; })) {
    answer.reason = Reason::kInternetIsolated;
    return answer;
  }
  answer.reason = found.rule->action == Action::kAllow ? Reason::kAllowed : Reason::kDenied;
  answer.rule = policy.full_name(*found.rule);
  return answer;
}

}  // namespace meiguan::property
