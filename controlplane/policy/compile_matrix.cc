#include "controlplane/policy/compile_matrix.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <iterator>
#include <string>
#include <unordered_map>
#include <utility>

#include "controlplane/policy/compile_block.h"
#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_intern.h"
#include "controlplane/policy/compile_rows.h"
#include "controlplane/policy/compile_scope.h"

namespace meiguan::policy {
namespace {

using Row = CompileTrace::Row;

// Points of one side; once the classes stand, the classes that they are.
using Places = std::vector<std::uint32_t>;

// TargetMatch, as lists.
struct TargetPlaces {
  Places any;
  Places service;
  Places unpublished;
};

// What one target list matches of one block.
struct BlockMask {
  std::uint32_t block{0};
  RuleMask mask;
};

// A text that is equal for selectors that mean the same.
void append(std::span<const Selector> selectors, std::string& out) {
  for (const Selector& s : selectors) {
    // A label may hold any character: its length keeps it from looking like what follows.
    fmt::format_to(std::back_inserter(out), "{}:{}:{}:{}:{}:{}:{}:{}:{}:{}:{};",
                   static_cast<int>(s.kind), s.unit.value(), s.node.value(),
                   static_cast<int>(s.tier), s.text.size(), s.text, s.group.value(), s.zone.value(),
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

std::string target_text(const Rule& rule, const TargetPoints::Opener& opener) {
  // An allow is held to what its node may open.
  std::string text = std::to_string(opener.node.value());
  for (const ServiceId service : opener.offered) text += ':' + std::to_string(service.value());
  text += '|';
  append(rule.to, text);
  append(rule.except_to, text);
  for (const PortMatch& m : rule.ports) {
    fmt::format_to(std::back_inserter(text), "{}:{}:{}:{}:{};", m.any_protocol, m.protocol, m.whole,
                   m.first, m.last);
  }
  return text;
}

// Of one outcome and mode: OutcomeRecord::audits.
constexpr std::size_t kMaxAudits = 0xffff;

class MatrixBuilder {
 public:
  MatrixBuilder(const CheckedPolicy& policy, const SourcePoints& sources,
                const TargetPoints& targets, const TargetPlan& target_plan, const TimePlan& times)
      : policy_{policy},
        sources_{sources},
        targets_{targets},
        target_plan_{target_plan},
        order_{policy} {
    for (std::size_t k = 0; k < order_.size(); ++k) {
      condition_at_.push_back(times.of_rule[order_.index(k)]);
    }
    for (const PlannedTarget& target : target_plan.targets) {
      nodes_of_target_.push_back(target_nodes_(nodes_of(policy, order_, target)));
    }
  }

  Result<Matrix> build(const std::vector<RuleId>& rule_ids, CompileTrace* trace) {
    Matrix matrix{Classes{sources_.size()}, Classes{targets_.size()}, {}, {}, {}, {}, {}, {}, 0};
    part(matrix);
    std::vector<Row> rows = describe_rows(matrix.rows);
    Blocks blocks = describe_columns(matrix.columns);
    if (auto filled = fill(rows, blocks, matrix); !filled) return std::unexpected{filled.error()};
    for (const Outcome& outcome : outcomes_.values()) {
      for (const auto& audits : outcome.audits) {
        if (audits.size() > kMaxAudits) return too_many_audits(audits.back());
      }
      matrix.outcomes.push_back(to_record(outcome, rule_ids, matrix.audit_rules));
    }
    if (trace != nullptr) {
      trace->rows = std::move(rows);
      trace->blocks = std::move(blocks.columns);
      trace->blocks_of_rule = std::move(blocks.of_rule);
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
    std::unordered_map<std::string, std::uint32_t> sources;
    std::unordered_map<std::string, std::uint32_t> targets;
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const Rule& rule = order_.at(k);
      const auto [from, new_from] = sources.try_emplace(source_text(rule),
                                                        static_cast<std::uint32_t>(from_.size()));
      if (new_from) {
        from_.push_back(sources_.matching(rule.from, rule.except_from).list());
        matrix.rows.split(from_.back());
      }
      from_of_rule_.push_back(from->second);
      const TargetPoints::Opener opener = targets_.opener(rule);
      const auto [to, new_to] = targets.try_emplace(target_text(rule, opener),
                                                    static_cast<std::uint32_t>(to_.size()));
      if (new_to) {
        const TargetMatch match = targets_.matching(rule, opener);
        to_.push_back({match.any.list(), match.service.list(), match.unpublished.list()});
        matrix.columns.split(to_.back().any);
        matrix.columns.split(to_.back().service);
        matrix.columns.split(to_.back().unpublished);
      }
      to_of_rule_.push_back(to->second);
    }
    matrix.rows.finish();
    matrix.columns.finish();
    for (Places& from : from_) matrix.rows.replace_points(from);
    for (TargetPlaces& to : to_) {
      for (Places* const places : {&to.any, &to.service, &to.unpublished}) {
        matrix.columns.replace_points(*places);
      }
    }
  }

  [[nodiscard]] std::vector<Row> describe_rows(const Classes& classes) {
    std::vector<Row> rows(classes.count());
    for (std::size_t r = 0; r < rows.size(); ++r) {
      rows[r].node = source_node(classes.first_points()[r]);
    }
    std::vector<std::uint32_t> rules(rows.size(), 0);
    for (const std::uint32_t from : from_of_rule_) {
      for (const std::uint32_t row : from_[from]) ++rules[row];
    }
    for (std::size_t r = 0; r < rows.size(); ++r) rows[r].rules.reserve(rules[r]);
    for (std::size_t k = 0; k < order_.size(); ++k) {
      for (const std::uint32_t row : from_[from_of_rule_[k]]) {
        rows[row].rules.push_back(static_cast<std::uint32_t>(k));
      }
    }
    return rows;
  }

  [[nodiscard]] Blocks describe_columns(const Classes& classes) {
    Blocks blocks;
    blocks.columns.resize((classes.count() + image::kBlockColumns - 1) / image::kBlockColumns);
    blocks.of_rule.resize(order_.size());
    std::vector<std::vector<BlockMask>> masks;
    for (const TargetPlaces& to : to_) masks.push_back(masks_of(to, blocks.columns.size()));
    for (std::size_t k = 0; k < order_.size(); ++k) {
      for (const BlockMask& part : masks[to_of_rule_[k]]) {
        blocks.columns[part.block].rules.emplace(static_cast<std::uint32_t>(k), part.mask);
        blocks.of_rule[k].push_back(part.block);
      }
    }
    for (std::size_t c = 0; c < classes.count(); ++c) {
      const std::size_t target = targets_.target_of(classes.first_points()[c]);
      mark_nodes(target_nodes_.values()[nodes_of_target_[target]],
                 ColumnMask{1} << c % image::kBlockColumns,
                 blocks.columns[c / image::kBlockColumns]);
    }
    return blocks;
  }

  [[nodiscard]] static std::vector<BlockMask> masks_of(const TargetPlaces& to, std::size_t blocks) {
    std::vector<RuleMask> dense(blocks);
    const auto mark = [&](const Places& columns, ColumnMask RuleMask::*field) {
      for (const std::uint32_t column : columns) {
        dense[column / image::kBlockColumns].*field |= ColumnMask{1}
                                                       << column % image::kBlockColumns;
      }
    };
    mark(to.any, &RuleMask::any);
    mark(to.service, &RuleMask::service);
    mark(to.unpublished, &RuleMask::unpublished);
    std::vector<BlockMask> masks;
    for (std::size_t b = 0; b < blocks; ++b) {
      if ((dense[b].any | dense[b].service | dense[b].unpublished) != 0) {
        masks.push_back({static_cast<std::uint32_t>(b), dense[b]});
      }
    }
    return masks;
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

  Result<void> fill(const std::vector<Row>& rows, const Blocks& blocks, Matrix& matrix) {
    BlockStore store{policy_, order_, condition_at_, blocks.columns, outcomes_};
    RowFiller filler{policy_, order_, blocks, store};
    for (const Row& row : rows) {
      filler.add(row);
      if (auto excess = store.excess()) return std::unexpected{std::move(*excess)};
    }
    matrix.stripes_per_row = filler.stripes_per_row();
    matrix.row_stripes = filler.take_rows();
    matrix.stripes = filler.stripes();
    matrix.cells = store.take_cells();
    matrix.branches = store.branches();
    return {};
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
        audit_rules.push_back({id_at(position), condition_at_[position]});
      }
    }
    record.published = outcome.published ? 1 : 0;
    return record;
  }

  [[nodiscard]] std::unexpected<Error> too_many_audits(std::uint32_t position) const {
    const Rule& rule = order_.at(position);
    return fail(fmt::format("with rule {} ({}) more than {} audit rules match the same traffic",
                            policy_.full_name(rule), policy_.where(rule.place), kMaxAudits),
                fmt::format("加上规则 {}（{}）后，匹配同一流量的 audit 规则超过 {} 条",
                            policy_.full_name(rule), policy_.where(rule.place), kMaxAudits));
  }

  const CheckedPolicy& policy_;
  const SourcePoints& sources_;
  const TargetPoints& targets_;
  const TargetPlan& target_plan_;
  RuleOrder order_;
  Interner<TargetNodes> target_nodes_;
  std::vector<std::uint32_t> nodes_of_target_;
  std::vector<Places> from_;  // distinct ones
  std::vector<TargetPlaces> to_;
  std::vector<std::uint32_t> from_of_rule_;  // by position, index into from_
  std::vector<std::uint32_t> to_of_rule_;
  std::vector<std::uint32_t> condition_at_;  // by position
  Interner<Outcome> outcomes_;
};

}  // namespace

Result<Matrix> build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                            const TargetPoints& targets, const TargetPlan& target_plan,
                            const TimePlan& times, const std::vector<RuleId>& rule_ids,
                            CompileTrace* trace) {
  return MatrixBuilder{policy, sources, targets, target_plan, times}.build(rule_ids, trace);
}

}  // namespace meiguan::policy
