// Who may write what: an `allow` below the root opens only what its node owns or was offered.

#include <algorithm>
#include <set>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/rights.h"
#include "controlplane/policy/unit_sets.h"

namespace meiguan::policy {
namespace {

void report_kind(Checking& checking, const Selector& selector, Text what) {
  checking.reporter.error(
      selector.place, std::move(what),
      say("name what the node owns by service:, services:, unit:, node: or a group of these",
          "请用 service:、services:、unit:、node: 或仅含这些的组指明本节点所有的对象"));
}

void report_foreign(Checking& checking, const Rule& rule, const Selector& selector, NodeId owner) {
  const auto& nodes = checking.policy.nodes;
  checking.reporter.error(
      selector.place,
      say("`{}` belongs to node {}, an allow at node {} opens only what is in its own subtree",
          "`{}` 属于节点 {}，节点 {} 的 allow 规则只能开放其子树内的对象",
          selector_text(checking.policy, selector), printable(nodes[owner.index()].code),
          printable(nodes[rule.node.index()].code)));
}

// Whether a name among them, or in their groups, could not be resolved: then it is not known what
// they match, and the name is reported already.
bool has_unknown(const CheckedPolicy& policy, const std::vector<Selector>& selectors,
                 std::set<GroupId>& seen) {
  return std::ranges::any_of(selectors, [&](const Selector& s) {
    switch (s.kind) {
      case SelectorKind::kUnit: return s.unit.is_none();
      case SelectorKind::kNode: return s.node.is_none();
      case SelectorKind::kZone: return s.zone.is_none();
      case SelectorKind::kGroup: {
        if (s.group.is_none()) return true;
        if (!seen.insert(s.group).second) return false;
        const Group& group = policy.groups[s.group.index()];
        return has_unknown(policy, group.members, seen) || has_unknown(policy, group.except, seen);
      }
      default: return false;
    }
  });
}

// What stands in the way of `rule` to open `service`, a service of a node above.
Text obstacle(const CheckedPolicy& policy, const Rights& rights, const Rule& rule,
              ServiceId service) {
  if (policy.services[service.index()].offered_to.empty()) {
    return say("it is offered to nobody", "它未提供给任何单位");
  }
  const Senders senders = rights.senders(rule);
  if (senders.others) {
    return say("`from` matches addresses of no unit", "`from` 匹配了不属于任何单位的地址");
  }
  if (senders.units.empty()) return say("`from` matches no unit", "`from` 不匹配任何单位");
  for (const UnitId unit : senders.units) {
    const Unit& sender = policy.units[unit.index()];
    if (policy.is_within(sender.node, rule.node)) continue;
    return say("`from` matches unit `{}` of node {}", "`from` 匹配了节点 {1} 的单位 `{0}`",
               sender.id, printable(policy.nodes[sender.node.index()].code));
  }
  if (const auto unit = rights.not_offered(service, senders)) {
    return say("it is not offered to unit `{}`, which `from` matches",
               "它未提供给 `from` 所匹配的单位 `{}`", policy.units[unit->index()].id);
  }
  return {};
}

// A service of a node above the rule's.
void check_offer(Checking& checking, const Rights& rights, const Rule& rule,
                 const Selector& selector) {
  const CheckedPolicy& policy = checking.policy;
  const Service& service = policy.services[selector.service.index()];
  std::set<GroupId> seen;
  for (const auto* const list : {&rule.from, &rule.except_from, &service.offered_to}) {
    if (has_unknown(policy, *list, seen)) return;
  }
  const Text why = obstacle(policy, rights, rule, selector.service);
  if (why.english.empty()) return;
  const std::string code = printable(policy.nodes[service.node.index()].code);
  const std::string own = printable(policy.nodes[rule.node.index()].code);
  checking.reporter.error(
      selector.place,
      Text{fmt::format("`service:{}` belongs to node {}, and {}", service.id, code, why.english),
           fmt::format("`service:{}` 属于节点 {}，且{}", service.id, code, why.chinese)},
      say("an allow at node {} opens it where every source unit of the rule is of its subtree and "
          "is matched by `offered_to` at {}",
          "节点 {} 的 allow 规则要开放它，其所有源单位都须属于该节点子树，且包含在 {} 处的 "
          "`offered_to` 中",
          own, checking.reporter.where(service.place)));
}

// `rights` may be null: then what was offered is not known.
void check_target(Checking& checking, const Rights* rights, const Rule& rule,
                  const Selector& selector) {
  const CheckedPolicy& policy = checking.policy;
  NodeId owner;
  switch (selector.kind) {
    case SelectorKind::kServices:
      return;  // others may fill a label: the rule is as if not there for what it may not open
    case SelectorKind::kService:
      if (selector.service.is_some()) owner = policy.services[selector.service.index()].node;
      break;
    case SelectorKind::kUnit:
      if (selector.unit.is_some()) owner = policy.units[selector.unit.index()].node;
      break;
    case SelectorKind::kNode: owner = selector.node; break;
    case SelectorKind::kGroup: {
      if (selector.group.is_none()) return;
      const auto& other = checking.group_facts[selector.group.index()].not_grantable;
      if (!other) return;
      report_kind(checking, selector,
                  say("`{}` holds `{}`, which an allow below the root may not use in `to`",
                      "`{}` 含有 `{}`，下级节点的 allow 规则不能在 `to` 中使用",
                      selector_text(policy, selector), selector_text(policy, *other)));
      return;
    }
    default:
      report_kind(checking, selector,
                  say("an allow below the root may not use `{}` in `to`",
                      "下级节点的 allow 规则不能在 `to` 中使用 `{}`",
                      selector_text(policy, selector)));
      return;
  }
  if (owner.is_none() || checking.is_within(owner, rule.node)) return;
  if (selector.kind == SelectorKind::kService && checking.is_within(rule.node, owner)) {
    if (rights != nullptr) check_offer(checking, *rights, rule, selector);
  } else {
    report_foreign(checking, rule, selector, owner);
  }
}

}  // namespace

void check_rights(Checking& checking) {
  // What a group matches is not known where groups hold one another in a circle.
  const bool has_circle = std::ranges::any_of(checking.group_facts, [](const GroupFacts& facts) {
    return !facts.depth || *facts.depth > kMaxGroupDepth;
  });
  const UnitSets units{checking.policy};
  const Rights rights{checking.policy, units};
  for (const Rule& rule : checking.policy.rules) {
    if (rule.action != Action::kAllow || rule.node == NodeId{0}) continue;
    for (const Selector& selector : rule.to) {
      check_target(checking, has_circle ? nullptr : &rights, rule, selector);
    }
  }
}

}  // namespace meiguan::policy
