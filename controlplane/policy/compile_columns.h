#pragma once

// The columns of the matrix, block by block: which rules touch a block, and how. Rules that say the
// same of their sources are taken together, as one list of sources.

#include <cstdint>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/policy/compile_block.h"

namespace meiguan::policy {

// What one list of destinations matches of one block.
struct BlockMask {
  std::uint32_t block{0};
  RuleMask mask;
};

// Target classes that a list of destinations matches, ascending; `service` and `unpublished` are
// among `any`.
struct TargetPlaces {
  std::vector<std::uint32_t> any;
  std::vector<std::uint32_t> service;
  std::vector<std::uint32_t> unpublished;
  bool operator==(const TargetPlaces&) const = default;
};
[[nodiscard]] std::vector<BlockMask> masks_of(const TargetPlaces& places);

// Lists of numbers behind one another.
template <typename T>
struct Lists {
  std::vector<T> all;
  std::vector<std::size_t> ends;

  [[nodiscard]] std::size_t size() const { return ends.size(); }
  [[nodiscard]] std::span<const T> operator[](std::size_t i) const {
    const std::size_t first = i == 0 ? 0 : ends[i - 1];
    return std::span{all}.subspan(first, ends[i] - first);
  }
  void end_list() { ends.push_back(all.size()); }
};

// Values with the list that each belongs to become lists; those of one list keep their order.
template <typename T>
Lists<T> gather(const std::vector<std::pair<std::uint32_t, T>>& values, std::size_t lists) {
  Lists<T> result;
  result.ends.assign(lists, 0);
  for (const auto& [list, value] : values) ++result.ends[list];
  std::vector<std::size_t> at(lists, 0);
  std::size_t end = 0;
  for (std::size_t i = 0; i < lists; ++i) {
    at[i] = end;
    end = result.ends[i] += end;
  }
  result.all.resize(values.size());
  for (const auto& [list, value] : values) result.all[at[list]++] = value;
  return result;
}

// What of each rule the matrix hangs on, by position.
struct RuleSides {
  std::vector<std::uint32_t> from;       // its list of sources
  std::vector<std::uint32_t> to;         // its list of destinations
  std::vector<std::uint32_t> condition;  // as in BranchBuilder
};

struct Blocks {
  // Rules of one list of sources in one block: [first, end) of `rules`, ascending by position.
  struct Part {
    std::uint32_t block{0};
    std::uint32_t first{0};
    std::uint32_t end{0};
  };

  std::size_t count{0};
  std::vector<BlockRule> rules;  // a rule once for each block that it touches
  // By list of sources, of those of its rules that touch few blocks, ascending by block.
  Lists<Part> narrow;
  // By list of sources: those of its rules that touch many blocks, as indexes of `wide_at`,
  // ascending by position.
  Lists<std::uint32_t> wide;
  std::vector<std::uint32_t> wide_positions;
  std::vector<std::uint32_t> wide_at;  // [wide rule][block]: index into `rules`, or image::kNone
};

// The scope of every node in every block.
class ScopeOfBlocks {
 public:
  // `nodes_of_column[c]` are those of the destinations of class c; borrowed.
  ScopeOfBlocks(const CheckedPolicy& policy, const std::vector<TargetNodes>& nodes_of_column);

  // Makes `block` the one that of() speaks of.
  void enter(std::size_t block);
  [[nodiscard]] const NodeMask& of(NodeId node) const { return masks_[node.index()]; }
  // Nodes whose mask is not empty, in no order.
  [[nodiscard]] const std::vector<NodeId>& nodes() const { return nodes_; }

 private:
  void mark(const TargetNodes& nodes, ColumnMask column);
  void climb(NodeId from, ColumnMask NodeMask::*field, ColumnMask column);

  const CheckedPolicy& policy_;
  const std::vector<TargetNodes>& nodes_of_column_;
  std::vector<NodeMask> masks_;  // by NodeId, of the block in hand
  std::vector<std::uint8_t> is_marked_;
  std::vector<NodeId> nodes_;
};

// `to` are the lists of destinations; `from_lists` is how many lists of sources there are. Where
// `is_asked` is not empty, only of those `blocks` of which it is not 0.
[[nodiscard]] Blocks describe_blocks(const RuleOrder& order, const RuleSides& sides,
                                     std::size_t from_lists, const std::vector<TargetPlaces>& to,
                                     std::size_t blocks, ScopeOfBlocks& scope,
                                     std::span<const std::uint8_t> is_asked = {});

}  // namespace meiguan::policy
