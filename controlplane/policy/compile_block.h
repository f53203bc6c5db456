#pragma once

// One block of the matrix: what one source class may do towards kBlockColumns target classes, for
// all columns at once, a bit for each.

#include <array>
#include <cstdint>
#include <map>
#include <span>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/compile_scope.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

// One bit for each column of a block.
using ColumnMask = std::uint64_t;
static_assert(sizeof(ColumnMask) * 8 == image::kBlockColumns);

inline constexpr std::size_t kModes = 2;  // the rules decide; only allows by service count

// What a rule matches in the columns of one block.
struct RuleMask {
  ColumnMask any{0};
  ColumnMask service{0};      // named by `service:` or `services:`
  ColumnMask unpublished{0};  // a service so named is not published
};

// How the scope of a node covers the columns of one block, by their objects alone.
struct NodeMask {
  ColumnMask service{0};  // it is at or above a service of the destination
  ColumnMask unit{0};     // at or above its unit
  ColumnMask all{0};      // every object of the destination (one at least) lies in its subtree
};

// A rule that matches the source class.
struct Candidate {
  std::uint32_t position{0};
  std::uint32_t covers_source{0};  // 1: its node is at or above the source's
  bool operator==(const Candidate&) const = default;
};

struct BlockColumns {
  std::unordered_map<std::uint32_t, RuleMask> rules;  // by position in RuleOrder
  std::map<NodeId, NodeMask> nodes;

  // Whether a rule of `node` matches some column, and its scope covers one with it.
  [[nodiscard]] bool may_meet(NodeId node, const Candidate& candidate) const {
    return rules.contains(candidate.position) &&
           (candidate.covers_source != 0 || node == NodeId{0} || nodes.contains(node));
  }
};

// What one cell says.
struct Outcome {
  std::array<std::uint32_t, kModes> rule{image::kNone, image::kNone};  // positions
  std::array<image::RuleAction, kModes> action{};
  bool published{false};
  std::array<std::vector<std::uint32_t>, kModes> audits;  // positions
  bool operator==(const Outcome&) const = default;
};

// `candidates` ascend by position; each may meet a column of the block.
[[nodiscard]] std::array<Outcome, image::kBlockColumns> judge_block(
    const CheckedPolicy& policy, const RuleOrder& order, const BlockColumns& columns,
    std::span<const Candidate> candidates);

}  // namespace meiguan::policy
