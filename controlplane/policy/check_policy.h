#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/draft.h"
#include "controlplane/policy/model.h"
#include "controlplane/policy/names.h"
#include "controlplane/policy/prefix_index.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/source.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

// The only maker of CheckedPolicy.
struct PolicyChecker {
  [[nodiscard]] static CheckedPolicy empty() { return CheckedPolicy(); }
};

// Resolves the names of `draft` and checks it as a whole. What comes back is a policy only where
// `reporter` has no errors in the end.
[[nodiscard]] CheckedPolicy check_policy(const PolicySource& source, Draft draft,
                                         Reporter& reporter);

using ZoneBits = std::bitset<image::kMaxZones + 1>;

// What is known of a group once those in it are: it, and all groups that it holds.
struct GroupFacts {
  bool names_service{false};
  // A selector, member or exception, that may match a part of a unit, or no unit.
  std::optional<Selector> not_of_units;
  // A member that an `allow` below the root may not use.
  std::optional<Selector> not_grantable;
  // How many groups the longest chain has that begins here; nothing where a cycle is in it.
  std::optional<std::uint32_t> depth{1};
};

// So deep may groups nest: what comes after the check may follow them by recursion.
constexpr std::uint32_t kMaxGroupDepth = 32;

// The state of one check: the policy as far as it is resolved, the names, and the places that
// only messages need.
struct Checking {
  Checking(CheckedPolicy& policy_, Draft& draft_, Reporter& reporter_)
      : policy{policy_}, draft{draft_}, reporter{reporter_} {}

  CheckedPolicy& policy;
  Draft& draft;
  Reporter& reporter;

  NameTable nodes{Text{"node", "节点"}};
  NameTable zones{Text{"zone", "区域"}};
  NameTable units{Text{"unit", "单位"}};
  NameTable services{Text{"service", "业务系统"}};
  NameTable groups{Text{"group", "组"}};
  NameTable schedules{Text{"schedule", "时段"}};

  // Nodes are numbered parents first, so that those at and below n are [n, subtree_end[n]).
  std::vector<std::uint32_t> subtree_end;
  std::vector<GroupFacts> group_facts;     // by GroupId
  std::vector<std::uint32_t> group_order;  // a group after those that it holds
  PrefixIndex unit_prefixes;
  std::vector<bool> has_conflict;  // by UnitId: a prefix of it is another's too

  [[nodiscard]] bool is_within(NodeId node, NodeId top) const {
    return node.value() >= top.value() && node.value() < subtree_end[top.index()];
  }
  [[nodiscard]] bool has_zone_kind(ZoneId zone) const {
    return zone.is_some() && draft.zones[zone.index()].has_kind;
  }
  // Where it matters which address space an object is in; nothing where its zone is unknown.
  [[nodiscard]] std::optional<SpaceId> space_of(ZoneId zone) const {
    if (!has_zone_kind(zone)) return std::nullopt;
    return policy.zones[zone.index()].space;
  }
};

// The steps, in their order.
void resolve_nodes(Checking& checking);
void resolve_zones(Checking& checking);
void resolve_units(Checking& checking);
void resolve_terminals(Checking& checking);
void resolve_services(Checking& checking);
void resolve_groups(Checking& checking);
void resolve_schedules(Checking& checking);
void resolve_rules(Checking& checking);
void resolve_assertions(Checking& checking);
void check_unit_prefixes(Checking& checking);
void check_terminals(Checking& checking);
void check_services(Checking& checking);
void order_groups(Checking& checking);
void check_group_use(Checking& checking);
void check_rights(Checking& checking);
void check_isolation(Checking& checking);
// [[publish]], [[egress]] and [[translate]] (check_nat.cc).
void resolve_nat(Checking& checking);
void check_nat(Checking& checking);

// The schedule and the dates of `rule`.
void resolve_times(Checking& checking, const DraftRule& draft, Rule& rule);
// Reports `instant`, which stands at `place`, where the policy's clock is not known so far ahead.
void check_known(Checking& checking, std::int64_t instant, const Place& place);
// Resolves the names in `selectors`, which stand at `node`.
void resolve_selectors(Checking& checking, std::vector<Selector>& selectors, NodeId node);
// The zone that `word` names; `intranet` is refused by its own sentence.
[[nodiscard]] ZoneId resolve_zone(Checking& checking, std::string_view name, const Place& place);
// As it is written: `unit:czj-360121`.
[[nodiscard]] std::string selector_text(const CheckedPolicy& policy, const Selector& selector);

}  // namespace meiguan::policy
