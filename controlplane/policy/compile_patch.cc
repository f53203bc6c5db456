// The cells of a policy of which few rules have changed.
//
// Rules are lined up: those before the first that differs and those behind the last are the same on
// both sides, and stand in the same order. A cell in which none of the others meets says the same
// as before, but that rules may have moved to other positions. All others are judged again.

#include <algorithm>
#include <limits>
#include <span>
#include <utility>

#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_cells.h"

namespace meiguan::policy {
namespace {

// Beyond these filling anew is as quick.
constexpr std::size_t kMostChangedRules = 64;
constexpr std::size_t kLeastShareLeftAlone = 8;
// A policy is refused by a limit whether it was patched or filled anew: what was worked out over
// all changes is more than filling anew takes, and stays below this part of the limit.
constexpr std::size_t kPartOfLimits = 2;

// Of a rule that is gone; no rule is there.
constexpr std::uint32_t kGone = std::numeric_limits<std::uint32_t>::max() - 1;

// Which rules differ: of both sides those from `first` on and before the last `same_behind`.
struct Difference {
  std::size_t first{0};
  std::size_t same_behind{0};
};

class Comparison {
 public:
  Comparison(const MatrixSides& before, const MatrixSides& now)
      : before_{before},
        now_{now},
        same_from_(now.from.size(), image::kNone),
        same_to_(now.to.size(), image::kNone) {}

  [[nodiscard]] bool same_places() const {
    return before_.nodes == now_.nodes && before_.row_nodes == now_.row_nodes &&
           before_.column_nodes == now_.column_nodes;
  }

  [[nodiscard]] Difference difference() {
    const std::size_t old_rules = before_.heads.size();
    const std::size_t rules = now_.heads.size();
    const std::size_t both = std::min(old_rules, rules);
    Difference d;
    while (d.first < both && is_same(d.first, d.first)) ++d.first;
    while (d.same_behind < both - d.first &&
           is_same(old_rules - 1 - d.same_behind, rules - 1 - d.same_behind)) {
      ++d.same_behind;
    }
    return d;
  }

 private:
  [[nodiscard]] bool is_same(std::size_t old_at, std::size_t at) {
    return before_.heads[old_at] == now_.heads[at] &&
           before_.rules.condition[old_at] == now_.rules.condition[at] &&
           is_same(before_.from, before_.rules.from[old_at], now_.from, now_.rules.from[at],
                   same_from_) &&
           is_same(before_.to, before_.rules.to[old_at], now_.to, now_.rules.to[at], same_to_);
  }
  // `known[i]` is the old list that `lists[i]` was last found to be equal to.
  template <typename T>
  [[nodiscard]] static bool is_same(const std::vector<T>& old_lists, std::uint32_t old_list,
                                    const std::vector<T>& lists, std::uint32_t list,
                                    std::vector<std::uint32_t>& known) {
    if (known[list] == old_list) return true;
    if (old_lists[old_list] != lists[list]) return false;
    known[list] = old_list;
    return true;
  }

  const MatrixSides& before_;
  const MatrixSides& now_;
  std::vector<std::uint32_t> same_from_;
  std::vector<std::uint32_t> same_to_;
};

// A block of a row that is to be judged again.
struct Asked {
  std::uint32_t row;
  std::uint32_t block;
  auto operator<=>(const Asked&) const = default;
};

// Adds the blocks that rules [first, end) meet; false where those are too many.
bool add_asked(const MatrixSides& sides, std::size_t first, std::size_t end, std::size_t most,
               std::vector<Asked>& asked) {
  for (std::size_t k = first; k < end; ++k) {
    const auto& rows = sides.from[sides.rules.from[k]];
    const auto masks = masks_of(sides.to[sides.rules.to[k]]);
    if (asked.size() + rows.size() * masks.size() > most) return false;
    for (const std::uint32_t row : rows) {
      for (const BlockMask& mask : masks) asked.push_back({row, mask.block});
    }
  }
  return true;
}

class Patcher {
 public:
  Patcher(const CheckedPolicy& policy, const RuleOrder& order, const MatrixCells& old_cells,
          const MatrixSides& sides, const Blocks& blocks, const Difference& difference,
          std::size_t old_rules)
      : policy_{policy},
        sides_{sides},
        blocks_{blocks},
        store_{policy, order, sides.rules.condition, outcomes_},
        rows_{lists_of_rows(sides)},
        matches_(blocks.count),
        in_hand_(blocks.count, image::kNone) {
    for (Outcome outcome : old_cells.outcomes) {
      move_rules(outcome, difference, old_rules);
      outcomes_.append(outcome);
    }
    store_.take_over(old_cells.cells, old_cells.branches);
    for (std::size_t i = 0; i < old_cells.stripes.size(); i += image::kStripeBlocks) {
      (void)stripes_(std::span{old_cells.stripes}.subspan(i, image::kStripeBlocks));
    }
    result_.stripes_per_row = old_cells.stripes_per_row;
    result_.row_stripes = old_cells.row_stripes;
  }

  [[nodiscard]] std::optional<MatrixCells> patch(std::span<const Asked> asked,
                                                 const MatrixCells& old_cells) {
    for (std::size_t i = 0; i < asked.size();) {
      std::size_t end = i + 1;
      while (end < asked.size() && asked[end].row == asked[i].row) ++end;
      judge_row(asked.subspan(i, end - i));
      if (store_.excess()) return std::nullopt;
      i = end;
    }
    result_.judged_rules = old_cells.judged_rules;
    result_.branch_work = old_cells.branch_work;
    finish_cells([&](std::uint32_t stripe) { return stripes_.list(stripe); }, store_, outcomes_,
                 result_);
    return std::move(result_);
  }

 private:
  void move_rules(Outcome& outcome, const Difference& difference, std::size_t old_rules) const {
    const auto move = [&](std::uint32_t& position) {
      if (position == image::kNone || position < difference.first) return;
      const std::size_t behind = old_rules - position;  // with itself
      position = behind > difference.same_behind
                     ? kGone
                     : static_cast<std::uint32_t>(sides_.heads.size() - behind);
    };
    for (std::uint32_t& position : outcome.rule) move(position);
    for (auto& audits : outcome.audits) {
      for (std::uint32_t& position : audits) move(position);
    }
  }

  // `asked` are blocks of one row, ascending.
  void judge_row(std::span<const Asked> asked) {
    const std::uint32_t row = asked.front().row;
    for (const Asked& one : asked) {
      matches_[one.block].clear();
      in_hand_[one.block] = row;
    }
    collect(row, asked);
    std::uint32_t* const stripes = &result_.row_stripes[std::size_t{row} * result_.stripes_per_row];
    for (std::size_t i = 0; i < asked.size();) {
      const std::size_t stripe = asked[i].block / image::kStripeBlocks;
      const auto old = stripes_.list(stripes[stripe]);
      stripe_.assign(old.begin(), old.end());
      for (; i < asked.size() && asked[i].block / image::kStripeBlocks == stripe; ++i) {
        std::vector<Match>& matches = matches_[asked[i].block];
        std::ranges::sort(matches, {}, [](const Match& m) { return m.rule->position; });
        stripe_[asked[i].block % image::kStripeBlocks] = store_.number_of(asked[i].block, matches);
      }
      const std::size_t blocks_here = blocks_.count - stripe * image::kStripeBlocks;
      for (std::size_t b = blocks_here; b < image::kStripeBlocks; ++b) {
        stripe_[b] = stripe_[blocks_here - 1];
      }
      stripes[stripe] = stripes_(stripe_).value;
    }
  }

  // The rules that meet in the asked blocks of a row.
  void collect(std::uint32_t row, std::span<const Asked> asked) {
    const NodeId node = sides_.row_nodes[row];
    const auto add = [&](const BlockRule& rule, std::uint32_t block) {
      const bool covers_source = policy_.is_within(node, rule.node);
      if (rule.meets_always || covers_source) matches_[block].push_back({&rule, covers_source});
    };
    for (const std::uint32_t list : rows_[row]) {
      for (const Blocks::Part& part : blocks_.narrow[list]) {
        if (in_hand_[part.block] != row) continue;
        for (std::uint32_t i = part.first; i < part.end; ++i) add(blocks_.rules[i], part.block);
      }
      for (const std::uint32_t w : blocks_.wide[list]) {
        for (const Asked& one : asked) {
          const std::uint32_t at = blocks_.wide_at[std::size_t{w} * blocks_.count + one.block];
          if (at != image::kNone) add(blocks_.rules[at], one.block);
        }
      }
    }
  }

  const CheckedPolicy& policy_;
  const MatrixSides& sides_;
  const Blocks& blocks_;
  Interner<Outcome> outcomes_;
  BlockStore store_;
  ListInterner<std::uint32_t> stripes_;
  const Lists<std::uint32_t> rows_;
  std::vector<std::vector<Match>> matches_;  // by block, of the row in hand
  std::vector<std::uint32_t> in_hand_;       // by block: the last row that asked for it
  std::vector<std::uint32_t> stripe_;
  MatrixCells result_;
};

}  // namespace

std::optional<MatrixCells> patch_cells(const CheckedPolicy& policy, const RuleOrder& order,
                                       const MatrixSides& before, const MatrixCells& cells,
                                       const MatrixSides& sides) {
  if (cells.judged_rules > kMaxJudgedRules / kPartOfLimits ||
      cells.branch_work > kMaxBranchWork / kPartOfLimits) {
    return std::nullopt;
  }
  Comparison comparison{before, sides};
  if (!comparison.same_places()) return std::nullopt;
  const Difference difference = comparison.difference();
  const std::size_t old_end = before.heads.size() - difference.same_behind;
  const std::size_t end = sides.heads.size() - difference.same_behind;
  if (old_end + end - 2 * difference.first > kMostChangedRules) return std::nullopt;
  std::vector<Asked> asked;
  const std::size_t most = sides.row_nodes.size() * sides.blocks() / kLeastShareLeftAlone;
  if (!add_asked(before, difference.first, old_end, most, asked) ||
      !add_asked(sides, difference.first, end, most, asked)) {
    return std::nullopt;
  }
  std::ranges::sort(asked);
  const auto rest = std::ranges::unique(asked);
  asked.erase(rest.begin(), rest.end());
  std::vector<std::uint8_t> is_asked(sides.blocks(), 0);
  for (const Asked& one : asked) is_asked[one.block] = 1;

  ScopeOfBlocks scope{policy, sides.column_nodes};
  const Blocks blocks = describe_blocks(order, sides.rules, sides.from.size(), sides.to,
                                        sides.blocks(), scope, is_asked);
  return Patcher{policy, order, cells, sides, blocks, difference, before.heads.size()}.patch(asked,
                                                                                             cells);
}

}  // namespace meiguan::policy
