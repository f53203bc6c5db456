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
};

// What one cell says.
struct Outcome {
  std::array<std::uint32_t, kModes> rule{image::kNone, image::kNone};  // positions
  std::array<image::RuleAction, kModes> action{};
  bool published{false};
  std::array<std::vector<std::uint32_t>, kModes> audits;  // positions
  bool operator==(const Outcome&) const = default;
};

// What the search comes past in one cell: rules, and the ends of its parts.
enum class StepKind : std::uint8_t { kAudit, kAllow, kDeny, kEndOfNode, kEndOfLocal, kEndOfMode };

struct Step {
  StepKind kind{};
  bool local{false};          // of a rule: in the local phase, where each node has its own match
  bool published{false};      // of an allow: every service that it names here is published
  std::uint32_t position{0};  // of a rule

  [[nodiscard]] bool is_rule() const { return kind <= StepKind::kDeny; }
  [[nodiscard]] std::uint64_t word() const {
    return static_cast<std::uint64_t>(kind) | (local ? 8U : 0U) | (published ? 16U : 0U) |
           std::uint64_t{position} << 8;
  }
  [[nodiscard]] static Step from(std::uint64_t word) {
    return {static_cast<StepKind>(word & 7), (word & 8) != 0, (word & 16) != 0,
            static_cast<std::uint32_t>(word >> 8)};
  }
};

// Steps as words, first those of mode 0 and then those of mode 1, each mode with its end. What no
// combination of conditions comes to is left out.
using Program = std::vector<std::uint64_t>;

// What a block says: of its columns in `conditional` the programs, of the others the outcomes.
struct BlockAnswer {
  std::array<Outcome, image::kBlockColumns> outcomes;
  ColumnMask conditional{0};      // a rule with a condition matches there
  std::vector<Program> programs;  // by column; empty where none is conditional
};

// `candidates` ascend by position, and each may meet a column of the block; `condition_at` is as in
// BranchBuilder.
[[nodiscard]] BlockAnswer judge_block(const CheckedPolicy& policy, const RuleOrder& order,
                                      std::span<const std::uint32_t> condition_at,
                                      const BlockColumns& columns,
                                      std::span<const Candidate> candidates);

}  // namespace meiguan::policy
