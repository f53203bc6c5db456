#pragma once

// Cells where rules with conditions match: the answer for every combination of conditions, as a
// decision diagram over them.
//
// A Program is what the search for one cell would come past, were every rule there. It is run once,
// step by step, over all combinations at a time: a diagram leads from the conditions to the state
// that the search has reached (what is decided, which audits were passed), and a step of an
// allow or deny with a condition parts each state in two; an audit keeps its condition in the list.
// Conditions are asked in the order of their numbers and equal parts of a diagram are one, so that
// equal answers are equal cells, a chain of n temporary rules has n branches, and not two to the n,
// and combinations that do not matter are not asked.

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_intern.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

// No cell leads to more branches than this, and no policy to more work than this many states
// looked at (several seconds): who may write a rule in one county must not hold up a province.
inline constexpr std::size_t kMaxBranchesOfCell = 4096;
inline constexpr std::uint64_t kMaxBranchWork = 100'000'000;

class BranchBuilder {
 public:
  enum class Excess : std::uint8_t { kNone, kCell, kPolicy };

  // `condition_at[position]` is that of the rule, or image::kNone.
  BranchBuilder(std::span<const std::uint32_t> condition_at, Interner<Outcome>& outcomes)
      : condition_at_{condition_at}, outcomes_{outcomes} {}

  // Where a limit is exceeded the cell means nothing, and excess() says which.
  [[nodiscard]] image::Cell cell_of(const Program& program);

  // Begins with `branches`, whose outcomes have the same numbers here.
  void take_over(const std::vector<image::Branch>& branches) {
    branches_ = branches;
    for (const image::Branch& b : branches) {
      known_branches_.append({b.condition, b.when_holds, b.otherwise});
    }
  }
  [[nodiscard]] std::uint64_t work() const { return work_; }

  [[nodiscard]] Excess excess() const { return excess_; }
  // Position of the rule whose step went beyond.
  [[nodiscard]] std::uint32_t beyond() const { return beyond_; }
  // Children before their parents.
  [[nodiscard]] const std::vector<image::Branch>& branches() const { return branches_; }

 private:
  // A state of the search.
  struct State {
    Outcome outcome;
    bool node_done{false};  // the node whose turn it is has its own first match
    bool decided{false};    // nothing that follows in this mode matters
    void take(Step step, std::size_t mode);
    bool operator==(const State&) const = default;
  };
  struct Fork {
    std::uint32_t condition;
    image::Cell when_holds;
    image::Cell otherwise;
    bool operator==(const Fork&) const = default;
  };
  struct HashOf {
    std::size_t operator()(const State& s) const {
      return Hash{}(s.outcome) * 4 + (s.node_done ? 2U : 0U) + (s.decided ? 1U : 0U);
    }
    std::size_t operator()(const Fork& f) const {
      return Hash{}(std::array{f.condition, f.when_holds, f.otherwise});
    }
  };
  using Memo = std::unordered_map<image::Cell, image::Cell>;

  // A diagram is the number of a state, or kBranchBit with that of a fork: as a Cell is.
  [[nodiscard]] image::Cell run(const Program& program);
  [[nodiscard]] image::Cell fork(std::uint32_t condition, image::Cell when_holds,
                                 image::Cell otherwise);
  // The diagram in which the step was taken in every state.
  [[nodiscard]] image::Cell everywhere(image::Cell diagram, Step step);
  // The diagram in which it was taken where `condition` holds.
  [[nodiscard]] image::Cell where(image::Cell diagram, Step step, std::uint32_t condition);
  [[nodiscard]] image::Cell finish(image::Cell diagram);
  [[nodiscard]] bool may_go_on(std::size_t cost);

  std::span<const std::uint32_t> condition_at_;
  Interner<Outcome>& outcomes_;
  std::unordered_map<Program, image::Cell, Hash> known_;
  Interner<Fork, HashOf> known_branches_;
  std::vector<image::Branch> branches_;
  std::size_t mode_{0};
  Interner<State, HashOf> states_;
  Interner<Fork, HashOf> forks_;
  Memo everywhere_;
  Memo where_;
  Memo finished_;
  std::uint64_t work_{0};
  Excess excess_{Excess::kNone};
  std::uint32_t beyond_{0};
};

}  // namespace meiguan::policy
