// Who may write what: an `allow` below the root opens only what its node owns.

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

void report_kind(Checking& checking, const Selector& selector, Text what) {
  checking.reporter.error(
      selector.place, std::move(what),
      say("name what the node owns by service:, services:, unit:, node: or a group of these",
          "请用 service:、services:、unit:、node: 或仅含这些的组指明本节点所有的对象"));
}

void report_foreign(Checking& checking, const Rule& rule, const Selector& selector, NodeId owner,
                    bool may_be_offered) {
  const auto& nodes = checking.policy.nodes;
  Text hint;
  if (may_be_offered) {
    hint = say("`offered_to` at the service, which would permit this, is not supported yet",
               "业务系统的 `offered_to` 可以授予此权限，但本版本尚不支持（not supported yet）");
  }
  checking.reporter.error(
      selector.place,
      say("`{}` belongs to node {}, an allow at node {} opens only what is in its own subtree",
          "`{}` 属于节点 {},节点 {} 的 allow 规则只能开放其子树内的对象",
          selector_text(checking.policy, selector), printable(nodes[owner.index()].code),
          printable(nodes[rule.node.index()].code)),
      std::move(hint));
}

void check_target(Checking& checking, const Rule& rule, const Selector& selector) {
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
                      "`{}` 含有 `{}`,下级节点的 allow 规则不能在 `to` 中使用",
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
  const bool may_be_offered = selector.kind == SelectorKind::kService &&
                              checking.is_within(rule.node, owner);
  report_foreign(checking, rule, selector, owner, may_be_offered);
}

}  // namespace

void check_rights(Checking& checking) {
  for (const Rule& rule : checking.policy.rules) {
    if (rule.action != Action::kAllow || rule.node == NodeId{0}) continue;
    for (const Selector& selector : rule.to) check_target(checking, rule, selector);
  }
}

}  // namespace meiguan::policy
