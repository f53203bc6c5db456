// Groups: no cycles, no deep nesting, and what is in each once those that it holds are written
// out.

#include <algorithm>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

enum class Visit : std::uint8_t { kNew, kOpen, kDone };

// One group on the way down, and how far its selectors have been followed.
struct Step {
  std::uint32_t group;
  std::size_t next{0};
};

const Selector* selector_number(const Group& group, std::size_t number) {
  if (number < group.members.size()) return &group.members[number];
  number -= group.members.size();
  return number < group.except.size() ? &group.except[number] : nullptr;
}

void report_cycle(Checking& checking, const std::vector<Step>& path, const Selector& closing) {
  const auto& groups = checking.policy.groups;
  const std::uint32_t first = closing.group.value();
  std::string names;
  std::size_t shown = 0;
  bool inside = false;
  for (const Step& step : path) {
    inside = inside || step.group == first;
    if (!inside) continue;
    if (++shown <= 8) names += groups[step.group].id + " -> ";
  }
  if (shown > 8) names += "... -> ";
  names += groups[first].id;
  checking.reporter.error(closing.place, say("group `{}` holds itself: {}",
                                             "组 `{}` 循环包含自身：{}", groups[first].id, names));
}

// Of the chains that are too deep each is reported once, at the first group beyond the limit.
void check_depth(Checking& checking, const Group& group, const GroupFacts& facts) {
  if (facts.depth != kMaxGroupDepth + 1) return;
  const auto is_deepest = [&](const Selector& selector) {
    return selector.kind == SelectorKind::kGroup && selector.group.is_some() &&
           checking.group_facts[selector.group.index()].depth == kMaxGroupDepth;
  };
  std::string held;
  for (const auto* const list : {&group.except, &group.members}) {
    const auto it = std::find_if(list->begin(), list->end(), is_deepest);
    if (it != list->end()) held = checking.policy.groups[it->group.index()].id;
  }
  checking.reporter.error(
      group.place,
      say("group `{}` nests groups {} deep, {} at most expected",
          "组 `{}` 嵌套 {} 层，最多允许 {} 层", group.id, *facts.depth, kMaxGroupDepth),
      say("group `{0}` in it is {1} deep already: write out the members of `{0}` here",
          "其中的组 `{0}` 已有 {1} 层：请在此直接写出 `{0}` 的成员", held, kMaxGroupDepth));
}

// Whether such a selector matches each unit whole or not at all; of a group that is its members'.
bool names_whole_units(SelectorKind kind) {
  switch (kind) {
    case SelectorKind::kUnit:
    case SelectorKind::kNode:
    case SelectorKind::kTier:
    case SelectorKind::kLabel:
    case SelectorKind::kGroup: return true;
    case SelectorKind::kAny:
    case SelectorKind::kZone:
    case SelectorKind::kNet:
    case SelectorKind::kService:
    case SelectorKind::kServices: return false;
  }
  return false;
}

// `is_open` says of a group that it is on the way down, that is in a cycle.
template <typename IsOpen>
GroupFacts facts_of(Checking& checking, const Group& group, const IsOpen& is_open) {
  GroupFacts facts;
  const auto look = [&](const Selector& selector, bool is_member) {
    const bool is_service = selector.kind == SelectorKind::kService ||
                            selector.kind == SelectorKind::kServices;
    facts.names_service = facts.names_service || is_service;
    if (!facts.not_of_units && !names_whole_units(selector.kind)) facts.not_of_units = selector;
    if (selector.kind == SelectorKind::kGroup) {
      if (selector.group.is_none()) return;
      const GroupFacts& held = checking.group_facts[selector.group.index()];
      if (is_open(selector.group) || !held.depth) {
        facts.depth = std::nullopt;
      } else if (facts.depth) {
        facts.depth = std::max(*facts.depth, *held.depth + 1);
      }
      facts.names_service = facts.names_service || held.names_service;
      if (!facts.not_of_units) facts.not_of_units = held.not_of_units;
      if (is_member && !facts.not_grantable) facts.not_grantable = held.not_grantable;
      return;
    }
    const bool is_grantable = is_service || selector.kind == SelectorKind::kUnit ||
                              selector.kind == SelectorKind::kNode;
    if (is_member && !is_grantable && !facts.not_grantable) facts.not_grantable = selector;
  };
  for (const Selector& selector : group.members) look(selector, true);
  // What is excepted takes away only, so it grants nothing.
  for (const Selector& selector : group.except) look(selector, false);
  return facts;
}

void check_sources(Checking& checking, const std::vector<Selector>& selectors) {
  for (const Selector& selector : selectors) {
    if (selector.kind != SelectorKind::kGroup || selector.group.is_none()) continue;
    if (!checking.group_facts[selector.group.index()].names_service) continue;
    checking.reporter.error(selector.place,
                            say("group `{}` names a service and may stand in `to` only",
                                "组 `{}` 含有业务系统，只能出现在 `to` 中",
                                checking.policy.groups[selector.group.index()].id));
  }
}

// A service is offered to units; a group of addresses could match part of one.
void check_offer(Checking& checking, const Service& service) {
  for (const Selector& selector : service.offered_to) {
    if (selector.kind != SelectorKind::kGroup || selector.group.is_none()) continue;
    const auto& other = checking.group_facts[selector.group.index()].not_of_units;
    if (!other) continue;
    checking.reporter.error(
        selector.place,
        say("`{}` holds `{}`, which is no selector of units", "`{}` 含有 `{}`，不是单位的选择器",
            selector_text(checking.policy, selector), selector_text(checking.policy, *other)),
        say("`offered_to` takes unit:, node:, tier:, label: and groups of these",
            "`offered_to` 可用 unit:、node:、tier:、label: 及仅含这些的组"));
  }
}

}  // namespace

// Walks depth first without recursion, because a tree may chain any number of groups.
void order_groups(Checking& checking) {
  const auto& groups = checking.policy.groups;
  checking.group_facts.resize(groups.size());
  checking.group_order.reserve(groups.size());
  std::vector<Visit> visits(groups.size(), Visit::kNew);
  for (std::uint32_t start = 0; start < groups.size(); ++start) {
    if (visits[start] != Visit::kNew) continue;
    std::vector<Step> path{{start}};
    visits[start] = Visit::kOpen;
    while (!path.empty()) {
      Step& step = path.back();
      const Selector* selector = selector_number(groups[step.group], step.next++);
      if (selector == nullptr) {
        const Group& group = groups[step.group];
        // Itself included: it is not done yet.
        const GroupFacts& facts = checking.group_facts[step.group] =
            facts_of(checking, group,
                     [&](GroupId held) { return visits[held.index()] == Visit::kOpen; });
        visits[step.group] = Visit::kDone;
        check_depth(checking, group, facts);
        checking.group_order.push_back(step.group);
        path.pop_back();
        continue;
      }
      if (selector->kind != SelectorKind::kGroup || selector->group.is_none()) continue;
      const std::uint32_t held = selector->group.value();
      if (visits[held] == Visit::kOpen) {
        report_cycle(checking, path, *selector);
      } else if (visits[held] == Visit::kNew) {
        visits[held] = Visit::kOpen;
        path.push_back({held});
      }
    }
  }
}

void check_group_use(Checking& checking) {
  for (const Rule& rule : checking.policy.rules) {
    check_sources(checking, rule.from);
    check_sources(checking, rule.except_from);
  }
  for (const Assertion& assertion : checking.policy.assertions) {
    check_sources(checking, assertion.from);
    check_sources(checking, assertion.except_from);
  }
  for (const Egress& egress : checking.policy.egresses) check_sources(checking, egress.from);
  for (const Service& service : checking.policy.services) check_offer(checking, service);
}

}  // namespace meiguan::policy
