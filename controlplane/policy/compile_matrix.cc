#include "controlplane/policy/compile_matrix.h"

#include <fmt/core.h>

#include <algorithm>
#include <cstddef>
#include <string>
#include <unordered_map>
#include <utility>

#include "controlplane/policy/compile_columns.h"
#include "controlplane/policy/compile_intern.h"
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
      sides_.rules.condition.push_back(times.of_rule[order_.index(k)]);
    }
    for (const PlannedTarget& target : target_plan.targets) {
      nodes_of_target_.push_back(target_nodes_(nodes_of(policy, order_, target)));
    }
  }

  Result<Matrix> build(const std::vector<RuleId>& rule_ids, const KeptMatrix* before,
                       CompileTrace* trace) {
    Matrix matrix{Classes{sources_.size()}, Classes{targets_.size()}, {}, false, {}, {}};
    if (auto parted = part(matrix); !parted) return std::unexpected{parted.error()};
    describe(matrix);
    if (trace != nullptr) fill_in(*trace);
    if (before != nullptr) {
      if (auto patched = patch_cells(policy_, order_, before->sides, before->cells, sides_)) {
        matrix.made.cells = std::move(*patched);
        matrix.was_patched = true;
      }
    }
    if (!matrix.was_patched) {
      auto filled = fill_cells(policy_, order_, sides_);
      if (!filled) return std::unexpected{filled.error()};
      matrix.made.cells = std::move(*filled);
    }
    for (const Outcome& outcome : matrix.made.cells.outcomes) {
      for (const auto& audits : outcome.audits) {
        if (audits.size() > kMaxAudits) return too_many_audits(audits.back());
      }
      matrix.outcomes.push_back(to_record(outcome, rule_ids, matrix.audit_rules));
    }
    matrix.made.sides = std::move(sides_);
    return matrix;
  }

 private:
  [[nodiscard]] NodeId source_node(std::size_t point) const {
    const UnitId unit = sources_.groups()[sources_.group_of(point)].unit;
    return unit.is_none() ? NodeId{} : order_.ruling_node(policy_.units[unit.index()].node);
  }

  // Points that no rule and no scope tells apart are one class.
  Result<void> part(Matrix& matrix) {
    std::size_t places = 0;
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
        sides_.from.push_back(sources_.matching(rule.from, rule.except_from).list());
        matrix.rows.split(sides_.from.back());
        places += sides_.from.back().size();
      }
      sides_.rules.from.push_back(from.value);
      const TargetPoints::Opener opener = targets_.opener(rule);
      const auto to = targets(words.of_targets(rule, opener));
      if (to.is_new) {
        const TargetMatch match = targets_.matching(rule, opener);
        sides_.to.push_back({match.any.list(), match.service.list(), match.unpublished.list()});
        matrix.columns.split(sides_.to.back().any);
        matrix.columns.split(sides_.to.back().service);
        matrix.columns.split(sides_.to.back().unpublished);
        places += sides_.to.back().any.size() + sides_.to.back().service.size();
      }
      sides_.rules.to.push_back(to.value);
      if (places > kMaxPlaces) return too_many_places(rule);
    }
    matrix.rows.finish();
    matrix.columns.finish();
    for (Places& from : sides_.from) matrix.rows.replace_points(from);
    for (TargetPlaces& to : sides_.to) {
      for (Places* const list : {&to.any, &to.service, &to.unpublished}) {
        matrix.columns.replace_points(*list);
      }
    }
    return {};
  }

  void describe(const Matrix& matrix) {
    for (const Node& node : policy_.nodes) sides_.nodes.push_back({node.code, node.parent});
    for (std::size_t k = 0; k < order_.size(); ++k) {
      const Rule& rule = order_.at(k);
      sides_.heads.push_back({rule.node, rule.phase, rule.action});
    }
    for (const std::size_t point : matrix.rows.first_points()) {
      sides_.row_nodes.push_back(source_node(point));
    }
    for (const std::size_t point : matrix.columns.first_points()) {
      sides_.column_nodes.push_back(
          target_nodes_.values()[nodes_of_target_[targets_.target_of(point)]]);
    }
  }

  void fill_in(CompileTrace& trace) const {
    ScopeOfBlocks scope{policy_, sides_.column_nodes};
    const Blocks blocks = describe_blocks(order_, sides_.rules, sides_.from.size(), sides_.to,
                                          sides_.blocks(), scope);
    trace.add_rows(lists_of_rows(sides_), sides_.row_nodes, sides_.rules);
    trace.add_blocks(blocks, scope, order_.size());
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
        audit_rules.push_back({id_at(position), sides_.rules.condition[position]});
      }
    }
    record.published = outcome.published ? 1 : 0;
    return record;
  }

  [[nodiscard]] std::unexpected<Error> too_many_places(const Rule& rule) const {
    const std::string name = policy_.full_name(rule);
    const std::string where = policy_.where(rule.place);
    return fail(
        fmt::format("the lists of the policy's rules hold more sources and destinations than can "
                    "be worked out; rule {} ({}) is where it was given up: let wide rules share "
                    "their lists, or name fewer zones",
                    name, where),
        fmt::format("策略各规则的名单所含的源和目的过多，无法全部算出；算到规则 {}（{}）时放弃："
                    "请让范围大的规则共用相同的名单，或减少点名的区域",
                    name, where));
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
  MatrixSides sides_;
};

}  // namespace

Result<Matrix> build_matrix(const CheckedPolicy& policy, const SourcePoints& sources,
                            const TargetPoints& targets, const TargetPlan& target_plan,
                            const TimePlan& times, const std::vector<RuleId>& rule_ids,
                            const KeptMatrix* before, CompileTrace* trace) {
  return MatrixBuilder{policy, sources, targets, target_plan, times}.build(rule_ids, before, trace);
}

}  // namespace meiguan::policy
