#include "controlplane/policy/compile_number.h"

#include <cstddef>

namespace meiguan::policy {
namespace {

using image::Cell;
using image::kBranchBit;

// Old numbers become new ones, in the order in which they come.
class Renumbering {
 public:
  struct Number {
    std::uint32_t value;
    bool is_new;
  };
  Number operator()(std::uint32_t old) {
    if (old >= numbers_.size()) numbers_.resize(old + std::size_t{1}, image::kNone);
    const bool is_new = numbers_[old] == image::kNone;
    if (is_new) {
      numbers_[old] = static_cast<std::uint32_t>(order_.size());
      order_.push_back(old);
    }
    return {numbers_[old], is_new};
  }
  [[nodiscard]] std::vector<std::uint32_t>& order() { return order_; }

 private:
  std::vector<std::uint32_t> numbers_;  // by old number
  std::vector<std::uint32_t> order_;    // the old ones
};

class CellNumbers {
 public:
  explicit CellNumbers(const std::vector<image::Branch>& branches)
      : branches_{branches}, number_of_branch_(branches.size(), image::kNone) {}

  // A branch comes after those that it leads to. So deep as there are rules with conditions in one
  // cell: kMaxConditions at most, since a diagram asks them in order.
  Cell operator()(Cell cell) {
    if ((cell & kBranchBit) == 0) return outcomes_(cell).value;
    std::uint32_t& number = number_of_branch_[cell & ~kBranchBit];
    if (number != image::kNone) return kBranchBit | number;
    const image::Branch& old = branches_[cell & ~kBranchBit];
    const Cell when_holds = (*this)(old.when_holds);
    const Cell otherwise = (*this)(old.otherwise);
    number = static_cast<std::uint32_t>(made_.size());
    made_.push_back({old.condition, when_holds, otherwise, 0});
    return kBranchBit | number;
  }
  [[nodiscard]] std::vector<image::Branch>& branches() { return made_; }
  [[nodiscard]] std::vector<std::uint32_t>& outcomes() { return outcomes_.order(); }

 private:
  const std::vector<image::Branch>& branches_;
  std::vector<std::uint32_t> number_of_branch_;
  std::vector<image::Branch> made_;
  Renumbering outcomes_;
};

}  // namespace

Numbered number_cells(std::vector<std::uint32_t>& rows,
                      const std::function<std::span<const std::uint32_t>(std::uint32_t)>& stripe,
                      const std::vector<image::Cell>& cells,
                      const std::vector<image::Branch>& branches) {
  Numbered result;
  Renumbering stripes;
  Renumbering blocks;
  CellNumbers number{branches};
  for (std::uint32_t& row : rows) {
    const auto of_row = stripes(row);
    if (of_row.is_new) {
      for (const std::uint32_t block : stripe(row)) {
        result.stripes.push_back(blocks(block).value);
      }
    }
    row = of_row.value;
  }
  result.cells.reserve(blocks.order().size() * image::kBlockColumns);
  for (const std::uint32_t block : blocks.order()) {
    const std::size_t first = std::size_t{block} * image::kBlockColumns;
    for (std::size_t c = first; c < first + image::kBlockColumns; ++c) {
      result.cells.push_back(number(cells[c]));
    }
  }
  result.branches = std::move(number.branches());
  result.outcomes = std::move(number.outcomes());
  return result;
}

}  // namespace meiguan::policy
