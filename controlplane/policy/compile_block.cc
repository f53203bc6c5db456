#include "controlplane/policy/compile_block.h"

#include <algorithm>
#include <bit>
#include <string_view>

namespace meiguan::policy {
namespace {

constexpr ColumnMask kAllColumns = ~ColumnMask{0};
// Bits of a step's word that a transcript adds.
constexpr std::uint64_t kSecondMode = 32;
constexpr std::uint64_t kOfProgram = 64;

template <typename F>
void each(ColumnMask columns, F&& visit) {
  for (; columns != 0; columns &= columns - 1) {
    visit(static_cast<std::size_t>(std::countr_zero(columns)));
  }
}

StepKind kind_of(Action action) {
  switch (action) {
    case Action::kAllow: return StepKind::kAllow;
    case Action::kDeny: return StepKind::kDeny;
    case Action::kAudit: break;
  }
  return StepKind::kAudit;
}

// The columns in which a rule counts as matching.
ColumnMask matched(const Match& match, std::size_t mode) {
  const BlockRule& rule = *match.rule;
  if (rule.action != Action::kAllow) return rule.mask.any;
  const ColumnMask columns = mode == 0 ? rule.mask.any : rule.mask.service;
  const bool is_bound = rule.phase == Phase::kMandatory && rule.node != NodeId{0};
  return is_bound ? columns & (match.covers_source ? rule.scope.all : 0) : columns;
}

void put(Transcript& out, const BlockRule& rule, ColumnMask columns, std::uint64_t flags) {
  // Positions have 32 bits: they leave the low byte of a step's word to its flags.
  const Step step{kind_of(rule.action), rule.phase == Phase::kLocal, false, rule.position};
  out.push_back(step.word() | flags);
  out.push_back(columns);
  if (rule.action == Action::kAllow) out.push_back(columns & ~rule.mask.unpublished);
}

}  // namespace

BlockJudge::BlockJudge(const CheckedPolicy& policy) : standing_(policy.nodes.size()) {
  std::vector<std::uint32_t> by_code(policy.nodes.size());
  for (std::uint32_t n = 0; n < by_code.size(); ++n) by_code[n] = n;
  std::ranges::sort(by_code, {},
                    [&](std::uint32_t n) -> std::string_view { return policy.nodes[n].code; });
  for (std::uint32_t rank = 0; rank < by_code.size(); ++rank) {
    standing_[by_code[rank]] = {policy.nodes[by_code[rank]].depth, rank};
  }
}

void BlockJudge::arrange(std::span<const Match> matches) {
  for (auto& turns : turns_) turns.clear();
  for (std::size_t i = 0; i < matches.size();) {
    const BlockRule& first = *matches[i].rule;
    std::size_t end = i + 1;
    while (end < matches.size() && matches[end].rule->node == first.node &&
           matches[end].rule->phase == first.phase) {
      ++end;
    }
    add_turns(matches.subspan(i, end - i));
    i = end;
  }
  for (auto& turns : turns_) {
    if (turns.size() > 1) std::ranges::sort(turns, {}, &Turn::order);
  }
}

// Nodes by depth; at the same depth those at or above a service first, then those at or above the
// unit, then the source's, and otherwise by code. Baseline goes from the deepest up.
void BlockJudge::add_turns(std::span<const Match> group) {
  const BlockRule& first = *group.front().rule;
  const Standing& standing = standing_[first.node.index()];
  const std::uint64_t depth = first.phase == Phase::kBaseline ? 0x3fff'ffff - standing.depth
                                                              : standing.depth;
  std::vector<Turn>& turns = turns_[static_cast<std::size_t>(first.phase)];
  const auto add = [&](std::uint64_t rank, ColumnMask columns) {
    if (columns != 0) {
      turns.push_back({depth << 34 | rank << 32 | standing.code_rank, group, columns});
    }
  };
  if (first.node == NodeId{0}) return add(0, kAllColumns);
  const NodeMask& scope = first.scope;
  add(0, scope.service);
  add(1, scope.unit & ~scope.service);
  if (group.front().covers_source) add(2, ~(scope.unit | scope.service));
}

void BlockJudge::judge(std::span<const Match> matches, Transcript& transcript) {
  ColumnMask conditional = 0;
  for (const Match& match : matches) {
    if (match.rule->is_conditional) conditional |= match.rule->mask.any;
  }
  transcript.assign(1, conditional);
  arrange(matches);
  for (std::size_t mode = 0; mode < kModes; ++mode) decide(mode, ~conditional, transcript);
  if (conditional == 0) return;
  for (std::size_t mode = 0; mode < kModes; ++mode) write_program(mode, conditional, transcript);
}

void BlockJudge::decide(std::size_t mode, ColumnMask open, Transcript& out) {
  const std::uint64_t flags = mode == 0 ? 0 : kSecondMode;
  const auto search = [&](const Turn& turn) {
    for (const Match& match : turn.rules) {
      const ColumnMask hit = matched(match, mode) & turn.columns & open;
      if (hit == 0) continue;
      put(out, *match.rule, hit, flags);
      if (match.rule->action != Action::kAudit) open &= ~hit;
    }
  };
  for (const Turn& turn : turns(Phase::kMandatory)) search(turn);
  // Every node gives its own first match; the first deny wins, else the first allow.
  const ColumnMask before = open;
  ColumnMask denied = 0;
  for (const Turn& turn : turns(Phase::kLocal)) {
    ColumnMask of_node = before & turn.columns;
    for (const Match& match : turn.rules) {
      const ColumnMask hit = matched(match, mode) & of_node;
      if (hit == 0) continue;
      if (match.rule->action == Action::kAudit) {
        put(out, *match.rule, hit, flags);
        continue;
      }
      of_node &= ~hit;
      const bool denies = match.rule->action == Action::kDeny;
      const ColumnMask wins = hit & (denies ? ~denied : open);
      if (wins != 0) put(out, *match.rule, wins, flags);
      if (denies) denied |= hit;
      open &= ~hit;
    }
  }
  for (const Turn& turn : turns(Phase::kBaseline)) search(turn);
}

BlockJudge::Written BlockJudge::write_turn(const Turn& turn, std::size_t mode, ColumnMask open,
                                           Transcript& out) {
  Written written;
  for (const Match& match : turn.rules) {
    const ColumnMask hit = matched(match, mode) & turn.columns & open & ~written.settled;
    if (hit == 0) continue;
    put(out, *match.rule, hit, kOfProgram);
    written.touched |= hit;
    const bool decides = match.rule->action != Action::kAudit && !match.rule->is_conditional;
    if (decides) written.settled |= hit;
  }
  return written;
}

void BlockJudge::write_program(std::size_t mode, ColumnMask columns, Transcript& out) {
  const auto end = [&](ColumnMask where, StepKind kind) {
    if (where == 0) return;
    out.push_back(Step{kind}.word() | kOfProgram);
    out.push_back(where);
  };
  ColumnMask open = columns;
  for (const Turn& turn : turns(Phase::kMandatory)) {
    open &= ~write_turn(turn, mode, open, out).settled;
  }
  Written local{};
  for (const Turn& turn : turns(Phase::kLocal)) {
    const Written written = write_turn(turn, mode, open, out);
    end(written.touched, StepKind::kEndOfNode);
    local.touched |= written.touched;
    local.settled |= written.settled;
  }
  end(local.touched, StepKind::kEndOfLocal);
  open &= ~local.settled;
  for (const Turn& turn : turns(Phase::kBaseline)) {
    open &= ~write_turn(turn, mode, open, out).settled;
  }
  end(columns, StepKind::kEndOfMode);
}

BlockAnswer unfold(const Transcript& transcript) {
  BlockAnswer answer;
  answer.conditional = transcript.front();
  if (answer.conditional != 0) answer.programs.resize(image::kBlockColumns);
  for (std::size_t i = 1; i < transcript.size();) {
    const std::uint64_t word = transcript[i++];
    const ColumnMask columns = transcript[i++];
    Step step = Step::from(word);
    const ColumnMask published = step.kind == StepKind::kAllow ? transcript[i++] : 0;
    const std::size_t mode = (word & kSecondMode) != 0 ? 1 : 0;
    each(columns, [&](std::size_t c) {
      step.published = (published >> c & 1) != 0;
      if ((word & kOfProgram) != 0) {
        answer.programs[c].push_back(step.word());
        return;
      }
      Outcome& outcome = answer.outcomes[c];
      if (step.kind == StepKind::kAudit) {
        outcome.audits[mode].push_back(step.position);
        return;
      }
      const bool allows = step.kind == StepKind::kAllow;
      outcome.rule[mode] = step.position;
      outcome.action[mode] = allows ? image::RuleAction::kAllow : image::RuleAction::kDeny;
      if (mode == 1) outcome.published = allows && step.published;
    });
  }
  return answer;
}

}  // namespace meiguan::policy
