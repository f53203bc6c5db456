#pragma once

// The blocks of the matrix that were judged so far: each once for each list of rules that meet in
// it, and equal ones stored once.

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <unordered_map>
#include <utility>
#include <vector>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_branches.h"
#include "controlplane/policy/compile_intern.h"
#include "dataplane/base/result.h"

namespace meiguan::policy {

// Rules judged in all blocks together, each time that another list of them meets: two seconds and
// a quarter of a GiB. A province has a seventh of it.
inline constexpr std::size_t kMaxJudgedRules = std::size_t{1} << 24;

class BlockStore {
 public:
  // `condition_at` is as in BranchBuilder. Everything referred to outlives the store.
  BlockStore(const CheckedPolicy& policy, const RuleOrder& order,
             std::span<const std::uint32_t> condition_at, Interner<Outcome>& outcomes)
      : policy_{policy},
        order_{order},
        judge_{policy},
        outcomes_{outcomes},
        branches_{condition_at, outcomes} {}

  // The number of the block that `matches`, ascending by position, give in the columns of `block`.
  [[nodiscard]] std::uint32_t number_of(std::uint32_t block, std::span<const Match> matches);

  // Begins with blocks and branches of another store, whose outcomes have the same numbers here.
  void take_over(const std::vector<image::Cell>& cells, const std::vector<image::Branch>& branches);

  // Of all blocks, by their numbers.
  [[nodiscard]] const std::vector<image::Cell>& cells() const { return cells_; }
  [[nodiscard]] const std::vector<image::Branch>& branches() const { return branches_.branches(); }
  // Once more rules meet than a limit allows, blocks mean nothing any more; this names a rule of
  // them.
  [[nodiscard]] std::optional<Error> excess() const;
  // What of kMaxJudgedRules and kMaxBranchWork is used up.
  [[nodiscard]] std::size_t judged_rules() const { return judged_rules_; }
  [[nodiscard]] std::uint64_t branch_work() const { return branches_.work(); }

 private:
  using Cells = std::array<image::Cell, image::kBlockColumns>;
  [[nodiscard]] Cells cells_of(const BlockAnswer& answer);
  [[nodiscard]] std::uint32_t unfolded();

  const CheckedPolicy& policy_;
  const RuleOrder& order_;
  BlockJudge judge_;
  Interner<Outcome>& outcomes_;
  BranchBuilder branches_;
  std::size_t judged_rules_{0};          // of all blocks together
  std::optional<std::uint32_t> beyond_;  // position of a rule where that is too many
  std::vector<image::Cell> cells_;
  // A list is a block, then what of each match tells it from others.
  ListInterner<std::uint64_t> lists_;
  std::vector<std::uint32_t> block_of_list_;
  ListInterner<std::uint64_t> transcripts_;
  std::vector<std::uint32_t> block_of_transcript_;
  std::unordered_map<Cells, std::uint32_t, Hash> known_;
  std::vector<std::uint64_t> list_;
  Transcript transcript_;
};

}  // namespace meiguan::policy
