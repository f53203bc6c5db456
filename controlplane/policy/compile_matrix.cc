#include "controlplane/policy/compile_matrix.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>

#include "controlplane/policy/compile_block_store.h"
#include "controlplane/policy/compile_columns.h"
#include "controlplane/policy/compile_intern.h"
#include "controlplane/policy/compile_number.h"
#include "controlplane/policy/compile_rows.h"
#include "controlplane/policy/compile_scope.h"

namespace meiguan::policy {
namespace {

// Points of one side; once the classes stand, the classes that they are.
using Places = std::vector<std::uint32_t>;

// Writes what selectors mean as words, equal for selectors that mean the same.
class SelectorWords {
 public:
  using Words = std::vector<std::uint32_t>;

  [[nodiscard]] const Words& of_sources(const Rule& rule) {
    words_.clear();
    append(rule.from);
    append(rule.except_from);
    return words_;
  }

  // An allow is held to what its node may open.
  [[nodiscard]] const Words& of_targets(const Rule& rule, const TargetPoints::Opener& opener) {
    words_.assign(1, opener.node.value());
    words_.push_back(static_cast<std::uint32_t>(opener.offered.size()));
    for (const ServiceId service : opener.offered) words_.push_back(service.value());
    append(rule.to);
    append(rule.except_to);
    for (const PortMatch& m : rule.ports) {
      words_.push_back((m.any_protocol ? 1U : 0U) | (m.whole ? 2U : 0U) |
                       std::uint32_t{m.protocol} << 8);
      words_.push_back(std::uint32_t{m.first} << 16 | m.last);
    }
    return words_;
  }

 private:
  void append(std::span<const Selector> selectors) {
    words_.push_back(static_cast<std::uint32_t>(selectors.size()));
    for (const Selector& s : selectors) {
      words_.push_back(static_cast<std::uint32_t>(s.kind));
      switch (s.kind) {
        case SelectorKind::kAny: break;
        case SelectorKind::kUnit: words_.push_back(s.unit.value()); break;
        case SelectorKind::kNode: words_.push_back(s.node.value()); break;
        case SelectorKind::kTier: words_.push_back(static_cast<std::uint32_t>(s.tier)); break;
        case SelectorKind::kGroup: words_.push_back(s.group.value()); break;
        case SelectorKind::kZone: words_.push_back(s.zone.value()); break;
        case SelectorKind::kService: words_.push_back(s.service.value()); break;
        case SelectorKind::kLabel:
        case SelectorKind::kServices: words_.push_back(label(s.text)); break;
        case SelectorKind::kNet: append(s.prefix, s.space); break;
      }
    }
  }
  void append(const net::Prefix& prefix, SpaceId space) {
    words_.push_back(std::uint32_t{space.value()} << 16 | std::uint32_t{prefix.length()} << 8 |
                     static_cast<std::uint32_t>(prefix.family()));
    const auto bytes = prefix.address().bytes();
    for (std::size_t i = 0; i < bytes.size(); i += 4) {
      words_.push_back(std::uint32_t{bytes[i]} << 24 | std::uint32_t{bytes[i + 1]} << 16 |
                       std::uint32_t{bytes[i + 2]} << 8 | bytes[i + 3]);
    }
  }
  [[nodiscard]] std::uint32_t label(const std::string& text) {
    return labels_.try_emplace(text, static_cast<std::uint32_t>(labels_.size())).first->second;
  }

  Words words_;
  std::unordered_map<std::string, std::uint32_t> labels_;
};

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
      sides_.condition.push_back(times.of_rule[order_.index(k)]);
    }
    for (const PlannedTarget& target : target_plan.targets) {
      nodes_of_target_.push_back(target_nodes_(nodes_of(policy, order_, target)));
    }
  }

  Result<Matrix> build(const std::vector<RuleId>& rule_ids, CompileTrace* trace) {
    Matrix matrix{Classes{sources_.size()}, Classes{targets_.size()}, {}, {}, {}, {}, {}, {}, 0};
    part(matrix);
    const Lists<std::uint32_t> rows = lists_of_rows(matrix.rows);
    const std::vector<NodeId> nodes = nodes_of_rows(matrix.rows);
    ScopeOfBlocks scope{policy_, nodes_of_columns(matrix.columns)};
    const Blocks blocks = describe_columns(matrix.columns, scope);
    if (trace != nullptr) {
      trace->add_rows(rows, nodes, sides_);
      trace->add_blocks(blocks, scope, order_.size());
    }
    if (auto filled = fill(rows, nodes, blocks, matrix); !filled) {
      return std::unexpected{filled.error()};
    }
    for (const std::uint32_t number : outcomes_in_use_) {
      const Outcome& outcome = outcomes_.values()[number];
      for (const auto& audits : outcome.audits) {
        if (audits.size() > kMaxAudits) return too_many_audits(audits.back());
      }
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
    SelectorWords words;
    ListInterner<std::uint32_t> sources;
    ListInterner<std::uint32_t> targets;
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const Rule& rule = order_.at(k);
      const auto from = sources(words.of_sources(rule));
      if (from.is_new) {
        from_.push_back(sources_.matching(rule.from, rule.except_from).list());
        matrix.rows.split(from_.back());
      }
      sides_.from.push_back(from.value);
      const TargetPoints::Opener opener = targets_.opener(rule);
      const auto to = targets(words.of_targets(rule, opener));
      if (to.is_new) {
        const TargetMatch match = targets_.matching(rule, opener);
        to_.push_back({match.any.list(), match.service.list(), match.unpublished.list()});
        matrix.columns.split(to_.back().any);
        matrix.columns.split(to_.back().service);
        matrix.columns.split(to_.back().unpublished);
      }
      sides_.to.push_back(to.value);
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

  // Of each source class, the lists of sources that it matches, ascending.
  [[nodiscard]] Lists<std::uint32_t> lists_of_rows(const Classes& classes) const {
    std::vector<std::pair<std::uint32_t, std::uint32_t>> lists;
    for (std::uint32_t list = 0; list < from_.size(); ++list) {
      for (const std::uint32_t row : from_[list]) lists.emplace_back(row, list);
    }
    return gather(lists, classes.count());
  }

  [[nodiscard]] std::vector<NodeId> nodes_of_rows(const Classes& classes) const {
    std::vector<NodeId> nodes;
    for (const std::size_t point : classes.first_points()) nodes.push_back(source_node(point));
    return nodes;
  }

  [[nodiscard]] std::vector<const TargetNodes*> nodes_of_columns(const Classes& classes) const {
    std::vector<const TargetNodes*> nodes;
    for (const std::size_t point : classes.first_points()) {
      nodes.push_back(&target_nodes_.values()[nodes_of_target_[targets_.target_of(point)]]);
    }
    return nodes;
  }

  [[nodiscard]] Blocks describe_columns(const Classes& classes, ScopeOfBlocks& scope) const {
    std::vector<std::vector<BlockMask>> masks;
    masks.reserve(to_.size());
    for (const TargetPlaces& to : to_) masks.push_back(masks_of(to));
    return describe_blocks(order_, sides_, from_.size(), masks,
                           (classes.count() + image::kBlockColumns - 1) / image::kBlockColumns,
                           scope);
  }

  Result<void> fill(const Lists<std::uint32_t>& rows, const std::vector<NodeId>& nodes,
                    const Blocks& blocks, Matrix& matrix) {
    BlockStore store{policy_, order_, sides_.condition, outcomes_};
    RowFiller filler{policy_, blocks, store};
    for (std::size_t r = 0; r < rows.size(); ++r) {
      filler.add(rows[r], nodes[r]);
      if (auto excess = store.excess()) return std::unexpected{std::move(*excess)};
    }
    matrix.stripes_per_row = filler.stripes_per_row();
    matrix.row_stripes = filler.take_rows();
    Numbered numbered = number_cells(
        matrix.row_stripes, [&](std::uint32_t stripe) { return filler.stripe(stripe); },
        store.take_cells(), store.branches());
    matrix.stripes = std::move(numbered.stripes);
    matrix.cells = std::move(numbered.cells);
    matrix.branches = std::move(numbered.branches);
    outcomes_in_use_ = std::move(numbered.outcomes);
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
        audit_rules.push_back({id_at(position), sides_.condition[position]});
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
  RuleSides sides_;
  Interner<Outcome> outcomes_;
  std::vector<std::uint32_t> outcomes_in_use_;
};

}  // namespace

Result<Matrix> build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                            const TargetPoints& targets, const TargetPlan& target_plan,
                            const TimePlan& times, const std::vector<RuleId>& rule_ids,
                            CompileTrace* trace) {
  return MatrixBuilder{policy, sources, targets, target_plan, times}.build(rule_ids, trace);
}

}  // namespace meiguan::policy
