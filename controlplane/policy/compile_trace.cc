#include "controlplane/policy/compile_trace.h"

#include <algorithm>

namespace meiguan::policy {

void CompileTrace::add_rows(const Lists<std::uint32_t>& lists_of_row, std::span<const NodeId> nodes,
                            const RuleSides& sides) {
  std::vector<std::vector<std::uint32_t>> rules_of_list;
  for (std::uint32_t k = 0; k < sides.from.size(); ++k) {
    rules_of_list.resize(std::max<std::size_t>(rules_of_list.size(), sides.from[k] + 1));
    rules_of_list[sides.from[k]].push_back(k);
  }
  for (std::size_t r = 0; r < lists_of_row.size(); ++r) {
    Row& row = rows.emplace_back();
    row.node = nodes[r];
    for (const std::uint32_t list : lists_of_row[r]) {
      row.rules.insert(row.rules.end(), rules_of_list[list].begin(), rules_of_list[list].end());
    }
    std::ranges::sort(row.rules);
  }
}

void CompileTrace::add_blocks(const Blocks& parts, ScopeOfBlocks& scope, std::size_t rules) {
  blocks.resize(parts.count);
  blocks_of_rule.resize(rules);
  const auto add = [&](const BlockRule& rule, std::uint32_t block) {
    blocks[block].rules.emplace(rule.position, rule.mask);
    blocks_of_rule[rule.position].push_back(block);
  };
  for (const Blocks::Part& part : parts.narrow.all) {
    for (std::uint32_t i = part.first; i < part.end; ++i) add(parts.rules[i], part.block);
  }
  for (std::size_t i = 0; i < parts.wide_at.size(); ++i) {
    if (parts.wide_at[i] == image::kNone) continue;
    add(parts.rules[parts.wide_at[i]], static_cast<std::uint32_t>(i % parts.count));
  }
  for (std::uint32_t b = 0; b < blocks.size(); ++b) {
    scope.enter(b);
    for (const NodeId node : scope.nodes()) blocks[b].nodes.emplace(node, scope.of(node));
  }
}

void CompileTrace::add_plans(const TimePlan& times, const TargetPlan& targets) {
  conditions = times.of_rule;
  for (const PlannedTarget& target : targets.targets) {
    services_of_target.push_back(target.services);
  }
}

}  // namespace meiguan::policy
