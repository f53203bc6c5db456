#pragma once

// From what every rule matches to what every cell of the matrix says; and from what a change of few
// rules leaves alone to the same.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_columns.h"
#include "controlplane/policy/compile_scope.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

// All that the cells hang on. It refers to nothing, so that it can be kept and compared.
struct MatrixSides {
  // What of a rule is not in `rules`, by position.
  struct Head {
    NodeId node;
    Phase phase{};
    Action action{};
    bool operator==(const Head&) const = default;
  };
  struct NodeHead {
    std::string code;
    NodeId parent;
    bool operator==(const NodeHead&) const = default;
  };
  std::vector<NodeHead> nodes;  // by NodeId
  std::vector<Head> heads;
  RuleSides rules;
  std::vector<std::vector<std::uint32_t>> from;  // by list of sources: the source classes
  std::vector<TargetPlaces> to;                  // by list of destinations
  std::vector<NodeId> row_nodes;          // by source class: ruling node, none without a unit
  std::vector<TargetNodes> column_nodes;  // by target class

  [[nodiscard]] std::size_t blocks() const {
    return (column_nodes.size() + image::kBlockColumns - 1) / image::kBlockColumns;
  }
};

// Numbered as compile_number.h says: equal sides, equal cells.
struct MatrixCells {
  std::uint32_t stripes_per_row{0};
  std::vector<std::uint32_t> row_stripes;
  std::vector<std::uint32_t> stripes;
  std::vector<image::Cell> cells;
  std::vector<image::Branch> branches;
  std::vector<Outcome> outcomes;
  // What of the limits was used up, by this and by what it was taken over from.
  std::size_t judged_rules{0};
  std::uint64_t branch_work{0};
};

// What one compile leaves to the next.
struct KeptMatrix {
  MatrixSides sides;
  MatrixCells cells;
};

// By source class, the lists of sources that it matches, ascending.
[[nodiscard]] Lists<std::uint32_t> lists_of_rows(const MatrixSides& sides);

// Errors: a limit of compile_branches.h or compile_block_store.h; it names a rule.
[[nodiscard]] Result<MatrixCells> fill_cells(const CheckedPolicy& policy, const RuleOrder& order,
                                             const MatrixSides& sides);

// The same as fill_cells(policy, order, sides), worked out from `cells`, which are those of
// `before`: only those that a changed rule meets are judged. Nothing where so much has changed that
// this would not pay, or where a limit may be near: then they are to be filled anew.
[[nodiscard]] std::optional<MatrixCells> patch_cells(const CheckedPolicy& policy,
                                                     const RuleOrder& order,
                                                     const MatrixSides& before,
                                                     const MatrixCells& cells,
                                                     const MatrixSides& sides);

// For both: numbers what `store` and `outcomes` hold and the rows of `result` lead to by `stripe`,
// and puts it into `result`.
void finish_cells(const std::function<std::span<const std::uint32_t>(std::uint32_t)>& stripe,
                  const BlockStore& store, const Interner<Outcome>& outcomes, MatrixCells& result);

}  // namespace meiguan::policy
