#include "controlplane/analysis/block_search.h"

#include <algorithm>
#include <string_view>
#include <tuple>

namespace meiguan::analysis {
namespace {

using policy::Action;
using policy::Candidate;
using policy::NodeMask;
using policy::Rule;

constexpr ColumnMask kAllColumns = ~ColumnMask{0};
constexpr std::size_t kLocal = static_cast<std::size_t>(policy::Phase::kLocal);
constexpr std::size_t kBaseline = static_cast<std::size_t>(policy::Phase::kBaseline);

}  // namespace

void BlockSearch::begin(const policy::BlockColumns& block, std::span<const Candidate> candidates) {
  block_ = &block;
  entries_.clear();
  covers_source_.clear();
  for (auto& turns : turns_) turns.clear();
  for (const Candidate& candidate : candidates) {
    const policy::RuleMask& mask = block.rules.at(candidate.position);
    entries_.push_back({candidate.position, mask.any, mask.service, mask.unpublished, kAllColumns});
    covers_source_.push_back(candidate.covers_source);
  }
  for (std::size_t phase = 0; phase < policy::kPhases; ++phase) add_turns(phase);
  decides_.assign(entries_.size(), 0);
  first_.assign(entries_.size(), 0);
}

// By depth; at the same depth nodes at or above a service of the destination come first, then those
// at or above its unit, then the source's, and otherwise by code. Baseline goes from the deepest
// up.
void BlockSearch::add_turns(std::size_t phase) {
  struct Ordered {
    int depth;
    int rank;
    std::string_view code;
    Turn turn;
  };
  std::vector<Ordered> ordered;
  for (std::size_t i = 0; i < entries_.size();) {
    const Rule& first = rule(i);
    std::size_t end = i + 1;
    while (end < entries_.size() && rule(end).node == first.node &&
           rule(end).phase == first.phase) {
      ++end;
    }
    const std::size_t begin = i;
    i = end;
    if (static_cast<std::size_t>(first.phase) != phase) continue;
    const policy::Node& node = policy_.nodes[first.node.index()];
    const int depth = static_cast<int>(node.depth) * (phase == kBaseline ? -1 : 1);
    const auto it = block_->nodes.find(first.node);
    const NodeMask mask = it == block_->nodes.end() ? NodeMask{} : it->second;
    ColumnMask covered = kAllColumns;
    if (node.parent.is_none()) {
      ordered.push_back({depth, 0, node.code, {begin, end, kAllColumns}});
    } else {
      const bool covers_source = covers_source_[begin] != 0;
      const ColumnMask unit = mask.unit & ~mask.service;
      const ColumnMask source = covers_source ? ~(mask.unit | mask.service) : 0;
      covered = mask.service | unit | source;
      if (mask.service != 0) ordered.push_back({depth, 0, node.code, {begin, end, mask.service}});
      if (unit != 0) ordered.push_back({depth, 1, node.code, {begin, end, unit}});
      if (source != 0) ordered.push_back({depth, 2, node.code, {begin, end, source}});
    }
    for (std::size_t e = begin; e < end; ++e) {
      Entry& entry = entries_[e];
      entry.scope &= covered;
      entry.service &= covered;
      const bool is_bound = phase == 0 && rule(e).action == Action::kAllow && node.parent.is_some();
      if (is_bound) entry.subtree = covers_source_[begin] != 0 ? mask.all : 0;
    }
  }
  std::ranges::sort(ordered, {}, [](const Ordered& o) {
    return std::tuple{o.depth, o.rank, o.code};
  });
  for (const Ordered& o : ordered) turns_[phase].push_back(o.turn);
}

ColumnMask BlockSearch::matched(std::size_t i, Mode mode) const {
  const Entry& entry = entries_[i];
  if (rule(i).action != Action::kAllow) return entry.scope;
  return (mode == Mode::kRules ? entry.scope : entry.service) & entry.subtree;
}

void BlockSearch::run(Mode mode, std::span<const std::uint8_t> is_there, ColumnMask open) {
  std::ranges::fill(decides_, 0);
  std::ranges::fill(first_, 0);
  undecided_ = open;
  allowed_ = published_ = denied_ = 0;
  for (const Turn& turn : turns_[0]) search(turn, mode, is_there);
  const ColumnMask before = undecided_;
  for (const Turn& turn : turns_[kLocal]) local(turn, mode, is_there, before);
  // A deny of any node stands before every allow.
  const ColumnMask denied_here = denied_ & before;
  for (const Turn& turn : turns_[kLocal]) {
    for (std::size_t i = turn.first; i < turn.end; ++i) {
      if (rule(i).action == Action::kAllow) decides_[i] &= ~denied_here;
    }
  }
  allowed_ &= ~denied_here;
  for (const Turn& turn : turns_[kLocal]) {
    for (std::size_t i = turn.first; i < turn.end; ++i) {
      if (rule(i).action == Action::kAllow) published_ |= decides_[i] & ~entries_[i].unpublished;
    }
  }
  for (const Turn& turn : turns_[kBaseline]) search(turn, mode, is_there);
}

void BlockSearch::decide(std::size_t i, ColumnMask columns) {
  decides_[i] |= columns;
  if (rule(i).action == Action::kAllow) {
    allowed_ |= columns;
    published_ |= columns & ~entries_[i].unpublished;
  } else {
    denied_ |= columns;
  }
}

void BlockSearch::search(const Turn& turn, Mode mode, std::span<const std::uint8_t> is_there) {
  for (std::size_t i = turn.first; i < turn.end; ++i) {
    if (is_there[i] == 0) continue;
    const ColumnMask hit = matched(i, mode) & turn.columns & undecided_;
    if (rule(i).action == Action::kAudit) {
      decides_[i] |= hit;
      continue;
    }
    decide(i, hit);
    undecided_ &= ~hit;
  }
}

// Every node gives its own first match; the first deny wins, else the first allow. What an allow
// takes here is given back by run() where a later node denies.
void BlockSearch::local(const Turn& turn, Mode mode, std::span<const std::uint8_t> is_there,
                        ColumnMask open) {
  ColumnMask of_node = open & turn.columns;
  for (std::size_t i = turn.first; i < turn.end; ++i) {
    if (is_there[i] == 0) continue;
    const ColumnMask hit = matched(i, mode) & of_node;
    if (rule(i).action == Action::kAudit) {
      decides_[i] |= hit;
      continue;
    }
    of_node &= ~hit;
    first_[i] |= hit;
    if (rule(i).action == Action::kDeny) {
      decides_[i] |= hit & ~denied_;
      denied_ |= hit;
    } else {
      decides_[i] |= hit & ~allowed_;
      allowed_ |= hit;
    }
    undecided_ &= ~hit;
  }
}

std::vector<std::size_t> BlockSearch::order_in(std::size_t column) const {
  const ColumnMask bit = ColumnMask{1} << column;
  std::vector<std::size_t> order;
  for (const auto& turns : turns_) {
    for (const Turn& turn : turns) {
      if ((turn.columns & bit) == 0) continue;
      for (std::size_t i = turn.first; i < turn.end; ++i) {
        if ((entries_[i].scope & bit) != 0) order.push_back(i);
      }
    }
  }
  return order;
}

}  // namespace meiguan::analysis
