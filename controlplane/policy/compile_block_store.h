#pragma once

// The blocks of the matrix that were judged so far: each once for each list of candidates, and
// equal ones stored once.

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

// Rules judged in all blocks together, each time that another list of them meets: some seconds and
// half a GiB. A province has a tenth of it.
inline constexpr std::size_t kMaxJudgedRules = std::size_t{1} << 25;

class BlockStore {
 public:
  // `condition_at` is as in BranchBuilder. Everything referred to outlives the store.
  BlockStore(const CheckedPolicy& policy, const RuleOrder& order,
             std::span<const std::uint32_t> condition_at, const std::vector<BlockColumns>& columns,
             Interner<Outcome>& outcomes)
      : policy_{policy},
        order_{order},
        condition_at_{condition_at},
        columns_{columns},
        outcomes_{outcomes},
        branches_{condition_at, outcomes},
        judged_(columns.size()) {}

  // The number of the block that `candidates` give in the columns of `block`.
  [[nodiscard]] std::uint32_t number_of(std::size_t block,
                                        const std::vector<Candidate>& candidates);

  // Of all blocks, by their numbers; to be taken in the end.
  [[nodiscard]] std::vector<image::Cell> take_cells() { return std::move(cells_); }
  [[nodiscard]] const std::vector<image::Branch>& branches() const { return branches_.branches(); }
  // Once more rules meet than a limit allows, blocks mean nothing any more; this names a rule of
  // them.
  [[nodiscard]] std::optional<Error> excess() const;

 private:
  using Cells = std::array<image::Cell, image::kBlockColumns>;
  [[nodiscard]] Cells cells_of(const BlockAnswer& answer);

  const CheckedPolicy& policy_;
  const RuleOrder& order_;
  std::span<const std::uint32_t> condition_at_;
  const std::vector<BlockColumns>& columns_;
  Interner<Outcome>& outcomes_;
  BranchBuilder branches_;
  std::size_t judged_rules_{0};          // of all blocks together
  std::optional<std::uint32_t> beyond_;  // position of a rule where that is too many
  std::vector<image::Cell> cells_;
  std::vector<std::unordered_map<std::vector<Candidate>, std::uint32_t, Hash>> judged_;
  std::unordered_map<Cells, std::uint32_t, Hash> known_;
};

}  // namespace meiguan::policy
