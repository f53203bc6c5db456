#include "tools/cli/explain_all.h"

#include <algorithm>
#include <boost/json.hpp>

#include "dataplane/fastpath/decide.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using policy::Phase;

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::kMandatory: return "mandatory";
    case Phase::kLocal: return "local";
    case Phase::kBaseline: break;
  }
  return "baseline";
}

Text words_of(Phase phase) {
  switch (phase) {
    case Phase::kMandatory: return {"mandatory, from the root downward", "强制规则，自根节点向下"};
    case Phase::kLocal:
      return {"local, each node's first match; a deny wins",
              "本级规则，各节点取首个匹配，拒绝优先"};
    case Phase::kBaseline: break;
  }
  return {"baseline, from the deepest node upward", "兜底规则，自最下级向上"};
}

std::string_view name_of(policy::Action action) {
  switch (action) {
    case policy::Action::kAllow: return "allow";
    case policy::Action::kDeny: return "deny";
    case policy::Action::kAudit: break;
  }
  return "audit";
}

}  // namespace

std::vector<analysis::MatchedRule> find_matched(const lifecycle::Bundle& bundle,
                                                const analysis::Question& question,
                                                const analysis::Explanation& answer) {
  if (!answer.ends) return {};
  // Equal policies compile to equal classes: this compilation is kept for its trace alone.
  policy::CompileTrace trace;
  const auto again = policy::compile(bundle.policy, bundle.gateway ? &*bundle.gateway : nullptr,
                                     nullptr, &trace);
  if (!again) return {};
  const image::Moment moment{bundle.image, question.at};
  return analysis::matched_rules(bundle.policy, bundle.image, trace, *answer.ends, moment);
}

std::vector<analysis::MatchedRule> find_absent(const lifecycle::Bundle& bundle,
                                               const analysis::Question& question,
                                               const analysis::Explanation& answer) {
  if (!answer.ends) return {};
  const auto cell = fastpath::cell_of(bundle.image, answer.ends->subject, answer.ends->target);
  if ((cell & image::kBranchBit) == 0) return {};
  auto matched = find_matched(bundle, question, answer);
  std::erase_if(matched, [](const analysis::MatchedRule& one) { return !one.absent; });
  return matched;
}

void print_absent(const Context& context, const lifecycle::Bundle& bundle,
                  const std::vector<analysis::MatchedRule>& absent, Out& out) {
  if (absent.empty()) return;
  constexpr std::size_t kNamed = 3;
  std::string names;
  for (std::size_t i = 0; i < std::min(absent.size(), kNamed); ++i) {
    const policy::Rule& rule = bundle.policy.rules[absent[i].rule];
    names += (i > 0 ? context.tr(", ", "、") : "") +
             fmt::format("{} ({})", bundle.policy.full_name(rule), bundle.policy.where(rule.place));
  }
  const auto rest = absent.size() - std::min(absent.size(), kNamed);
  const std::string more = rest > 0 ? context.tr({fmt::format(" and {} more", rest),
                                                  fmt::format(" 等共 {} 条", absent.size())})
                                    : std::string{};
  out.line(context.tr(
      {fmt::format("  outside their times now, and would match: {}{}; see --all", names, more),
       fmt::format("  此刻不在时段或日期之内、否则会匹配的规则：{}{}；详见 --all", names, more)}));
}

json::array matched_json(const Context& context, const lifecycle::Bundle& bundle,
                         const std::vector<analysis::MatchedRule>& matched) {
  json::array array;
  for (const auto& one : matched) {
    const policy::Rule& rule = bundle.policy.rules[one.rule];
    array.push_back(json::object{{"rule", bundle.policy.full_name(rule)},
                                 {"where", bundle.policy.where(rule.place)},
                                 {"phase", name_of(rule.phase)},
                                 {"node", bundle.policy.nodes[rule.node.index()].code},
                                 {"action", name_of(rule.action)},
                                 {"decides", one.decides},
                                 {"why", context.tr(one.why)}});
  }
  return array;
}

void print_matched(const Context& context, const lifecycle::Bundle& bundle,
                   const std::vector<analysis::MatchedRule>& matched, Out& out) {
  if (matched.empty()) {
    out.line(context.tr("no rule matches", "没有规则匹配"));
    return;
  }
  out.line(context.tr("rules that match, in the order in which they are asked:",
                      "匹配的规则，按询问次序："));
  std::size_t width = 0;
  for (const auto& one : matched) {
    const policy::Rule& rule = bundle.policy.rules[one.rule];
    width = std::max(width, display_width(fmt::format("{} ({})", bundle.policy.full_name(rule),
                                                      bundle.policy.where(rule.place))));
  }
  std::optional<Phase> phase;
  for (const auto& one : matched) {
    const policy::Rule& rule = bundle.policy.rules[one.rule];
    if (phase != rule.phase) out.line("  " + context.tr(words_of(rule.phase)));
    phase = rule.phase;
    out.line(fmt::format("  {} {}  {}  {}", one.decides ? "=>" : "  ",
                         pad(fmt::format("{} ({})", bundle.policy.full_name(rule),
                                         bundle.policy.where(rule.place)),
                             width, false),
                         pad(std::string{name_of(rule.action)}, 5, false), context.tr(one.why)));
  }
}

}  // namespace meiguan::cli
