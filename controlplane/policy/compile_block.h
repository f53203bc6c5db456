#pragma once

// One block of the matrix: what one source class may do towards kBlockColumns target classes, for
// all columns at once, a bit for each.
//
// The search of policy.md, "Which one wins", is told as a transcript: which rule took which
// columns, in the order in which it came past them. Most lists of rules that meet in a block differ
// in rules that have nothing to say there, because others stand before them, so few transcripts
// differ, and only those are unfolded into cells.

#include <array>
#include <cstdint>
#include <span>
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

// A rule in one block, with all that the search asks of it there: a cache line.
struct BlockRule {
  RuleMask mask;
  NodeMask scope;             // of its node
  std::uint32_t position{0};  // in RuleOrder
  NodeId node;
  Phase phase{};
  Action action{};
  bool is_conditional{false};
  bool meets_always{false};  // whatever the source: its node covers a column, or is the root
};
static_assert(sizeof(BlockRule) == 64);

// A rule that matches the source class and meets the block.
struct Match {
  const BlockRule* rule{};
  bool covers_source{false};  // its node is at or above the source's
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

// Columns in `conditional`, then the steps of the search: the word of a step, the columns in which
// it was taken, and of an allow those of them in which it is published. Equal transcripts, equal
// blocks.
using Transcript = std::vector<std::uint64_t>;

class BlockJudge {
 public:
  explicit BlockJudge(const CheckedPolicy& policy);

  // Writes down what the search comes past; `matches` ascend by position.
  void judge(std::span<const Match> matches, Transcript& transcript);

 private:
  // The rules of one node in one phase, with its turn in some of the columns.
  struct Turn {
    std::uint64_t order;  // turns of a phase ascend by it
    std::span<const Match> rules;
    ColumnMask columns;
  };
  struct Standing {
    std::uint32_t depth;
    std::uint32_t code_rank;  // of its code, among all in byte order
  };

  void arrange(std::span<const Match> matches);
  void add_turns(std::span<const Match> group);
  [[nodiscard]] const std::vector<Turn>& turns(Phase phase) const {
    return turns_[static_cast<std::size_t>(phase)];
  }
  // The search in columns without conditions, and the same where it hangs on them.
  void decide(std::size_t mode, ColumnMask open, Transcript& out);
  void write_program(std::size_t mode, ColumnMask columns, Transcript& out);
  struct Written {
    ColumnMask touched{0};
    ColumnMask settled{0};  // a rule without a condition ends the search
  };
  Written write_turn(const Turn& turn, std::size_t mode, ColumnMask open, Transcript& out);

  std::vector<Standing> standing_;  // by NodeId
  std::array<std::vector<Turn>, kPhases> turns_;
};

[[nodiscard]] BlockAnswer unfold(const Transcript& transcript);

}  // namespace meiguan::policy
