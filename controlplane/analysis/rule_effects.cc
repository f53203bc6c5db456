#include "controlplane/analysis/rule_effects.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <utility>

#include "controlplane/analysis/block_search.h"
#include "controlplane/analysis/cell_sweep.h"
#include "controlplane/analysis/instants.h"
#include "controlplane/analysis/reach.h"

namespace meiguan::analysis {
namespace {

using policy::Action;

constexpr std::size_t kOverrulers = 8;  // so many are kept of a rule that still decides elsewhere

struct Verdict {
  ColumnMask allowed{0};
  ColumnMask published{0};  // of these, where a published service is named
};

// The ways in which conditions hold together, asked once for each list of them.
class Times {
 public:
  Times(const image::Image& image, std::int64_t at) : image_{image}, at_{at} {}

  // A byte for each condition, 1 where it holds. One empty way where there are none.
  const std::vector<std::vector<std::uint8_t>>& of(const std::vector<std::uint32_t>& conditions) {
    const auto [it, is_new] = known_.try_emplace(conditions);
    if (!is_new) return it->second;
    std::vector<ConditionRef> refs;
    for (const auto condition : conditions) refs.push_back({&image_, condition});
    for (const Constellation& one : constellations(refs, at_)) {
      it->second.emplace_back(one.holds.begin(), one.holds.end());
    }
    return it->second;
  }

 private:
  const image::Image& image_;
  std::int64_t at_;
  std::map<std::vector<std::uint32_t>, std::vector<std::vector<std::uint8_t>>> known_;
};

class EffectFinder {
 public:
  EffectFinder(const policy::CheckedPolicy& policy, const image::Image& image,
               const policy::CompileTrace& trace, std::int64_t at)
      : policy_{policy},
        trace_{trace},
        at_{at},
        order_{policy},
        ranges_{Reach{image}},
        times_{image, at},
        search_{policy, order_},
        effects_(policy.rules.size()),
        let_by_(trace.blocks.size()) {}

  PolicyEffects find() {
    for (std::size_t i = 0; i < effects_.size(); ++i) {
      effects_[i].ever_there = std::ranges::any_of(times_.of(conditions_of_rule(i)),
                                                   [](const auto& state) {
                                                     return std::ranges::count(state, 0) == 0;
                                                   });
    }
    for (std::size_t k = 0; k < order_.size(); ++k) {
      effects_[order_.index(k)].has_targets = !trace_.blocks_of_rule[k].empty();
    }
    for (std::size_t r = 0; r < trace_.rows.size(); ++r) {
      if (ranges_.sources_of(static_cast<std::uint32_t>(r)) == image::kNone) continue;
      for (const auto k : trace_.rows[r].rules) effects_[order_.index(k)].has_sources = true;
    }
    sweep_cells(policy_, order_, trace_, ranges_,
                [this](std::size_t block, const ClassRanges::Columns& columns,
                       std::span<const policy::Candidate> candidates) {
                  look_at(block, columns, candidates);
                });
    for (auto& effect : effects_) {
      if (effect.decides) effect.deciders.clear();
      if (effect.is_needed) effect.successors.clear();
    }
    return {at_, std::move(effects_), std::move(let_by_)};
  }

 private:
  RuleEffect& effect_of(std::size_t i) { return effects_[order_.index(search_.position(i))]; }

  [[nodiscard]] std::vector<std::uint32_t> conditions_of_rule(std::size_t i) const {
    if (trace_.conditions[i] == image::kNone) return {};
    return {trace_.conditions[i]};
  }

  void look_at(std::size_t block, const ClassRanges::Columns& columns,
               std::span<const policy::Candidate> candidates) {
    search_.begin(trace_.blocks[block], candidates);
    block_ = block;
    const ColumnMask asked = columns.rules | columns.service | columns.published;
    conditions_.clear();
    for (std::size_t i = 0; i < candidates.size(); ++i) {
      RuleEffect& effect = effect_of(i);
      effect.in_scope = effect.in_scope || search_.in_scope(i) != 0;
      effect.not_isolated = effect.not_isolated || (search_.in_scope(i) & asked) != 0;
      effect.outside = effect.outside || (search_.outside(i) & asked) != 0;
      const auto condition = trace_.conditions[order_.index(search_.position(i))];
      if (condition != image::kNone) conditions_.push_back(condition);
    }
    if (asked == 0) return;
    std::ranges::sort(conditions_);
    const auto rest = std::ranges::unique(conditions_);
    conditions_.erase(rest.begin(), rest.end());
    const auto& states = times_.of(conditions_);
    has_times_ = states.size() > 1;
    lost_.clear();
    for (auto& columns_decided : decided_at_times_) columns_decided.assign(candidates.size(), 0);
    for (const auto& state : states) {
      is_there_.clear();
      for (std::size_t i = 0; i < candidates.size(); ++i) {
        const auto condition = trace_.conditions[order_.index(search_.position(i))];
        const auto at = std::ranges::lower_bound(conditions_, condition) - conditions_.begin();
        is_there_.push_back(condition == image::kNone ? 1 : state[static_cast<std::size_t>(at)]);
      }
      look_at_mode(Mode::kRules, columns.rules, 0);
      look_at_mode(Mode::kService, columns.service, columns.published);
    }
    for (const Lost& lost : lost_) {
      const ColumnMask decided = decided_at_times_[static_cast<std::size_t>(lost.mode)][lost.rule];
      if ((lost.columns & decided) != 0) {
        add(effect_of(lost.rule).paused_by, search_.position(lost.to));
      }
    }
  }

  // `plain` and `published`: columns where packets can be, without and with the question whether
  // the service is published.
  void look_at_mode(Mode mode, ColumnMask plain, ColumnMask published) {
    const ColumnMask open = plain | published;
    if (open == 0) return;
    search_.run(mode, is_there_, open);
    const Verdict verdict{search_.allowed(), search_.allowed_published()};
    decided_.clear();
    effective_.clear();
    for (std::size_t i = 0; i < search_.size(); ++i) {
      decided_.push_back(search_.decides(i));
      // A node's own first match keeps the node's later rules from speaking, also where another
      // node's allow is the one that decides.
      effective_.push_back(search_.decides(i) | (search_.first_of_node(i) & search_.allowed()));
    }
    const ColumnMask denied = search_.denied();
    let_by_[block_] |= (verdict.allowed & plain) | (verdict.published & published);
    for (std::size_t i = 0; i < search_.size(); ++i) {
      if (is_there_[i] == 0) continue;
      RuleEffect& effect = effect_of(i);
      const ColumnMask matched = search_.matched(i, mode) & open;
      const bool may_pass = mode == Mode::kService && search_.rule(i).action == Action::kAllow;
      if (may_pass && (search_.in_scope(i) & ~search_.outside(i) & open & ~matched) != 0) {
        effect.passed_over = true;
      }
      if (matched == 0) continue;
      effect.matches = true;
      if (decided_[i] != 0) effect.decides = true;
      if ((decided_[i] & (plain | (published & ~search_.unpublished(i)))) != 0) {
        effect.lets_by = true;
      }
      if (const ColumnMask lost = matched & ~decided_[i]; lost != 0) {
        if (!effect.decides) note(effect.deciders, lost, i);
        note_overrulers(effect, lost, i, verdict.allowed, denied);
        if (has_times_) note_lost(mode, lost, i, verdict.allowed, denied);
      }
      if (has_times_) decided_at_times_[static_cast<std::size_t>(mode)][i] |= decided_[i];
    }
    for (std::size_t i = 0; i < decided_.size(); ++i) {
      if (is_there_[i] != 0 && effective_[i] != 0) look_without(mode, plain, published, i, verdict);
    }
  }

  // Who decides in some of `columns` goes on the list.
  void note(std::vector<std::uint32_t>& list, ColumnMask columns, std::size_t but) const {
    for (std::size_t j = 0; j < decided_.size() && columns != 0; ++j) {
      if (j == but || search_.rule(j).action == Action::kAudit) continue;
      if ((decided_[j] & columns) == 0) continue;
      columns &= ~decided_[j];
      add(list, search_.position(j));
    }
  }

  void add(std::vector<std::uint32_t>& list, std::uint32_t position) const {
    const auto index = static_cast<std::uint32_t>(order_.index(position));
    const auto at = std::ranges::lower_bound(list, index);
    if (at == list.end() || *at != index) list.insert(at, index);
  }

  void note_overrulers(RuleEffect& effect, ColumnMask lost, std::size_t i, ColumnMask allowed,
                       ColumnMask denied) const {
    const policy::Rule& rule = search_.rule(i);
    if (rule.action == Action::kAudit || effect.overruled_by.size() >= kOverrulers) return;
    ColumnMask other_way = lost & (rule.action == Action::kAllow ? denied : allowed);
    for (std::size_t j = 0; j < decided_.size() && other_way != 0; ++j) {
      if ((decided_[j] & other_way) == 0 || search_.rule(j).action == Action::kAudit) continue;
      other_way &= ~decided_[j];
      if (search_.rule(j).node != rule.node) add(effect.overruled_by, search_.position(j));
    }
  }

  // What earlier rules of candidate `i`'s own node take from it and decide the other way.
  void note_lost(Mode mode, ColumnMask lost, std::size_t i, ColumnMask allowed, ColumnMask denied) {
    const policy::Rule& rule = search_.rule(i);
    if (rule.action == Action::kAudit) return;
    const ColumnMask other_way = lost & (rule.action == Action::kAllow ? denied : allowed);
    for (std::size_t j = 0; j < i && other_way != 0; ++j) {
      if (search_.rule(j).action == Action::kAudit || search_.rule(j).node != rule.node) continue;
      if ((decided_[j] & other_way) != 0) lost_.push_back({mode, i, j, decided_[j] & other_way});
    }
  }

  // The same without candidate `i`, in the columns where it has a say.
  void look_without(Mode mode, ColumnMask plain, ColumnMask published, std::size_t i,
                    const Verdict& with) {
    RuleEffect& effect = effect_of(i);
    if (effect.is_needed) return;
    if (search_.rule(i).action == Action::kAudit) {
      effect.is_needed = true;
      return;
    }
    is_there_[i] = 0;
    search_.run(mode, is_there_, effective_[i]);
    is_there_[i] = 1;
    const ColumnMask changed = ((with.allowed ^ search_.allowed()) & effective_[i] & plain) |
                               ((with.published ^ search_.allowed_published()) & effective_[i] &
                                published);
    if (changed != 0) {
      effect.is_needed = true;
      return;
    }
    if (decided_[i] == 0) return;
    if ((decided_[i] & ~search_.allowed() & ~search_.denied()) != 0) effect.falls_to_default = true;
    for (std::size_t j = 0; j < decided_.size(); ++j) {
      if (search_.rule(j).action != Action::kAudit && (search_.decides(j) & decided_[i]) != 0) {
        add(effect.successors, search_.position(j));
      }
    }
  }

  // In one state of the conditions `to` decides where `rule` matches.
  struct Lost {
    Mode mode;
    std::size_t rule;
    std::size_t to;
    ColumnMask columns;
  };

  const policy::CheckedPolicy& policy_;
  const policy::CompileTrace& trace_;
  std::int64_t at_;
  policy::RuleOrder order_;
  ClassRanges ranges_;
  Times times_;
  BlockSearch search_;
  std::vector<RuleEffect> effects_;
  std::vector<std::uint64_t> let_by_;
  std::size_t block_{0};
  std::vector<std::uint32_t> conditions_;  // of the candidates
  std::vector<std::uint8_t> is_there_;     // by candidate
  std::vector<ColumnMask> decided_;        // by candidate, in the run with all of them
  std::vector<ColumnMask> effective_;      // ... and where it is its node's first match
  bool has_times_{false};                  // the conditions have several states
  std::vector<Lost> lost_;
  std::array<std::vector<ColumnMask>, 2> decided_at_times_;  // by mode: in any of the states
};

}  // namespace

PolicyEffects find_effects(const policy::CheckedPolicy& policy, const image::Image& image,
                           const policy::CompileTrace& trace, std::int64_t at) {
  return EffectFinder{policy, image, trace, at}.find();
}

}  // namespace meiguan::analysis
