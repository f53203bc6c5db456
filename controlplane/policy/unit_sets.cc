#include "controlplane/policy/unit_sets.h"

#include <cstddef>

namespace meiguan::policy {

UnitSets::UnitSets(const CheckedPolicy& policy)
    : policy_{policy}, by_node_(policy.nodes.size()), children_(policy.nodes.size()) {
  for (std::size_t i = 0; i < policy.units.size(); ++i) {
    const Unit& unit = policy.units[i];
    by_node_[unit.node.index()].push_back(UnitId{static_cast<std::uint32_t>(i)});
    for (const std::string& label : unit.labels)
      by_label_[label].push_back(UnitId{static_cast<std::uint32_t>(i)});
  }
  for (std::size_t i = 0; i < policy.nodes.size(); ++i) {
    if (policy.nodes[i].parent.is_some()) {
      children_[policy.nodes[i].parent.index()].push_back(NodeId{static_cast<std::uint32_t>(i)});
    }
  }
}

std::vector<UnitId> UnitSets::of(const Selector& selector) const {
  std::vector<UnitId> result;
  const auto append = [&](const std::vector<UnitId>& units) {
    result.insert(result.end(), units.begin(), units.end());
  };
  if (selector.kind == SelectorKind::kUnit) {
    if (selector.unit.is_some()) result.push_back(selector.unit);
  } else if (selector.kind == SelectorKind::kNode) {
    std::vector<NodeId> open;
    if (selector.node.is_some()) open.push_back(selector.node);
    while (!open.empty()) {
      const NodeId node = open.back();
      open.pop_back();
      append(by_node_[node.index()]);
      open.insert(open.end(), children_[node.index()].begin(), children_[node.index()].end());
    }
  } else if (selector.kind == SelectorKind::kTier) {
    for (std::size_t n = 0; n < policy_.nodes.size(); ++n) {
      if (policy_.nodes[n].tier == selector.tier) append(by_node_[n]);
    }
  } else if (selector.kind == SelectorKind::kLabel) {
    if (const auto it = by_label_.find(selector.text); it != by_label_.end()) append(it->second);
  }
  return result;
}

}  // namespace meiguan::policy
