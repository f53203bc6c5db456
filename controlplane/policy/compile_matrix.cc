#include "controlplane/policy/compile_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_scope.h"

namespace meiguan::policy {
namespace {

struct Hash {
  template <typename T, std::size_t N>
  std::size_t operator()(const std::array<T, N>& a) const {
    return XXH3_64bits(a.data(), sizeof a);
  }
  template <typename T>
  std::size_t operator()(const std::vector<T>& v) const {
    return XXH3_64bits(v.data(), v.size() * sizeof(T));
  }
  std::size_t operator()(const Outcome& o) const {
    const std::array<std::uint64_t, 4> parts{std::uint64_t{o.rule[0]} << 32 | o.rule[1],
                                             static_cast<std::uint64_t>(o.action[0]) << 8 |
                                                 static_cast<std::uint64_t>(o.action[1]) << 1 |
                                                 static_cast<std::uint64_t>(o.published),
                                             (*this)(o.audits[0]), (*this)(o.audits[1])};
    return XXH3_64bits(parts.data(), sizeof parts);
  }
  std::size_t operator()(const TargetNodes& n) const {
    std::size_t hash = n.unit.value();
    for (const NodeId service : n.services) hash = hash * 31 + service.value();
    return hash;
  }
};

// Numbers equal values alike.
template <typename T>
class Interner {
 public:
  std::uint32_t operator()(const T& value) {
    const auto [it, is_new] = numbers_.try_emplace(value,
                                                   static_cast<std::uint32_t>(values_.size()));
    if (is_new) values_.push_back(value);
    return it->second;
  }
  [[nodiscard]] const std::vector<T>& values() const { return values_; }

 private:
  std::unordered_map<T, std::uint32_t, Hash> numbers_;
  std::vector<T> values_;
};

// A source class: the rules whose `from` it matches, ascending by position, and its ruling node.
struct Row {
  std::vector<std::uint32_t> rules;
  NodeId node;
};

using Points = std::vector<std::uint32_t>;

// TargetMatch, as lists.
struct TargetPointLists {
  Points any;
  Points service;
  Points unpublished;
};

// A text that is equal for selectors that mean the same.
void append(std::span<const Selector> selectors, std::string& out) {
  for (const Selector& s : selectors) {
    fmt::format_to(std::back_inserter(out), "{}:{}:{}:{}:{}:{}:{}:{}:{}:{};",
                   static_cast<int>(s.kind), s.unit.value(), s.node.value(),
                   static_cast<int>(s.tier), s.text, s.group.value(), s.zone.value(),
                   net::to_string(s.prefix), s.space.value(), s.service.value());
  }
  out += '|';
}

std::string source_text(const Rule& rule) {
  std::string text;
  append(rule.from, text);
  append(rule.except_from, text);
  return text;
}

std::string target_text(const Rule& rule) {
  // An allow is held to what its node may open.
  std::string text = rule.action == Action::kAllow ? std::to_string(rule.node.value()) : "";
  append(rule.to, text);
  append(rule.except_to, text);
  for (const PortMatch& m : rule.ports) {
    fmt::format_to(std::back_inserter(text), "{}:{}:{}:{}:{};", m.any_protocol, m.protocol, m.whole,
                   m.first, m.last);
  }
  return text;
}

// The blocks of the matrix that were judged so far: each once for each list of candidates, and
// equal ones stored once.
class BlockStore {
 public:
  BlockStore(const CheckedPolicy& policy, const RuleOrder& order,
             const std::vector<BlockColumns>& columns, Interner<Outcome>& outcomes,
             std::vector<image::Cell>& cells)
      : policy_{policy},
        order_{order},
        columns_{columns},
        outcomes_{outcomes},
        cells_{cells},
        judged_(columns.size()) {}

  std::uint32_t number_of(std::size_t block, const std::vector<Candidate>& candidates) {
    if (const auto it = judged_[block].find(candidates); it != judged_[block].end()) {
      return it->second;
    }
    const auto outcomes = judge_block(policy_, order_, columns_[block], candidates);
    Cells cells;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      // Neighbours mostly say the same.
      cells[i] = i > 0 && outcomes[i] == outcomes[i - 1] ? cells[i - 1] : outcomes_(outcomes[i]);
    }
    const auto [it, is_new] = known_.try_emplace(cells, static_cast<std::uint32_t>(known_.size()));
    if (is_new) cells_.insert(cells_.end(), cells.begin(), cells.end());
    judged_[block].emplace(candidates, it->second);
    return it->second;
  }

 private:
  using Cells = std::array<image::Cell, image::kBlockColumns>;

  const CheckedPolicy& policy_;
  const RuleOrder& order_;
  const std::vector<BlockColumns>& columns_;
  Interner<Outcome>& outcomes_;
  std::vector<image::Cell>& cells_;
  std::vector<std::unordered_map<std::vector<Candidate>, std::uint32_t, Hash>> judged_;
  std::unordered_map<Cells, std::uint32_t, Hash> known_;
};

struct Blocks {
  std::vector<BlockColumns> columns;
  std::vector<std::vector<std::uint32_t>> of_rule;  // blocks that a rule touches, by position
};

class MatrixBuilder {
 public:
  MatrixBuilder(const CheckedPolicy& policy, const SourcePoints& sources,
                const TargetPoints& targets, const TargetPlan& target_plan)
      : policy_{policy},
        sources_{sources},
        targets_{targets},
        target_plan_{target_plan},
        order_{policy} {
    for (const PlannedTarget& target : target_plan.targets) {
      nodes_of_target_.push_back(target_nodes_(nodes_of(policy, order_, target)));
    }
  }

  Matrix build(const std::vector<RuleId>& rule_ids) {
    Matrix matrix{Classes{sources_.size()}, Classes{targets_.size()}, {}, {}, {}, {}, {}, 0};
    part(matrix);
    const std::vector<Row> rows = describe_rows(matrix.rows);
    const Blocks blocks = describe_columns(matrix.columns);
    matrix.blocks_per_row = static_cast<std::uint32_t>(blocks.columns.size());
    fill(rows, blocks, matrix);
    for (const Outcome& outcome : outcomes_.values()) {
      matrix.outcomes.push_back(to_record(outcome, rule_ids, matrix.audit_rules));
    }
    return matrix;
  }

 private:
  [[nodiscard]] NodeId source_node(std::size_t point) const {
    const UnitId unit = sources_.groups()[sources_.group_of(point)].unit;
    return unit.is_none() ? NodeId{} : order_.ruling_node(policy_.units[unit.index()].node);
  }

  // Points that no rule and no scope tells apart are one class.
  void part(Matrix& matrix) {
    matrix.rows.split_by([&](std::size_t p) { return source_node(p).value(); });
    matrix.columns.split_by([&](std::size_t p) { return nodes_of_target_[targets_.target_of(p)]; });
    // Many rules say the same on one side; each side is worked out once.
    std::unordered_map<std::string, std::shared_ptr<const Points>> sources;
    std::unordered_map<std::string, std::shared_ptr<const TargetPointLists>> targets;
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const Rule& rule = order_.at(k);
      auto& from = sources[source_text(rule)];
      if (from == nullptr) {
        from = std::make_shared<Points>(sources_.matching(rule.from, rule.except_from).list());
        matrix.rows.split(*from);
      }
      from_.push_back(from);
      auto& to = targets[target_text(rule)];
      if (to == nullptr) {
        const TargetMatch match = targets_.matching(rule);
        to = std::make_shared<TargetPointLists>(
            TargetPointLists{match.any.list(), match.service.list(), match.unpublished.list()});
        matrix.columns.split(to->any);
        matrix.columns.split(to->service);
        matrix.columns.split(to->unpublished);
      }
      to_.push_back(to);
    }
    matrix.rows.finish();
    matrix.columns.finish();
  }

  [[nodiscard]] std::vector<Row> describe_rows(const Classes& classes) {
    std::vector<Row> rows(classes.count());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      rows[r].node = source_node(classes.first_points()[r]);
    }
    for (std::size_t k = 0; k < order_.size(); ++k) {
      for (const std::uint32_t p : *from_[k]) {
        if (classes.first_points()[classes.of(p)] == p) {
          rows[classes.of(p)].rules.push_back(static_cast<std::uint32_t>(k));
        }
      }
    }
    return rows;
  }

  [[nodiscard]] Blocks describe_columns(const Classes& classes) {
    Blocks blocks;
    blocks.columns.resize((classes.count() + image::kBlockColumns - 1) / image::kBlockColumns);
    blocks.of_rule.resize(order_.size());
    const auto column_at = [&](std::size_t point) {
      return classes.first_points()[classes.of(point)] == point ? std::size_t{classes.of(point)}
                                                                : classes.count();
    };
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const auto position = static_cast<std::uint32_t>(k);
      const auto mark = [&](const Points& points, ColumnMask RuleMask::*field) {
        for (const std::uint32_t p : points) {
          const std::size_t column = column_at(p);
          if (column == classes.count()) continue;
          const std::size_t b = column / image::kBlockColumns;
          const auto [it, is_new] = blocks.columns[b].rules.try_emplace(position);
          if (is_new) blocks.of_rule[k].push_back(static_cast<std::uint32_t>(b));
          it->second.*field |= ColumnMask{1} << column % image::kBlockColumns;
        }
      };
      mark(to_[k]->any, &RuleMask::any);
      mark(to_[k]->service, &RuleMask::service);
      mark(to_[k]->unpublished, &RuleMask::unpublished);
    }
    for (std::size_t c = 0; c < classes.count(); ++c) {
      const std::size_t target = targets_.target_of(classes.first_points()[c]);
      mark_nodes(target_nodes_.values()[nodes_of_target_[target]],
                 ColumnMask{1} << c % image::kBlockColumns,
                 blocks.columns[c / image::kBlockColumns]);
    }
    return blocks;
  }

  void mark_nodes(const TargetNodes& nodes, ColumnMask column, BlockColumns& block) const {
    const auto climb = [&](NodeId from, ColumnMask NodeMask::*field) {
      for (NodeId n = from; n.is_some(); n = policy_.nodes[n.index()].parent) {
        block.nodes[n].*field |= column;
      }
    };
    if (nodes.unit.is_some()) climb(nodes.unit, &NodeMask::unit);
    for (const NodeId service : nodes.services) climb(service, &NodeMask::service);
    const NodeId any = nodes.unit.is_some()
                           ? nodes.unit
                           : (nodes.services.empty() ? NodeId{} : nodes.services.front());
    for (NodeId n = any; n.is_some(); n = policy_.nodes[n.index()].parent) {
      const bool holds_all = (nodes.unit.is_none() || policy_.is_within(nodes.unit, n)) &&
                             std::ranges::all_of(nodes.services,
                                                 [&](NodeId s) { return policy_.is_within(s, n); });
      if (holds_all) block.nodes[n].all |= column;
    }
  }

  // Most rules touch few blocks and few touch many, and rows that the same wide rules match are
  // alike but for the blocks of their narrow rules: they start as copies of one row that has wide
  // rules alone.
  void fill(const std::vector<Row>& rows, const Blocks& blocks, Matrix& matrix) {
    const std::size_t wide = std::max<std::size_t>(16, blocks.columns.size() / 8);
    BlockStore store{policy_, order_, blocks.columns, outcomes_, matrix.cells};
    std::unordered_map<std::vector<Candidate>, std::vector<std::uint32_t>, Hash> bases;
    std::vector<Candidate> of_many;
    std::vector<std::pair<std::uint32_t, Candidate>> of_few;  // by block
    std::vector<Candidate> candidates;
    matrix.row_blocks.reserve(rows.size() * blocks.columns.size());
    for (const Row& row : rows) {
      of_many.clear();
      of_few.clear();
      for (const std::uint32_t k : row.rules) {
        const bool covers_source = row.node.is_some() &&
                                   policy_.is_within(row.node, order_.at(k).node);
        if (blocks.of_rule[k].size() >= wide) {
          of_many.push_back({k, covers_source ? 1U : 0U});
          continue;
        }
        for (const std::uint32_t b : blocks.of_rule[k]) {
          of_few.push_back({b, {k, covers_source ? 1U : 0U}});
        }
      }
      const auto in_block = [&](std::size_t b,
                                std::span<const std::pair<std::uint32_t, Candidate>> few) {
        candidates.clear();
        const auto add = [&](const Candidate& c) {
          if (blocks.columns[b].may_meet(order_.at(c.position).node, c)) candidates.push_back(c);
        };
        for (const Candidate& c : of_many) add(c);
        const auto middle = static_cast<std::ptrdiff_t>(candidates.size());
        for (const auto& [block, c] : few) add(c);
        std::ranges::inplace_merge(candidates, candidates.begin() + middle, {},
                                   &Candidate::position);
        return store.number_of(b, candidates);
      };
      auto [base, is_new] = bases.try_emplace(of_many);
      if (is_new) {
        for (std::size_t b = 0; b < blocks.columns.size(); ++b) {
          base->second.push_back(in_block(b, {}));
        }
      }
      const std::size_t first = matrix.row_blocks.size();
      matrix.row_blocks.insert(matrix.row_blocks.end(), base->second.begin(), base->second.end());
      std::ranges::stable_sort(of_few, {}, [](const auto& entry) { return entry.first; });
      for (std::size_t i = 0; i < of_few.size();) {
        std::size_t end = i + 1;
        while (end < of_few.size() && of_few[end].first == of_few[i].first) ++end;
        matrix.row_blocks[first + of_few[i].first] =
            in_block(of_few[i].first, std::span{of_few}.subspan(i, end - i));
        i = end;
      }
    }
  }

  [[nodiscard]] image::OutcomeRecord to_record(const Outcome& outcome,
                                               const std::vector<RuleId>& rule_ids,
                                               std::vector<image::AuditRecord>& audit_rules) const {
    const auto id_at = [&](std::uint32_t position) {
      return rule_ids[order_.index(position)].value();
    };
    image::OutcomeRecord record{};
    for (std::size_t mode = 0; mode < kModes; ++mode) {
      const bool decided = outcome.action[mode] != image::RuleAction::kDefaultDeny;
      record.rule[mode] = decided ? id_at(outcome.rule[mode]) : image::kNone;
      record.action[mode] = static_cast<std::uint8_t>(outcome.action[mode]);
      record.first_audit[mode] = static_cast<std::uint32_t>(audit_rules.size());
      record.audits[mode] = static_cast<std::uint16_t>(outcome.audits[mode].size());
      for (const std::uint32_t position : outcome.audits[mode]) {
        audit_rules.push_back({id_at(position), image::kNone});
      }
    }
    record.published = outcome.published ? 1 : 0;
    return record;
  }

  const CheckedPolicy& policy_;
  const SourcePoints& sources_;
  const TargetPoints& targets_;
  const TargetPlan& target_plan_;
  RuleOrder order_;
  Interner<TargetNodes> target_nodes_;
  std::vector<std::uint32_t> nodes_of_target_;
  std::vector<std::shared_ptr<const Points>> from_;  // by position
  std::vector<std::shared_ptr<const TargetPointLists>> to_;
  Interner<Outcome> outcomes_;
};

}  // namespace

Matrix build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                    const TargetPoints& targets, const TargetPlan& target_plan,
                    const std::vector<RuleId>& rule_ids) {
  return MatrixBuilder{policy, sources, targets, target_plan}.build(rule_ids);
}

}  // namespace meiguan::policy
