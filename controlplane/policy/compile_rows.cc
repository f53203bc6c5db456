#include "controlplane/policy/compile_rows.h"

#include <algorithm>
#include <iterator>

namespace meiguan::policy {
namespace {

constexpr auto position_of = [](const Match& match) { return match.rule->position; };

}  // namespace

RowFiller::RowFiller(const CheckedPolicy& policy, const Blocks& blocks, BlockStore& store)
    : policy_{policy},
      blocks_{blocks},
      store_{store},
      covers_(policy.nodes.size(), 0),
      parts_(blocks.count),
      asked_(blocks.count) {}

std::uint32_t RowFiller::stripes_per_row() const {
  return static_cast<std::uint32_t>((blocks_.count + image::kStripeBlocks - 1) /
                                    image::kStripeBlocks);
}

// Most rules touch few blocks and few touch many, and rows that the same wide rules match are alike
// but for the blocks of their narrow rules: they start as copies of the row of the wide rules.
void RowFiller::add(std::span<const std::uint32_t> lists, NodeId node) {
  enter_node(node);
  sort_lists(lists);
  const std::uint32_t number = base_of(lists);
  const Base& base = bases_[number];
  const std::size_t first = rows_.size();
  rows_.insert(rows_.end(), base.stripes.begin(), base.stripes.end());
  for (std::size_t i = 0; i < touched_.size();) {
    const std::size_t stripe = touched_[i] / image::kStripeBlocks;
    const auto begin = base.blocks.begin() +
                       static_cast<std::ptrdiff_t>(stripe * image::kStripeBlocks);
    stripe_.assign(begin, begin + image::kStripeBlocks);
    for (; i < touched_.size() && touched_[i] / image::kStripeBlocks == stripe; ++i) {
      stripe_[touched_[i] % image::kStripeBlocks] = block_number(number, touched_[i]);
    }
    const std::size_t blocks_here = blocks_.count - stripe * image::kStripeBlocks;
    for (std::size_t b = blocks_here; b < image::kStripeBlocks; ++b) {
      stripe_[b] = stripe_[blocks_here - 1];
    }
    rows_[first + stripe] = stripe_number(stripe_);
  }
}

void RowFiller::enter_node(NodeId node) {
  if (node == node_) return;
  for (NodeId n = node_; n.is_some(); n = policy_.nodes[n.index()].parent) covers_[n.index()] = 0;
  for (NodeId n = node; n.is_some(); n = policy_.nodes[n.index()].parent) covers_[n.index()] = 1;
  node_ = node;
}

void RowFiller::sort_lists(std::span<const std::uint32_t> lists) {
  for (const std::uint32_t b : touched_) parts_[b].clear();
  touched_.clear();
  for (const std::uint32_t list : lists) {
    for (const Blocks::Part& part : blocks_.narrow[list]) {
      if (parts_[part.block].empty()) touched_.push_back(part.block);
      parts_[part.block].push_back(&part);
    }
  }
  std::ranges::sort(touched_);
}

std::uint32_t RowFiller::base_of(std::span<const std::uint32_t> lists) {
  words_.assign(1, node_.value());
  for (const std::uint32_t list : lists) {
    if (!blocks_.wide[list].empty()) words_.push_back(list);
  }
  const auto known = wide_lists_(words_);
  if (!known.is_new) return base_of_wide_lists_[known.value];
  std::vector<std::uint32_t> wide;
  for (const std::uint32_t list : std::span{words_}.subspan(1)) {
    wide.insert(wide.end(), blocks_.wide[list].begin(), blocks_.wide[list].end());
  }
  std::ranges::sort(wide);
  words_.clear();
  for (const std::uint32_t w : wide) {
    const std::uint32_t* const at = &blocks_.wide_at[std::size_t{w} * blocks_.count];
    const auto* const some = std::find_if(at, at + blocks_.count,
                                          [](std::uint32_t i) { return i != image::kNone; });
    words_.push_back(w << 1 | (covers(blocks_.rules[*some].node) ? 1U : 0U));
  }
  const auto base = wide_rules_(words_);
  if (base.is_new) bases_.push_back(make_base(wide));
  base_of_wide_lists_.push_back(base.value);
  return base.value;
}

RowFiller::Base RowFiller::make_base(std::span<const std::uint32_t> wide) {
  Base base;
  for (std::uint32_t b = 0; b < blocks_.count; ++b) {
    const std::size_t first = base.matches.size();
    for (const std::uint32_t w : wide) {
      const std::uint32_t at = blocks_.wide_at[std::size_t{w} * blocks_.count + b];
      if (at == image::kNone) continue;
      const BlockRule& rule = blocks_.rules[at];
      const bool covers_source = covers(rule.node);
      if (rule.meets_always || covers_source) base.matches.push_back({&rule, covers_source});
    }
    base.ends.push_back(static_cast<std::uint32_t>(base.matches.size()));
    base.blocks.push_back(store_.number_of(b, std::span{base.matches}.subspan(first)));
  }
  base.blocks.resize(std::size_t{stripes_per_row()} * image::kStripeBlocks, base.blocks.back());
  for (std::size_t b = 0; b < base.blocks.size(); b += image::kStripeBlocks) {
    base.stripes.push_back(stripe_number(std::span{base.blocks}.subspan(b, image::kStripeBlocks)));
  }
  return base;
}

std::uint32_t RowFiller::block_number(std::uint32_t base, std::uint32_t block) {
  Asked& asked = asked_[block];
  if (asked.base == base && asked.node == node_ && asked.parts == parts_[block]) {
    return asked.number;
  }
  asked.base = base;
  asked.node = node_;
  asked.parts = parts_[block];
  narrow_.clear();
  for (const Blocks::Part* const part : asked.parts) {
    for (std::uint32_t i = part->first; i < part->end; ++i) {
      const BlockRule& rule = blocks_.rules[i];
      const bool covers_source = covers(rule.node);
      if (rule.meets_always || covers_source) narrow_.push_back({&rule, covers_source});
    }
  }
  if (asked.parts.size() > 1) std::ranges::sort(narrow_, {}, position_of);
  matches_.clear();
  std::ranges::merge(bases_[base].of(block), narrow_, std::back_inserter(matches_), {}, position_of,
                     position_of);
  return asked.number = store_.number_of(block, matches_);
}

std::uint32_t RowFiller::stripe_number(std::span<const std::uint32_t> blocks) {
  return stripes_(blocks).value;
}

}  // namespace meiguan::policy
