#pragma once

// Which rules a node tries in which order, and whose scope covers what.

#include <array>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "controlplane/policy/compile_targets.h"
#include "controlplane/policy/model.h"

namespace meiguan::policy {

inline constexpr std::size_t kPhases = 3;

// All rules in one order: by phase, then by node as the policy lists them, then as the node tries
// them. A rule's position is its index in it.
class RuleOrder {
 public:
  explicit RuleOrder(const CheckedPolicy& policy);

  [[nodiscard]] std::size_t size() const { return rules_.size(); }
  [[nodiscard]] const Rule& at(std::size_t position) const {
    return policy_.rules[rules_[position]];
  }
  // Index into CheckedPolicy::rules.
  [[nodiscard]] std::size_t index(std::size_t position) const { return rules_[position]; }

  // The nearest node at or above `node` that has rules, or the root: scope asks no more of a node.
  [[nodiscard]] NodeId ruling_node(NodeId node) const { return ruling_[node.index()]; }

 private:
  const CheckedPolicy& policy_;
  std::vector<std::size_t> rules_;
  std::vector<NodeId> ruling_;
};

// The ruling nodes of the objects at a destination.
struct TargetNodes {
  NodeId unit;                   // none where there is no unit
  std::vector<NodeId> services;  // ascending, unique
  auto operator<=>(const TargetNodes&) const = default;
};

[[nodiscard]] TargetNodes nodes_of(const CheckedPolicy& policy, const RuleOrder& order,
                                   const PlannedTarget& target);

}  // namespace meiguan::policy
