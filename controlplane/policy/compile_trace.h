#pragma once

// What the compiler knows of rules and classes and does not write into the image: which rules match
// which rows and columns of the matrix. For lint and `explain --all`; costs nothing when not asked
// for. Positions are those of RuleOrder{policy}.

#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_columns.h"
#include "controlplane/policy/compile_targets.h"
#include "controlplane/policy/compile_times.h"

namespace meiguan::policy {

// A rule that matches a source class.
struct Candidate {
  std::uint32_t position{0};
  std::uint32_t covers_source{0};  // 1: its node is at or above the source's
  bool operator==(const Candidate&) const = default;
};

struct BlockColumns {
  std::unordered_map<std::uint32_t, RuleMask> rules;  // by position in RuleOrder
  std::map<NodeId, NodeMask> nodes;
};

struct CompileTrace {
  struct Row {
    std::vector<std::uint32_t> rules;  // positions whose `from` it matches, ascending
    NodeId node;                       // ruling node of the source's unit; none without a unit
  };
  std::vector<Row> rows;                                   // by source class
  std::vector<BlockColumns> blocks;                        // target class / kBlockColumns
  std::vector<std::vector<std::uint32_t>> blocks_of_rule;  // by position
  // By index into CheckedPolicy::rules: the image's condition, or image::kNone for always.
  std::vector<std::uint32_t> conditions;
  // By target of the image: the services there, as indexes into CheckedPolicy::services, ascending.
  std::vector<std::vector<ServiceId>> services_of_target;

  // `rows` by source class: the lists of sources that it matches.
  void add_rows(const Lists<std::uint32_t>& rows, std::span<const NodeId> nodes,
                const RuleSides& sides);
  void add_blocks(const Blocks& parts, ScopeOfBlocks& scope, std::size_t rules);
  void add_plans(const TimePlan& times, const TargetPlan& targets);
};

}  // namespace meiguan::policy
