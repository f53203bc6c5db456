#include "controlplane/policy/compile_scope.h"

#include <algorithm>

namespace meiguan::policy {

RuleOrder::RuleOrder(const CheckedPolicy& policy) : policy_{policy} {
  std::vector<bool> has_rules(policy.nodes.size(), false);
  for (std::size_t phase = 0; phase < kPhases; ++phase) {
    for (std::size_t i = 0; i < policy.rules.size(); ++i) {
      if (static_cast<std::size_t>(policy.rules[i].phase) == phase) rules_.push_back(i);
      has_rules[policy.rules[i].node.index()] = true;
    }
  }
  // Parents come before children.
  for (std::size_t n = 0; n < policy.nodes.size(); ++n) {
    const NodeId parent = policy.nodes[n].parent;
    const bool rules_itself = has_rules[n] || parent.is_none();
    ruling_.push_back(rules_itself ? NodeId{static_cast<std::uint32_t>(n)}
                                   : ruling_[parent.index()]);
  }
}

TargetNodes nodes_of(const CheckedPolicy& policy, const RuleOrder& order,
                     const PlannedTarget& target) {
  TargetNodes nodes;
  if (target.unit.is_some()) {
    nodes.unit = order.ruling_node(policy.units[target.unit.index()].node);
  }
  for (const ServiceId service : target.services) {
    nodes.services.push_back(order.ruling_node(policy.services[service.index()].node));
  }
  std::ranges::sort(nodes.services);
  const auto rest = std::ranges::unique(nodes.services);
  nodes.services.erase(rest.begin(), rest.end());
  return nodes;
}

}  // namespace meiguan::policy
