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

class BlockJudge {
 public:
  BlockJudge(const CheckedPolicy& policy, const RuleOrder& order, const BlockColumns& columns,
             std::size_t mode, std::array<Outcome, image::kBlockColumns>& outcomes)
      : policy_{policy}, order_{order}, columns_{columns}, mode_{mode}, outcomes_{outcomes} {}

  void judge(std::span<const Candidate> candidates) {
    std::array<std::vector<Group>, kPhases> phases;
    for (std::size_t i = 0; i < candidates.size();) {
      const Rule& first = order_.at(candidates[i].position);
      std::size_t end = i + 1;
      while (end < candidates.size() && order_.at(candidates[end].position).node == first.node &&
             order_.at(candidates[end].position).phase == first.phase) {
        ++end;
      }
      phases[static_cast<std::size_t>(first.phase)].push_back(
          {first.node, candidates[i].covers_source != 0, candidates.subspan(i, end - i)});
      i = end;
    }
    for (const Turn& turn : turns(phases[0], false)) search(turn);
    const ColumnMask before = undecided_;
    for (const Turn& turn : turns(phases[1], false)) local(turn, before);
    for (const Turn& turn : turns(phases[2], true)) search(turn);
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

  [[nodiscard]] ColumnMask matched_by(const Group& group, const Candidate& candidate,
                                      const RuleMask& mask) const {
    const Rule& rule = order_.at(candidate.position);
    if (rule.action != Action::kAllow) return mask.any;
    ColumnMask columns = mode_ == 0 ? mask.any : mask.service;
    const bool is_root = policy_.nodes[group.node.index()].parent.is_none();
    if (rule.phase == Phase::kMandatory && !is_root) {
      columns &= group.covers_source ? mask_of(group.node).all : 0;
    }
    return columns;
  }

  template <typename F>
  static void each(ColumnMask columns, F&& visit) {
    for (; columns != 0; columns &= columns - 1) {
      visit(static_cast<std::size_t>(std::countr_zero(columns)));
    }
  }

  void set(std::size_t column, const Candidate& candidate, const RuleMask& mask) {
    Outcome& outcome = outcomes_[column];
    const bool allows = order_.at(candidate.position).action == Action::kAllow;
    outcome.rule[mode_] = candidate.position;
    outcome.action[mode_] = allows ? image::RuleAction::kAllow : image::RuleAction::kDeny;
    if (mode_ == 1) outcome.published = allows && (mask.unpublished >> column & 1) == 0;
  }

  // One node's own first deciding rule in `open` columns; answers the columns that it decided.
  template <typename Decide>
  ColumnMask first_match(const Turn& turn, ColumnMask open, Decide&& decide) {
    ColumnMask decided = 0;
    for (const Candidate& candidate : turn.group->rules) {
      const RuleMask& mask = columns_.rules.at(candidate.position);
      const ColumnMask hit = matched_by(*turn.group, candidate, mask) & turn.columns & open &
                             ~decided;
      if (hit == 0) continue;
      if (order_.at(candidate.position).action == Action::kAudit) {
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
      const bool denies = order_.at(candidate.position).action == Action::kDeny;
      const ColumnMask wins = denies ? hit & ~denied_ : hit & undecided_;
      each(wins, [&](std::size_t c) { set(c, candidate, mask); });
      if (denies) denied_ |= hit;
      undecided_ &= ~hit;
    });
  }

  const CheckedPolicy& policy_;
  const RuleOrder& order_;
  const BlockColumns& columns_;
  const std::size_t mode_;
  std::array<Outcome, image::kBlockColumns>& outcomes_;
  ColumnMask undecided_{kAllColumns};
  ColumnMask denied_{0};
};

}  // namespace

std::array<Outcome, image::kBlockColumns> judge_block(const CheckedPolicy& policy,
                                                      const RuleOrder& order,
                                                      const BlockColumns& columns,
                                                      std::span<const Candidate> candidates) {
  std::array<Outcome, image::kBlockColumns> outcomes;
  for (std::size_t mode = 0; mode < kModes; ++mode) {
    BlockJudge{policy, order, columns, mode, outcomes}.judge(candidates);
  }
  return outcomes;
}

}  // namespace meiguan::policy
