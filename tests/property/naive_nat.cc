// What an [[egress]] and a [[translate]] cover, straight from policy.md section 6 and SCHEMA.md.

#include <algorithm>
#include <set>

#include "tests/property/naive_decide.h"
#include "tests/property/naive_match.h"

namespace meiguan::property {
namespace {

using net::Family;
using policy::CheckedPolicy;
using policy::Egress;
using policy::Selector;
using policy::SelectorKind;
using policy::Unit;

bool in_force(const CheckedPolicy& policy, NodeId node, const Ends& ends) {
  return ends.gateway == nullptr || policy.is_within(ends.gateway->node, node);
}

// Whether the unit is one that a list names by what it is, wherever its packets come in.
bool is_named(const CheckedPolicy& policy, const std::vector<Selector>& list, const Unit& unit) {
  return std::any_of(list.begin(), list.end(), [&](const Selector& s) {
    switch (s.kind) {
      case SelectorKind::kAny: return true;
      case SelectorKind::kUnit: return policy.units[s.unit.index()].id == unit.id;
      case SelectorKind::kNode: return policy.is_within(unit.node, s.node);
      case SelectorKind::kTier: return policy.nodes[unit.node.index()].tier == s.tier;
      case SelectorKind::kLabel:
        return std::count(unit.labels.begin(), unit.labels.end(), s.text) != 0;
      case SelectorKind::kZone: return unit.zone == s.zone;
      case SelectorKind::kGroup: {
        const auto& group = policy.groups[s.group.index()];
        return is_named(policy, group.members, unit) && !is_named(policy, group.except, unit);
      }
      default: return false;
    }
  });
}

// The IPv6 prefixes that a list names itself, in groups too.
void nets_of(const CheckedPolicy& policy, const std::vector<Selector>& list,
             std::vector<net::Prefix>& nets) {
  for (const Selector& s : list) {
    if (s.kind == SelectorKind::kNet && s.space == kSharedSpace &&
        s.prefix.family() == Family::kIpv6) {
      nets.push_back(s.prefix);
    } else if (s.kind == SelectorKind::kGroup) {
      nets_of(policy, policy.groups[s.group.index()].members, nets);
    }
  }
}

// IPv6 is translated prefix by prefix: the blocks that have one are those of the units that the
// egress names, and of its own `net:` selectors.
bool has_prefix(const Case& c, const Egress& egress, std::uint8_t length) {
  std::set<net::Prefix> blocks;
  const auto block_of = [&](const net::Prefix& p) {
    return net::Prefix::around(p.address(), length);
  };
  for (const Unit& unit : c.policy.units) {
    const auto kind = c.policy.zones[unit.zone.index()].kind;
    if (kind != image::ZoneKind::kExtranet && kind != image::ZoneKind::kDmz) continue;
    if (!c.policy.is_within(unit.node, egress.node)) continue;
    if (!is_named(c.policy, egress.from, unit)) continue;
    for (const auto& p : unit.prefixes) {
      if (p.family() == Family::kIpv6) blocks.insert(block_of(p));
    }
  }
  std::vector<net::Prefix> nets;
  nets_of(c.policy, egress.from, nets);
  for (const auto& p : nets) {
    if (p.contains(c.packet.source)) return true;
    blocks.insert(block_of(p));
  }
  const auto* const unit = c.unit_of(c.unit);
  return unit != nullptr &&
         std::all_of(unit->prefixes.begin(), unit->prefixes.end(), [&](const auto& p) {
           return p.family() == Family::kIpv4 ||
                  (p.length() >= length && blocks.contains(block_of(p)));
         });
}

}  // namespace

bool has_egress(const CheckedPolicy& policy, const Packet& packet, const Ends& ends) {
  const Case c{policy, packet, ends, unit_at(policy, ends.from_space, packet.source), {}, {}};
  const auto* const unit = c.unit_of(c.unit);
  return std::any_of(policy.egresses.begin(), policy.egresses.end(), [&](const Egress& egress) {
    if (!in_force(policy, egress.node, ends) || !from_matches(c, egress.from)) return false;
    // Below the root a node lets out its own units only.
    if (policy.nodes[egress.node.index()].depth != 0 &&
        (unit == nullptr || !policy.is_within(unit->node, egress.node))) {
      return false;
    }
    return std::any_of(egress.pool.begin(), egress.pool.end(), [&](const net::Prefix& pool) {
      if (pool.family() != packet.source.family()) return false;
      return pool.family() == Family::kIpv4 || has_prefix(c, egress, pool.length());
    });
  });
}

bool has_translate(const CheckedPolicy& policy, SpaceId space, const net::Address& address,
                   const Ends& ends) {
  return std::any_of(policy.translates.begin(), policy.translates.end(), [&](const auto& t) {
    return in_force(policy, t.node, ends) && policy.zones[t.zone.index()].space == space &&
           t.inside.contains(address);
  });
}

}  // namespace meiguan::property
