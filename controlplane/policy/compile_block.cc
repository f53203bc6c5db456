#include "controlplane/policy/compile_block.h"

#include <algorithm>
#include <bit>
#include <string_view>
#include <tuple>

namespace meiguan::policy {
namespace {

constexpr ColumnMask kAllColumns = ~ColumnMask{0};

// The rules of one node in one phase.
struct Group {
  NodeId node;
  bool covers_source{false};
  std::span<const Candidate> rules;
};

// One node's turn in some of the columns.
struct Turn {
  const Group* group;
  ColumnMask columns;
};

template <typename F>
void each(ColumnMask columns, F&& visit) {
  for (; columns != 0; columns &= columns - 1) {
    visit(static_cast<std::size_t>(std::countr_zero(columns)));
  }
}

// The candidates of a block, as nodes take their turns.
class BlockTurns {
 public:
  BlockTurns(const CheckedPolicy& policy, const RuleOrder& order, const BlockColumns& columns,
             std::span<const Candidate> candidates)
      : policy_{policy}, order_{order}, columns_{columns} {
    for (std::size_t i = 0; i < candidates.size();) {
      const Rule& first = order_.at(candidates[i].position);
      std::size_t end = i + 1;
      while (end < candidates.size() && order_.at(candidates[end].position).node == first.node &&
             order_.at(candidates[end].position).phase == first.phase) {
        ++end;
      }
      phases_[static_cast<std::size_t>(first.phase)].push_back(
          {first.node, candidates[i].covers_source != 0, candidates.subspan(i, end - i)});
      i = end;
    }
    for (std::size_t phase = 0; phase < kPhases; ++phase) {
      turns_[phase] = turns(phases_[phase], phase == static_cast<std::size_t>(Phase::kBaseline));
    }
  }

  [[nodiscard]] const std::vector<Turn>& of(Phase phase) const {
    return turns_[static_cast<std::size_t>(phase)];
  }
  [[nodiscard]] const Rule& rule(const Candidate& candidate) const {
    return order_.at(candidate.position);
  }
  [[nodiscard]] const RuleMask& mask(const Candidate& candidate) const {
    return columns_.rules.at(candidate.position);
  }

  [[nodiscard]] ColumnMask matched_by(const Group& group, const Candidate& candidate,
                                      const RuleMask& mask, std::size_t mode) const {
    const Rule& rule = order_.at(candidate.position);
    if (rule.action != Action::kAllow) return mask.any;
    ColumnMask columns = mode == 0 ? mask.any : mask.service;
    const bool is_root = policy_.nodes[group.node.index()].parent.is_none();
    if (rule.phase == Phase::kMandatory && !is_root) {
      columns &= group.covers_source ? mask_of(group.node).all : 0;
    }
    return columns;
  }

 private:
  [[nodiscard]] NodeMask mask_of(NodeId node) const {
    const auto it = columns_.nodes.find(node);
    return it == columns_.nodes.end() ? NodeMask{} : it->second;
  }

  // Nodes by depth; at the same depth those at or above a service first, then those at or above
  // the unit, then the source's, and otherwise by code.
  [[nodiscard]] std::vector<Turn> turns(const std::vector<Group>& groups,
                                        bool deepest_first) const {
    struct Entry {
      int depth;
      int rank;
      std::string_view code;
      Turn turn;
    };
    std::vector<Entry> entries;
    for (const Group& group : groups) {
      const Node& node = policy_.nodes[group.node.index()];
      const int depth = static_cast<int>(node.depth) * (deepest_first ? -1 : 1);
      if (node.parent.is_none()) {
        entries.push_back({depth, 0, node.code, {&group, kAllColumns}});
        continue;
      }
      const NodeMask mask = mask_of(group.node);
      const ColumnMask unit = mask.unit & ~mask.service;
      const ColumnMask source = group.covers_source ? ~(mask.unit | mask.service) : 0;
      if (mask.service != 0) entries.push_back({depth, 0, node.code, {&group, mask.service}});
      if (unit != 0) entries.push_back({depth, 1, node.code, {&group, unit}});
      if (source != 0) entries.push_back({depth, 2, node.code, {&group, source}});
    }
    std::ranges::sort(entries, {}, [](const Entry& e) {
      return std::tuple{e.depth, e.rank, e.code};
    });
    std::vector<Turn> result;
    for (const Entry& e : entries) result.push_back(e.turn);
    return result;
  }

  const CheckedPolicy& policy_;
  const RuleOrder& order_;
  const BlockColumns& columns_;
  std::array<std::vector<Group>, kPhases> phases_;
  std::array<std::vector<Turn>, kPhases> turns_;
};

class BlockJudge {
 public:
  // Leaves alone the columns outside `open`.
  BlockJudge(const BlockTurns& turns, std::size_t mode, ColumnMask open,
             std::array<Outcome, image::kBlockColumns>& outcomes)
      : turns_{turns}, mode_{mode}, outcomes_{outcomes}, undecided_{open} {}

  void judge() {
    for (const Turn& turn : turns_.of(Phase::kMandatory)) search(turn);
    const ColumnMask before = undecided_;
    for (const Turn& turn : turns_.of(Phase::kLocal)) local(turn, before);
    for (const Turn& turn : turns_.of(Phase::kBaseline)) search(turn);
  }

 private:
  void set(std::size_t column, const Candidate& candidate, const RuleMask& mask) {
    Outcome& outcome = outcomes_[column];
    const bool allows = turns_.rule(candidate).action == Action::kAllow;
    outcome.rule[mode_] = candidate.position;
    outcome.action[mode_] = allows ? image::RuleAction::kAllow : image::RuleAction::kDeny;
    if (mode_ == 1) outcome.published = allows && (mask.unpublished >> column & 1) == 0;
  }

  // One node's own first deciding rule in `open` columns; answers the columns that it decided.
  template <typename Decide>
  ColumnMask first_match(const Turn& turn, ColumnMask open, Decide&& decide) {
    ColumnMask decided = 0;
    for (const Candidate& candidate : turn.group->rules) {
      const RuleMask& mask = turns_.mask(candidate);
      const ColumnMask hit = turns_.matched_by(*turn.group, candidate, mask, mode_) & turn.columns &
                             open & ~decided;
      if (hit == 0) continue;
      if (turns_.rule(candidate).action == Action::kAudit) {
        each(hit, [&](std::size_t c) { outcomes_[c].audits[mode_].push_back(candidate.position); });
        continue;
      }
      decide(hit, candidate, mask);
      decided |= hit;
    }
    return decided;
  }

  void search(const Turn& turn) {
    undecided_ &= ~first_match(turn, undecided_,
                               [&](ColumnMask hit, const auto& candidate, const auto& mask) {
                                 each(hit, [&](std::size_t c) { set(c, candidate, mask); });
                               });
  }

  // Every node gives its own first match; the first deny wins, else the first allow. `open` are
  // the columns that the mandatory rules left.
  void local(const Turn& turn, ColumnMask open) {
    (void)first_match(turn, open, [&](ColumnMask hit, const auto& candidate, const auto& mask) {
      const bool denies = turns_.rule(candidate).action == Action::kDeny;
      const ColumnMask wins = denies ? hit & ~denied_ : hit & undecided_;
      each(wins, [&](std::size_t c) { set(c, candidate, mask); });
      if (denies) denied_ |= hit;
      undecided_ &= ~hit;
    });
  }

  const BlockTurns& turns_;
  const std::size_t mode_;
  std::array<Outcome, image::kBlockColumns>& outcomes_;
  ColumnMask undecided_;
  ColumnMask denied_{0};
};

// Writes down what the same search would come past, for columns where it hangs on conditions.
class ProgramWriter {
 public:
  ProgramWriter(const BlockTurns& turns, std::span<const std::uint32_t> condition_at,
                ColumnMask columns, std::vector<Program>& programs)
      : turns_{turns}, condition_at_{condition_at}, columns_{columns}, programs_{programs} {}

  void write(std::size_t mode) {
    ColumnMask open = columns_;
    for (const Turn& turn : turns_.of(Phase::kMandatory)) open &= ~write(turn, mode, open).settled;
    Written local{};
    for (const Turn& turn : turns_.of(Phase::kLocal)) {
      const Written written = write(turn, mode, open);
      end(written.touched, StepKind::kEndOfNode);
      local.touched |= written.touched;
      local.settled |= written.settled;
    }
    end(local.touched, StepKind::kEndOfLocal);
    open &= ~local.settled;
    for (const Turn& turn : turns_.of(Phase::kBaseline)) open &= ~write(turn, mode, open).settled;
    end(columns_, StepKind::kEndOfMode);
  }

 private:
  struct Written {
    ColumnMask touched{0};
    ColumnMask settled{0};  // a rule without a condition ends the search
  };

  Written write(const Turn& turn, std::size_t mode, ColumnMask open) {
    Written written;
    for (const Candidate& candidate : turn.group->rules) {
      const RuleMask& mask = turns_.mask(candidate);
      const Rule& rule = turns_.rule(candidate);
      const ColumnMask hit = turns_.matched_by(*turn.group, candidate, mask, mode) & turn.columns &
                             open & ~written.settled;
      const StepKind kind = rule.action == Action::kAllow  ? StepKind::kAllow
                            : rule.action == Action::kDeny ? StepKind::kDeny
                                                           : StepKind::kAudit;
      each(hit, [&](std::size_t c) {
        const bool published = kind == StepKind::kAllow && (mask.unpublished >> c & 1) == 0;
        const Step step{kind, rule.phase == Phase::kLocal, published, candidate.position};
        programs_[c].push_back(step.word());
      });
      written.touched |= hit;
      const bool decides = kind != StepKind::kAudit &&
                           condition_at_[candidate.position] == image::kNone;
      if (decides) written.settled |= hit;
    }
    return written;
  }

  void end(ColumnMask columns, StepKind kind) {
    const Step step{kind, false, false, 0};
    each(columns, [&](std::size_t c) { programs_[c].push_back(step.word()); });
  }

  const BlockTurns& turns_;
  const std::span<const std::uint32_t> condition_at_;
  const ColumnMask columns_;
  std::vector<Program>& programs_;
};

}  // namespace

BlockAnswer judge_block(const CheckedPolicy& policy, const RuleOrder& order,
                        std::span<const std::uint32_t> condition_at, const BlockColumns& columns,
                        std::span<const Candidate> candidates) {
  const BlockTurns turns{policy, order, columns, candidates};
  BlockAnswer answer;
  for (const Candidate& candidate : candidates) {
    if (condition_at[candidate.position] != image::kNone) {
      answer.conditional |= turns.mask(candidate).any;
    }
  }
  for (std::size_t mode = 0; mode < kModes; ++mode) {
    BlockJudge{turns, mode, ~answer.conditional, answer.outcomes}.judge();
  }
  if (answer.conditional != 0) {
    answer.programs.resize(image::kBlockColumns);
    for (std::size_t mode = 0; mode < kModes; ++mode) {
      ProgramWriter{turns, condition_at, answer.conditional, answer.programs}.write(mode);
    }
  }
  return answer;
}

}  // namespace meiguan::policy
