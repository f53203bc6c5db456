#include "controlplane/policy/compile_rows.h"

#include <algorithm>
#include <iterator>

namespace meiguan::policy {
namespace {

// A rule that touches a share of the blocks: worked out for all rows that match it alike.
constexpr std::size_t kWideShare = 8;
constexpr std::size_t kLeastWide = 16;

}  // namespace

RowFiller::RowFiller(const CheckedPolicy& policy, const RuleOrder& order, const Blocks& blocks,
                     BlockStore& store)
    : policy_{policy}, blocks_{blocks}, store_{store} {
  const std::size_t wide = std::max(kLeastWide, blocks.columns.size() / kWideShare);
  touches_.resize(order.size());
  asked_.resize(blocks.columns.size());
  narrow_.resize(blocks.columns.size());
  for (std::size_t k = 0; k < order.size(); ++k) {
    const NodeId node = order.at(k).node;
    node_of_rule_.push_back(node);
    const auto touch_in = [&](std::uint32_t b) {
      return node == NodeId{0} || blocks.columns[b].nodes.contains(node) ? Touch::kAlways
                                                                         : Touch::kByTheSource;
    };
    rule_is_wide_.push_back(blocks.of_rule[k].size() >= wide ? 1 : 0);
    if (rule_is_wide_[k] != 0) {
      touches_[k].resize(blocks.columns.size(), Touch::kNever);
      for (const std::uint32_t b : blocks.of_rule[k]) touches_[k][b] = touch_in(b);
    } else {
      for (const std::uint32_t b : blocks.of_rule[k]) touches_[k].push_back(touch_in(b));
    }
  }
}

std::uint32_t RowFiller::stripes_per_row() const {
  return static_cast<std::uint32_t>((blocks_.columns.size() + image::kStripeBlocks - 1) /
                                    image::kStripeBlocks);
}

std::vector<std::uint32_t> RowFiller::stripes() const {
  std::vector<std::uint32_t> blocks;
  blocks.reserve(stripes_.values().size() * image::kStripeBlocks);
  for (const Stripe& stripe : stripes_.values()) {
    blocks.insert(blocks.end(), stripe.begin(), stripe.end());
  }
  return blocks;
}

// Most rules touch few blocks and few touch many, and rows that the same wide rules match are alike
// but for the blocks of their narrow rules: they start as copies of the row of the wide rules.
void RowFiller::add(const CompileTrace::Row& row) {
  sort_rules(row);
  const auto known = bases_.find(wide_);
  const Base& base = known != bases_.end() ? known->second
                                           : bases_.emplace(wide_, make_base()).first->second;
  const std::size_t first = rows_.size();
  rows_.insert(rows_.end(), base.stripes.begin(), base.stripes.end());
  for (std::size_t i = 0; i < touched_.size();) {
    const std::size_t stripe = touched_[i] / image::kStripeBlocks;
    Stripe blocks;
    std::copy_n(base.blocks.begin() + static_cast<std::ptrdiff_t>(stripe * image::kStripeBlocks),
                image::kStripeBlocks, blocks.begin());
    for (; i < touched_.size() && touched_[i] / image::kStripeBlocks == stripe; ++i) {
      blocks[touched_[i] % image::kStripeBlocks] = block_number(base, touched_[i]);
    }
    rows_[first + stripe] = stripe_number(blocks);
  }
}

void RowFiller::sort_rules(const CompileTrace::Row& row) {
  wide_.clear();
  for (const std::uint32_t b : touched_) narrow_[b].clear();
  touched_.clear();
  std::vector<NodeId> above;  // the source's node and those above it: a handful
  for (NodeId n = row.node; n.is_some(); n = policy_.nodes[n.index()].parent) above.push_back(n);
  for (const std::uint32_t k : row.rules) {
    const bool covers = std::ranges::find(above, node_of_rule_[k]) != above.end();
    const Candidate candidate{k, covers ? 1U : 0U};
    if (rule_is_wide_[k] != 0) {
      wide_.push_back(candidate);
    } else {
      const auto& of_rule = blocks_.of_rule[k];
      for (std::size_t i = 0; i < of_rule.size(); ++i) {
        if (!meets(touches_[k][i], candidate)) continue;
        std::vector<Candidate>& of_block = narrow_[of_rule[i]];
        if (of_block.empty()) touched_.push_back(of_rule[i]);
        of_block.push_back(candidate);
      }
    }
  }
  std::ranges::sort(touched_);
}

std::uint32_t RowFiller::block_number(const Base& base, std::uint32_t block) {
  Asked& asked = asked_[block];
  if (asked.base == &base && asked.narrow == narrow_[block]) return asked.number;
  asked.base = &base;
  asked.narrow = narrow_[block];
  candidates_.clear();
  std::ranges::merge(base.candidates[block], asked.narrow, std::back_inserter(candidates_), {},
                     &Candidate::position, &Candidate::position);
  asked.number = store_.number_of(block, candidates_);
  return asked.number;
}

RowFiller::Base RowFiller::make_base() {
  Base base;
  for (std::uint32_t b = 0; b < blocks_.columns.size(); ++b) {
    std::vector<Candidate>& candidates = base.candidates.emplace_back();
    for (const Candidate& c : wide_) {
      if (meets(touches_[c.position][b], c)) candidates.push_back(c);
    }
    base.blocks.push_back(store_.number_of(b, candidates));
  }
  base.blocks.resize(std::size_t{stripes_per_row()} * image::kStripeBlocks, 0);
  for (std::size_t b = 0; b < base.blocks.size(); b += image::kStripeBlocks) {
    base.stripes.push_back(stripe_number(std::span{base.blocks}.subspan(b, image::kStripeBlocks)));
  }
  return base;
}

std::uint32_t RowFiller::stripe_number(std::span<const std::uint32_t> blocks) {
  Stripe stripe;
  std::ranges::copy(blocks, stripe.begin());
  return stripes_(stripe);
}

}  // namespace meiguan::policy
