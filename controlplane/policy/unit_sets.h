#pragma once

#include <map>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"

namespace meiguan::policy {

// Units by each of the ways in which selectors name them.
class UnitSets {
 public:
  explicit UnitSets(const CheckedPolicy& policy);
  // For kUnit, kNode, kTier and kLabel; nothing for other kinds and for names not resolved.
  [[nodiscard]] std::vector<UnitId> of(const Selector& selector) const;

 private:
  const CheckedPolicy& policy_;
  std::map<std::string, std::vector<UnitId>, std::less<>> by_label_;
  std::vector<std::vector<UnitId>> by_node_;  // at the very node
  std::vector<std::vector<NodeId>> children_;
};

}  // namespace meiguan::policy
