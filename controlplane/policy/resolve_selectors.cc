#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::policy {
namespace {

void resolve_group(Checking& checking, Selector& selector, NodeId node) {
  const auto index = checking.groups.resolve(selector.text, selector.place, checking.reporter);
  if (!index) return;
  const Group& group = checking.policy.groups[*index];
  if (!checking.is_within(node, group.node)) {
    checking.reporter.error(
        selector.place, say("group `{}` stands at node {}, which is neither node {} nor above it",
                            "组 `{}` 位于节点 {}，既不是节点 {} 也不是其上级", group.id,
                            printable(checking.policy.nodes[group.node.index()].code),
                            printable(checking.policy.nodes[node.index()].code)));
    return;
  }
  selector.group = GroupId{*index};
}

void resolve_net(Checking& checking, Selector& selector) {
  if (selector.text.empty()) return;
  selector.zone = resolve_zone(checking, selector.text, selector.place);
  if (!checking.has_zone_kind(selector.zone)) return;
  const Zone& zone = checking.policy.zones[selector.zone.index()];
  if (zone.kind != ZoneKind::kPrivate) {
    checking.reporter.error(
        selector.place,
        say("zone `{}` is not private, @ZONE names the address space of a private zone",
            "区域 `{}` 不是 private 类型，@ 之后应为专用区域", zone.id),
        say("without @ the shared address space is meant", "不写 @ 即表示共享地址空间"));
    return;
  }
  selector.space = zone.space;
}

void resolve_selector(Checking& checking, Selector& selector, NodeId node) {
  Reporter& reporter = checking.reporter;
  const auto number = [&](NameTable& table) {
    return table.resolve(selector.text, selector.place, reporter);
  };
  switch (selector.kind) {
    case SelectorKind::kUnit:
      if (const auto i = number(checking.units)) selector.unit = UnitId{*i};
      break;
    case SelectorKind::kNode:
      if (const auto i = number(checking.nodes)) selector.node = NodeId{*i};
      break;
    case SelectorKind::kService:
      if (const auto i = number(checking.services)) selector.service = ServiceId{*i};
      break;
    case SelectorKind::kZone:
      selector.zone = resolve_zone(checking, selector.text, selector.place);
      break;
    case SelectorKind::kGroup: resolve_group(checking, selector, node); break;
    case SelectorKind::kNet: resolve_net(checking, selector); break;
    case SelectorKind::kAny:
    case SelectorKind::kTier: break;
    case SelectorKind::kLabel:
    case SelectorKind::kServices: return;  // the label itself stays
  }
  selector.text.clear();
}

}  // namespace

void resolve_selectors(Checking& checking, std::vector<Selector>& selectors, NodeId node) {
  for (Selector& selector : selectors) resolve_selector(checking, selector, node);
}

std::string selector_text(const CheckedPolicy& policy, const Selector& selector) {
  switch (selector.kind) {
    case SelectorKind::kAny: return "any";
    case SelectorKind::kUnit:
      return "unit:" + (selector.unit.is_some() ? policy.units[selector.unit.index()].id : "?");
    case SelectorKind::kNode:
      return "node:" + (selector.node.is_some() ? policy.nodes[selector.node.index()].code : "?");
    case SelectorKind::kTier: return fmt::format("tier:{}", tier_name(selector.tier));
    case SelectorKind::kLabel: return "label:" + printable(selector.text);
    case SelectorKind::kGroup:
      return "group:" + (selector.group.is_some() ? policy.groups[selector.group.index()].id : "?");
    case SelectorKind::kZone:
      return "zone:" + (selector.zone.is_some() ? policy.zones[selector.zone.index()].id : "?");
    case SelectorKind::kNet:
      return "net:" + net::to_string(selector.prefix) +
             (selector.zone.is_some() ? "@" + policy.zones[selector.zone.index()].id : "");
    case SelectorKind::kService:
      return "service:" +
             (selector.service.is_some() ? policy.services[selector.service.index()].id : "?");
    case SelectorKind::kServices: return "services:" + printable(selector.text);
  }
  return {};
}

}  // namespace meiguan::policy
