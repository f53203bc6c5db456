#include "controlplane/analysis/cell_sweep.h"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace meiguan::analysis {
namespace {

using policy::Candidate;

// A list of candidates with the set of zones of its sources in front.
using Key = std::vector<std::uint64_t>;
struct HashKey {
  std::size_t operator()(const Key& key) const {
    return XXH3_64bits(key.data(), key.size() * sizeof(Key::value_type));
  }
};

std::uint64_t word(const Candidate& c) { return std::uint64_t{c.position} << 1 | c.covers_source; }
Candidate candidate(std::uint64_t word) {
  return {static_cast<std::uint32_t>(word >> 1), static_cast<std::uint32_t>(word & 1)};
}

// Whether the rule, which is of `node`, matches some column, and its scope covers one with it.
bool may_meet(const policy::BlockColumns& block, NodeId node, const Candidate& c) {
  return block.rules.contains(c.position) &&
         (c.covers_source != 0 || node == NodeId{0} || block.nodes.contains(node));
}

class Sweep {
 public:
  Sweep(const policy::CheckedPolicy& policy, const policy::RuleOrder& order,
        const policy::CompileTrace& trace, const ClassRanges& ranges, const VisitBlock& visit)
      : policy_{policy},
        order_{order},
        trace_{trace},
        ranges_{ranges},
        visit_{visit},
        seen_(trace.blocks.size()) {}

  // As the compiler fills the matrix: what the rules that touch many blocks give by themselves is
  // met once for all rows that they match, in those blocks that some row's other rules leave alone.
  void run() {
    const std::size_t wide = std::max<std::size_t>(16, trace_.blocks.size() / 8);
    for (std::size_t r = 0; r < trace_.rows.size(); ++r) {
      const std::uint32_t sources = ranges_.sources_of(static_cast<std::uint32_t>(r));
      if (sources == image::kNone) continue;
      const auto& row = trace_.rows[r];
      wide_.assign(1, sources);
      narrow_.clear();
      for (const std::uint32_t k : row.rules) {
        const bool covers = row.node.is_some() && policy_.is_within(row.node, order_.at(k).node);
        const std::uint64_t one = word({k, covers ? 1U : 0U});
        if (trace_.blocks_of_rule[k].size() >= wide) {
          wide_.push_back(one);
          continue;
        }
        for (const std::uint32_t b : trace_.blocks_of_rule[k]) narrow_.emplace_back(b, one);
      }
      std::ranges::stable_sort(narrow_, {}, &std::pair<std::uint32_t, std::uint64_t>::first);
      visit_row();
    }
    for (const auto& [key, always] : always_narrow_) {
      for (std::size_t b = 0; b < trace_.blocks.size(); ++b) {
        if (!always[b]) meet(b, key, {});
      }
    }
  }

 private:
  using Narrow = std::span<const std::pair<std::uint32_t, std::uint64_t>>;

  void visit_row() {
    auto [always, is_new] = always_narrow_.try_emplace(wide_);
    std::vector<bool> touched(trace_.blocks.size());
    for (std::size_t i = 0; i < narrow_.size();) {
      std::size_t end = i + 1;
      while (end < narrow_.size() && narrow_[end].first == narrow_[i].first) ++end;
      touched[narrow_[i].first] = true;
      meet(narrow_[i].first, wide_, Narrow{narrow_}.subspan(i, end - i));
      i = end;
    }
    if (is_new) {
      always->second = std::move(touched);
      return;
    }
    for (std::size_t b = 0; b < touched.size(); ++b) {
      if (!touched[b]) always->second[b] = false;
    }
  }

  void meet(std::size_t b, const Key& wide, Narrow narrow) {
    const auto& columns = ranges_.columns(static_cast<std::uint32_t>(wide[0]), b);
    const policy::BlockColumns& block = trace_.blocks[b];
    key_.assign(1, wide[0]);
    const auto add = [&](std::uint64_t one) {
      const Candidate c = candidate(one);
      if (may_meet(block, order_.at(c.position).node, c)) key_.push_back(one);
    };
    for (std::size_t i = 1; i < wide.size(); ++i) add(wide[i]);
    const auto middle = static_cast<std::ptrdiff_t>(key_.size());
    for (const auto& [in, one] : narrow) add(one);
    if (key_.size() == 1) return;
    std::inplace_merge(key_.begin() + 1, key_.begin() + middle, key_.end());
    if (!seen_[b].insert(key_).second) return;
    candidates_.clear();
    for (std::size_t i = 1; i < key_.size(); ++i) candidates_.push_back(candidate(key_[i]));
    visit_(b, columns, candidates_);
  }

  const policy::CheckedPolicy& policy_;
  const policy::RuleOrder& order_;
  const policy::CompileTrace& trace_;
  const ClassRanges& ranges_;
  const VisitBlock& visit_;
  std::vector<std::unordered_set<Key, HashKey>> seen_;  // by block
  // By wide rules: the blocks in which every row so far has narrow rules as well.
  std::unordered_map<Key, std::vector<bool>, HashKey> always_narrow_;
  Key wide_;
  std::vector<std::pair<std::uint32_t, std::uint64_t>> narrow_;  // by block
  Key key_;
  std::vector<Candidate> candidates_;
};

}  // namespace

void sweep_cells(const policy::CheckedPolicy& policy, const policy::RuleOrder& order,
                 const policy::CompileTrace& trace, const ClassRanges& ranges,
                 const VisitBlock& visit) {
  Sweep{policy, order, trace, ranges, visit}.run();
}

}  // namespace meiguan::analysis
