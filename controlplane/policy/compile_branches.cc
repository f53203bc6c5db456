#include "controlplane/policy/compile_branches.h"

namespace meiguan::policy {
namespace {

using image::Cell;
using image::kBranchBit;

// Of one cell, while it is worked out: states and forks that no diagram leads to any more count as
// well.
constexpr std::size_t kMaxMade = std::size_t{1} << 20;

bool is_fork(Cell diagram) { return (diagram & kBranchBit) != 0; }

}  // namespace

Cell BranchBuilder::cell_of(const Program& program) {
  if (excess_ != Excess::kNone) return 0;
  const auto [it, is_new] = known_.try_emplace(program, 0);
  if (is_new) it->second = run(program);
  return it->second;
}

void BranchBuilder::State::take(Step step, std::size_t mode) {
  if (!step.is_rule()) {
    node_done = false;
    if (step.kind == StepKind::kEndOfLocal) {
      decided = decided || outcome.action[mode] != image::RuleAction::kDefaultDeny;
    } else if (step.kind == StepKind::kEndOfMode) {
      decided = false;
    }
    return;
  }
  if (decided || node_done) return;
  if (step.kind == StepKind::kAudit) {
    outcome.audits[mode].push_back(step.position);
    return;
  }
  // Of the nodes' own first matches the first deny wins, else the first allow; elsewhere the first
  // match ends the search.
  (step.local ? node_done : decided) = true;
  const bool allows = step.kind == StepKind::kAllow;
  const image::RuleAction before = outcome.action[mode];
  const bool wins = allows ? before == image::RuleAction::kDefaultDeny
                           : before != image::RuleAction::kDeny;
  if (!wins) return;
  outcome.rule[mode] = step.position;
  outcome.action[mode] = allows ? image::RuleAction::kAllow : image::RuleAction::kDeny;
  if (mode == 1) outcome.published = allows && step.published;
}

Cell BranchBuilder::run(const Program& program) {
  states_.clear();
  forks_.clear();
  mode_ = 0;
  Cell diagram = states_(State{});
  for (const std::uint64_t word : program) {
    const Step step = Step::from(word);
    everywhere_.clear();
    where_.clear();
    // An audit is listed with its condition, and parts nothing.
    const bool parts = step.is_rule() && step.kind != StepKind::kAudit;
    const std::uint32_t condition = parts ? condition_at_[step.position] : image::kNone;
    if (step.is_rule()) beyond_ = step.position;
    diagram = condition == image::kNone ? everywhere(diagram, step)
                                        : where(diagram, step, condition);
    if (step.kind == StepKind::kEndOfMode) ++mode_;
    if (excess_ != Excess::kNone) return 0;
  }
  finished_.clear();
  return finish(diagram);
}

bool BranchBuilder::may_go_on(std::size_t cost) {
  work_ += cost;
  if (where_.size() + everywhere_.size() > 2 * kMaxBranchesOfCell ||
      states_.values().size() + forks_.values().size() > kMaxMade) {
    excess_ = Excess::kCell;
  } else if (work_ > kMaxBranchWork) {
    excess_ = Excess::kPolicy;
  }
  return excess_ == Excess::kNone;
}

Cell BranchBuilder::fork(std::uint32_t condition, Cell when_holds, Cell otherwise) {
  if (when_holds == otherwise) return when_holds;
  return kBranchBit | forks_({condition, when_holds, otherwise});
}

Cell BranchBuilder::everywhere(Cell diagram, Step step) {
  if (!is_fork(diagram)) {
    const State& before = states_.values()[diagram];
    const Outcome& outcome = before.outcome;
    if (!may_go_on(1 + outcome.audits[0].size() + outcome.audits[1].size())) return diagram;
    State after = before;
    after.take(step, mode_);
    return after == before ? diagram : states_(after);
  }
  const auto [it, is_new] = everywhere_.try_emplace(diagram, diagram);
  if (!is_new || !may_go_on(1)) return it->second;
  const Fork at = forks_.values()[diagram & ~kBranchBit];
  const Cell when_holds = everywhere(at.when_holds, step);
  const Cell otherwise = everywhere(at.otherwise, step);
  return everywhere_[diagram] = fork(at.condition, when_holds, otherwise);
}

Cell BranchBuilder::where(Cell diagram, Step step, std::uint32_t condition) {
  const bool is_above = is_fork(diagram) &&
                        forks_.values()[diagram & ~kBranchBit].condition < condition;
  if (!is_fork(diagram)) return fork(condition, everywhere(diagram, step), diagram);
  const auto [it, is_new] = where_.try_emplace(diagram, diagram);
  if (!is_new || !may_go_on(1)) return it->second;
  const Fork at = forks_.values()[diagram & ~kBranchBit];
  Cell result = 0;
  if (is_above) {
    const Cell when_holds = where(at.when_holds, step, condition);
    const Cell otherwise = where(at.otherwise, step, condition);
    result = fork(at.condition, when_holds, otherwise);
  } else if (at.condition == condition) {
    result = fork(condition, everywhere(at.when_holds, step), at.otherwise);
  } else {
    result = fork(condition, everywhere(diagram, step), diagram);
  }
  return where_[diagram] = result;
}

// From states and forks to the image's outcomes and branches.
Cell BranchBuilder::finish(Cell diagram) {
  if (!is_fork(diagram)) return outcomes_(states_.values()[diagram].outcome);
  const auto [it, is_new] = finished_.try_emplace(diagram, diagram);
  if (!is_new) return it->second;
  if (finished_.size() > kMaxBranchesOfCell) {
    excess_ = Excess::kCell;
    return 0;
  }
  const Fork at = forks_.values()[diagram & ~kBranchBit];
  const Cell when_holds = finish(at.when_holds);
  const Cell otherwise = finish(at.otherwise);
  const std::uint32_t number = known_branches_({at.condition, when_holds, otherwise});
  if (number == branches_.size()) branches_.push_back({at.condition, when_holds, otherwise, 0});
  return finished_[diagram] = kBranchBit | number;
}

}  // namespace meiguan::policy
