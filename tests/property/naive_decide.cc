#include "tests/property/naive_decide.h"

#include <algorithm>
#include <tuple>

#include "tests/property/naive_match.h"

namespace meiguan::property {
namespace {

using fastpath::Reason;
using image::Isolation;
using policy::Action;
using policy::CheckedPolicy;
using policy::Phase;
using policy::PortMatch;
using policy::Rule;

// How many values an endpoint covers; all protocols cover more than any one.
std::uint64_t width(const PortMatch& match) {
  if (match.any_protocol) return std::uint64_t{1} << 32;
  if (match.whole) return 65537;
  return std::uint64_t{match.last} - match.first + 1;
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
      if (!is_there(c.policy, rule, c.ends.at)) continue;
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
