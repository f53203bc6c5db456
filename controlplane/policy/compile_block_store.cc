#include "controlplane/policy/compile_block_store.h"

#include <fmt/core.h>

#include <algorithm>
#include <string>

namespace meiguan::policy {

std::uint32_t BlockStore::number_of(std::uint32_t block, std::span<const Match> matches) {
  list_.assign(1, block);
  for (const Match& match : matches) {
    list_.push_back(std::uint64_t{match.rule->position} << 1 | (match.covers_source ? 1U : 0U));
  }
  const auto list = lists_(list_);
  if (!list.is_new) return block_of_list_[list.value];
  block_of_list_.push_back(0);
  if (beyond_) return 0;
  judged_rules_ += matches.size() + 1;
  if (judged_rules_ > kMaxJudgedRules) {
    beyond_ = matches.empty() ? 0 : matches.back().rule->position;
    return 0;
  }
  judge_.judge(matches, transcript_);
  const auto transcript = transcripts_(transcript_);
  if (transcript.is_new) block_of_transcript_.push_back(unfolded());
  return block_of_list_.back() = block_of_transcript_[transcript.value];
}

void BlockStore::take_over(const std::vector<image::Cell>& cells,
                           const std::vector<image::Branch>& branches) {
  cells_ = cells;
  branches_.take_over(branches);
  for (std::size_t i = 0; i < cells.size(); i += image::kBlockColumns) {
    Cells block;
    std::copy_n(cells.begin() + static_cast<std::ptrdiff_t>(i), block.size(), block.begin());
    known_.emplace(block, static_cast<std::uint32_t>(i / image::kBlockColumns));
  }
}

std::uint32_t BlockStore::unfolded() {
  const Cells cells = cells_of(unfold(transcript_));
  const auto number = static_cast<std::uint32_t>(cells_.size() / image::kBlockColumns);
  const auto [it, is_new] = known_.try_emplace(cells, number);
  if (is_new) cells_.insert(cells_.end(), cells.begin(), cells.end());
  return it->second;
}

BlockStore::Cells BlockStore::cells_of(const BlockAnswer& answer) {
  const auto is_conditional = [&](std::size_t c) { return (answer.conditional >> c & 1) != 0; };
  const auto& outcomes = answer.outcomes;
  const auto& programs = answer.programs;
  Cells cells;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    // Neighbours mostly say the same.
    const bool alike = i > 0 && is_conditional(i) == is_conditional(i - 1);
    if (is_conditional(i)) {
      cells[i] = alike && programs[i] == programs[i - 1] ? cells[i - 1]
                                                         : branches_.cell_of(programs[i]);
    } else {
      cells[i] = alike && outcomes[i] == outcomes[i - 1] ? cells[i - 1] : outcomes_(outcomes[i]);
    }
  }
  return cells;
}

std::optional<Error> BlockStore::excess() const {
  if (beyond_) {
    const Rule& rule = order_.at(*beyond_);
    return Error{
        {fmt::format("the policy's rules tell apart more sources, destinations and ports than can "
                     "be worked out; rule {} ({}) is where it was given up: let rules name the "
                     "same units, labels and ports where they may",
                     policy_.full_name(rule), policy_.where(rule.place)),
         fmt::format(
             "策略的规则区分出的源、目的和端口组合过多，无法全部算出；算到规则 {}（{}）时放弃："
             "请让各规则尽量使用相同的单位、标签和端口",
             policy_.full_name(rule), policy_.where(rule.place))}};
  }
  if (branches_.excess() == BranchBuilder::Excess::kNone) return std::nullopt;
  const Rule& rule = order_.at(branches_.beyond());
  const std::string name = policy_.full_name(rule);
  const std::string where = policy_.where(rule.place);
  if (branches_.excess() == BranchBuilder::Excess::kPolicy) {
    return Error{
        {fmt::format("the policy's schedules and dates meet in more combinations than can "
                     "be worked out; rule {} ({}) is where it was given up: give rules "
                     "the same schedules and dates where they may have them",
                     name, where),
         fmt::format("策略中时间表与日期的组合过多，无法全部算出；算到规则 {}（{}）时放弃："
                     "请让各规则尽量使用相同的时间表和日期",
                     name, where)}};
  }
  return Error{
      {fmt::format("with rule {} ({}) too many rules of different schedules and dates "
                   "match the same traffic: there may be {} combinations; let fewer of "
                   "them meet, or give them the same times",
                   name, where, kMaxBranchesOfCell),
       fmt::format("加上规则 {}（{}）后，匹配同一流量而时间表、日期各不相同的规则过多：组合"
                   "最多 {} 种；请减少重叠的规则，或让它们使用相同的时间",
                   name, where, kMaxBranchesOfCell)}};
}

}  // namespace meiguan::policy
