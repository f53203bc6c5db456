#include "tests/property/naive_decide.h"

#include <algorithm>
#include <optional>
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

// What there is for what the table asks.
struct Covers {
  bool egress;
  bool from_translate;
  bool to_translate;
  bool reached_straight;
};

// Whether a packet came to the inside address of a service that has a [[publish]]. What a public
// address leads to is no question here: with a gateway, packets are asked of as they are.
bool is_reached_straight(const Case& c) {
  return !c.ends.by_objects && std::any_of(c.services.begin(), c.services.end(), [&](ServiceId s) {
    return std::any_of(c.policy.publishes.begin(), c.policy.publishes.end(),
                       [&](const auto& publish) { return publish.service == s; });
  });
}

// Why one answer of the table does not let the packet by; nothing where it does.
std::optional<Reason> refusal(const CheckedPolicy& policy, Isolation answer, ZoneId from, ZoneId to,
                              const Covers& covers) {
  if (answer.dropped()) return reason_of(answer);
  if (answer.egress() && !covers.egress) return Reason::kInternetIsolated;
  if (answer.publish() && covers.reached_straight) return Reason::kInternetIsolated;
  if (!crosses_spaces(policy, from, to)) return std::nullopt;
  const bool from_private = policy.zones[from.index()].kind == image::ZoneKind::kPrivate;
  const bool to_private = policy.zones[to.index()].kind == image::ZoneKind::kPrivate;
  if ((from_private && !covers.from_translate) || (to_private && !covers.to_translate)) {
    return Reason::kZoneIsolated;
  }
  return std::nullopt;
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

  // Isolation, with the zones of the objects and, with a gateway, with those of the ports; of each
  // answer it is seen at once whether what it asks for is there.
  const auto* const unit = c.unit_of(c.unit);
  const ZoneId object_from = unit != nullptr ? unit->zone : ends.from_zone;
  auto object_to = c.object_zones();
  if (object_to.empty()) object_to.push_back(ends.to_zone);
  const Covers covers{has_egress(policy, packet, ends),
                      has_translate(policy, ends.from_space, packet.source, ends),
                      ends.by_objects &&
                          has_translate(policy, ends.to_space, packet.destination, ends),
                      is_reached_straight(c)};
  Isolation ports;
  if (!ends.by_objects) {
    ports = ask_table(policy, ends.from_zone, ends.to_zone);
    if (const auto reason = refusal(policy, ports, ends.from_zone, ends.to_zone, covers)) {
      answer.reason = *reason;
      return answer;
    }
  }
  Isolation objects;
  std::optional<Reason> refused;
  for (const auto zone : object_to) {
    const auto one = ask_table(policy, object_from, zone);
    objects.bits |= one.bits;
    const auto reason = refusal(policy, one, object_from, zone, covers);
    if (!reason) continue;
    // Objects of several zones: the text does not say which reason comes first.
    answer.either_isolation = answer.either_isolation || (refused && *refused != *reason);
    refused = reason;
  }
  if (refused) {
    answer.reason = *refused;
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
