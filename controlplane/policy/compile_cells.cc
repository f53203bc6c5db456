#include "controlplane/policy/compile_cells.h"

#include <utility>

#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_number.h"
#include "controlplane/policy/compile_rows.h"

namespace meiguan::policy {

Lists<std::uint32_t> lists_of_rows(const MatrixSides& sides) {
  std::vector<std::pair<std::uint32_t, std::uint32_t>> lists;
  for (std::uint32_t list = 0; list < sides.from.size(); ++list) {
    for (const std::uint32_t row : sides.from[list]) lists.emplace_back(row, list);
  }
  return gather(lists, sides.row_nodes.size());
}

Result<MatrixCells> fill_cells(const CheckedPolicy& policy, const RuleOrder& order,
                               const MatrixSides& sides) {
  const Lists<std::uint32_t> rows = lists_of_rows(sides);
  ScopeOfBlocks scope{policy, sides.column_nodes};
  const Blocks blocks = describe_blocks(order, sides.rules, sides.from.size(), sides.to,
                                        sides.blocks(), scope);
  Interner<Outcome> outcomes;
  BlockStore store{policy, order, sides.rules.condition, outcomes};
  RowFiller filler{policy, blocks, store};
  for (std::size_t r = 0; r < rows.size(); ++r) {
    filler.add(rows[r], sides.row_nodes[r]);
    if (auto excess = store.excess()) return std::unexpected{std::move(*excess)};
  }
  MatrixCells result;
  result.stripes_per_row = filler.stripes_per_row();
  result.row_stripes = filler.take_rows();
  finish_cells([&](std::uint32_t stripe) { return filler.stripe(stripe); }, store, outcomes,
               result);
  return result;
}

void finish_cells(const std::function<std::span<const std::uint32_t>(std::uint32_t)>& stripe,
                  const BlockStore& store, const Interner<Outcome>& outcomes, MatrixCells& result) {
  Numbered numbered = number_cells(result.row_stripes, stripe, store.cells(), store.branches());
  result.stripes = std::move(numbered.stripes);
  result.cells = std::move(numbered.cells);
  result.branches = std::move(numbered.branches);
  for (const std::uint32_t number : numbered.outcomes) {
    result.outcomes.push_back(outcomes.values()[number]);
  }
  result.judged_rules += store.judged_rules();
  result.branch_work += store.branch_work();
}

}  // namespace meiguan::policy
