#include "controlplane/policy/compile_columns.h"

#include <algorithm>
#include <tuple>
#include <utility>

namespace meiguan::policy {
namespace {

// A rule that touches a share of the blocks: worked out for all rows that match it alike.
constexpr std::size_t kWideShare = 8;
constexpr std::size_t kLeastWide = 16;

}  // namespace

std::vector<BlockMask> masks_of(const TargetPlaces& places) {
  std::vector<BlockMask> masks;
  for (const std::uint32_t column : places.any) {
    const std::uint32_t block = column / image::kBlockColumns;
    if (masks.empty() || masks.back().block != block) masks.push_back({block, {}});
    masks.back().mask.any |= ColumnMask{1} << column % image::kBlockColumns;
  }
  const auto mark = [&](const std::vector<std::uint32_t>& columns, ColumnMask RuleMask::*field) {
    auto at = masks.begin();
    for (const std::uint32_t column : columns) {
      while (at->block != column / image::kBlockColumns) ++at;
      at->mask.*field |= ColumnMask{1} << column % image::kBlockColumns;
    }
  };
  mark(places.service, &RuleMask::service);
  mark(places.unpublished, &RuleMask::unpublished);
  return masks;
}

ScopeOfBlocks::ScopeOfBlocks(const CheckedPolicy& policy,
                             const std::vector<TargetNodes>& nodes_of_column)
    : policy_{policy},
      nodes_of_column_{nodes_of_column},
      masks_(policy.nodes.size()),
      is_marked_(policy.nodes.size(), 0) {}

void ScopeOfBlocks::enter(std::size_t block) {
  for (const NodeId node : nodes_) {
    masks_[node.index()] = {};
    is_marked_[node.index()] = 0;
  }
  nodes_.clear();
  const std::size_t first = block * image::kBlockColumns;
  const std::size_t end = std::min(first + image::kBlockColumns, nodes_of_column_.size());
  for (std::size_t c = first; c < end;) {
    // Neighbours mostly lie at the same nodes.
    ColumnMask columns = 0;
    const TargetNodes& nodes = nodes_of_column_[c];
    for (; c < end && nodes_of_column_[c] == nodes; ++c) columns |= ColumnMask{1} << (c - first);
    mark(nodes, columns);
  }
}

void ScopeOfBlocks::climb(NodeId from, ColumnMask NodeMask::*field, ColumnMask columns) {
  for (NodeId n = from; n.is_some(); n = policy_.nodes[n.index()].parent) {
    if (std::exchange(is_marked_[n.index()], 1) == 0) nodes_.push_back(n);
    masks_[n.index()].*field |= columns;
  }
}

void ScopeOfBlocks::mark(const TargetNodes& nodes, ColumnMask columns) {
  if (nodes.unit.is_some()) climb(nodes.unit, &NodeMask::unit, columns);
  for (const NodeId service : nodes.services) climb(service, &NodeMask::service, columns);
  const NodeId any = nodes.unit.is_some()
                         ? nodes.unit
                         : (nodes.services.empty() ? NodeId{} : nodes.services.front());
  for (NodeId n = any; n.is_some(); n = policy_.nodes[n.index()].parent) {
    const bool holds_all = (nodes.unit.is_none() || policy_.is_within(nodes.unit, n)) &&
                           std::ranges::all_of(nodes.services,
                                               [&](NodeId s) { return policy_.is_within(s, n); });
    if (holds_all) masks_[n.index()].all |= columns;
  }
}

Blocks describe_blocks(const RuleOrder& order, const RuleSides& sides, std::size_t from_lists,
                       const std::vector<TargetPlaces>& to_lists, std::size_t blocks,
                       ScopeOfBlocks& scope, std::span<const std::uint8_t> is_asked) {
  std::vector<std::vector<BlockMask>> masks;
  masks.reserve(to_lists.size());
  for (const TargetPlaces& to : to_lists) masks.push_back(masks_of(to));
  Blocks result;
  result.count = blocks;
  const std::size_t wide = std::max(kLeastWide, blocks / kWideShare);

  std::vector<std::pair<std::uint32_t, std::uint32_t>> rules_of_masks;
  std::vector<std::uint32_t> wide_number(order.size(), image::kNone);
  std::vector<std::pair<std::uint32_t, std::uint32_t>> wide_of_list;
  for (std::uint32_t k = 0; k < order.size(); ++k) {
    rules_of_masks.emplace_back(sides.to[k], k);
    if (masks[sides.to[k]].size() < wide) continue;
    wide_number[k] = static_cast<std::uint32_t>(result.wide_positions.size());
    wide_of_list.emplace_back(sides.from[k], wide_number[k]);
    result.wide_positions.push_back(k);
  }
  const Lists<std::uint32_t> rules_of = gather(rules_of_masks, masks.size());
  result.wide = gather(wide_of_list, from_lists);
  result.wide_at.assign(result.wide_positions.size() * blocks, image::kNone);

  struct MaskOf {
    std::uint32_t to;
    const RuleMask* mask;
  };
  std::vector<std::pair<std::uint32_t, MaskOf>> masks_of_block;
  for (std::uint32_t to = 0; to < masks.size(); ++to) {
    for (const BlockMask& part : masks[to]) {
      if (!is_asked.empty() && is_asked[part.block] == 0) continue;
      masks_of_block.emplace_back(part.block, MaskOf{to, &part.mask});
    }
  }
  const Lists<MaskOf> by_block = gather(masks_of_block, blocks);

  std::vector<std::pair<std::uint32_t, Blocks::Part>> narrow;
  std::vector<std::tuple<std::uint32_t, std::uint32_t, const RuleMask*>> here;  // list, position
  for (std::uint32_t b = 0; b < blocks; ++b) {
    if (by_block[b].empty()) continue;
    scope.enter(b);
    const auto add = [&](std::uint32_t k, const RuleMask& mask) {
      const Rule& rule = order.at(k);
      const NodeMask& covers = scope.of(rule.node);
      result.rules.push_back({mask, covers, k, rule.node, rule.phase, rule.action,
                              sides.condition[k] != image::kNone,
                              rule.node == NodeId{0} || (covers.service | covers.unit) != 0});
    };
    here.clear();
    for (const auto& [to, mask] : by_block[b]) {
      for (const std::uint32_t k : rules_of[to]) {
        if (wide_number[k] == image::kNone) {
          here.emplace_back(sides.from[k], k, mask);
        } else {
          result.wide_at[wide_number[k] * blocks + b] = static_cast<std::uint32_t>(
              result.rules.size());
          add(k, *mask);
        }
      }
    }
    std::ranges::sort(here);
    for (std::size_t i = 0; i < here.size();) {
      const std::uint32_t list = std::get<0>(here[i]);
      Blocks::Part part{b, static_cast<std::uint32_t>(result.rules.size()), 0};
      for (; i < here.size() && std::get<0>(here[i]) == list; ++i) {
        add(std::get<1>(here[i]), *std::get<2>(here[i]));
      }
      part.end = static_cast<std::uint32_t>(result.rules.size());
      narrow.emplace_back(list, part);
    }
  }
  result.narrow = gather(narrow, from_lists);
  return result;
}

}  // namespace meiguan::policy
