// Offers: policy.md section 3, "Who may write what". All sources that there can be are tried: every
// address at which a prefix of the policy begins, or behind which one ends, by a port of every
// zone.

#include <algorithm>
#include <set>

#include "tests/property/naive_match.h"

namespace meiguan::property {
namespace {

using policy::CheckedPolicy;
using policy::Rule;
using policy::Selector;
using policy::SelectorKind;

void add_edges(const net::Prefix& prefix, std::set<net::Address>& edges) {
  edges.insert(prefix.address());
  auto bytes = prefix.last().bytes();
  for (std::size_t i = bytes.size(); i-- > 0;) {
    if (++bytes[i] != 0) break;
  }
  const auto behind = net::Address::v6(bytes);
  if (behind.family() == prefix.family()) edges.insert(behind);
}

std::set<net::Address> all_edges(const CheckedPolicy& policy) {
  std::set<net::Address> edges{net::Address::v4(0), net::Address::v6({})};
  for (const auto& unit : policy.units) {
    for (const auto& prefix : unit.prefixes) add_edges(prefix, edges);
  }
  const auto add_nets = [&](const std::vector<Selector>& list) {
    for (const auto& s : list) {
      if (s.kind == SelectorKind::kNet) add_edges(s.prefix, edges);
    }
  };
  for (const auto& group : policy.groups) {
    add_nets(group.members);
    add_nets(group.except);
  }
  for (const auto& rule : policy.rules) {
    add_nets(rule.from);
    add_nets(rule.except_from);
  }
  return edges;
}

// Whether every source that the rule matches is of a unit that `is_right`, and there is one.
template <typename IsRight>
bool all_senders(const CheckedPolicy& policy, const Rule& rule, const IsRight& is_right) {
  std::size_t senders = 0;
  std::set<std::size_t> with_address;
  const auto edges = all_edges(policy);
  for (std::size_t z = 0; z < policy.zones.size(); ++z) {
    Ends ends;
    ends.from_zone = ZoneId{static_cast<ZoneId::rep>(z)};
    ends.from_space = policy.zones[z].space;
    for (const auto& address : edges) {
      Packet packet;
      packet.source = address;
      const UnitId unit = unit_at(policy, ends.from_space, address);
      if (unit.is_some()) with_address.insert(unit.index());
      if (!from_matches(Case{policy, packet, ends, unit, {}, {}}, rule)) continue;
      if (unit.is_none() || !is_right(policy.units[unit.index()])) return false;
      ++senders;
    }
  }
  // Units without any address are there by name only, in no prefix.
  for (std::size_t z = 0; z < policy.zones.size(); ++z) {
    for (std::size_t u = 0; u < policy.units.size(); ++u) {
      const auto space = policy.zones[policy.units[u].zone.index()].space;
      if (with_address.contains(u) || policy.zones[z].space != space) continue;
      Ends ends;
      ends.from_zone = ZoneId{static_cast<ZoneId::rep>(z)};
      const UnitId unit{static_cast<UnitId::rep>(u)};
      if (!from_matches(Case{policy, {}, ends, unit, {}, {}}, rule)) continue;
      if (!is_right(policy.units[u])) return false;
      ++senders;
    }
  }
  return senders > 0;
}

}  // namespace

bool is_offered(const CheckedPolicy& policy, const Rule& rule, ServiceId id) {
  const auto& service = policy.services[id.index()];
  if (service.offered_to.empty()) return false;
  if (service.node == rule.node || !policy.is_within(rule.node, service.node)) return false;
  return all_senders(policy, rule, [&](const policy::Unit& unit) {
    return policy.is_within(unit.node, rule.node) && offers_to(policy, service, unit);
  });
}

}  // namespace meiguan::property
