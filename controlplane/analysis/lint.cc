#include "controlplane/analysis/lint.h"

#include <algorithm>
#include <array>
#include <fstream>
#include <tuple>
#include <utility>

#include "controlplane/analysis/lint_sink.h"

namespace meiguan::analysis {
namespace {

using enum LintLevel;

constexpr std::array kKinds{
    LintKind{"rule-never-matches", kWarning, "no packet can match the rule",
             "没有报文能匹配该规则"},
    LintKind{"rule-shadowed", kWarning, "other rules decide wherever the rule matches",
             "规则匹配之处都已由其他规则决定"},
    LintKind{"rule-shadowed-partly", kNote,
             "rules of other nodes decide the other way in part of what the rule matches",
             "规则匹配的一部分被其他节点的规则作了相反决定"},
    LintKind{"rule-redundant", kNote, "taking the rule out changes no decision",
             "删去该规则不改变任何判决"},
    LintKind{"rule-expired", kWarning, "the rule has expired", "规则已过期"},
    LintKind{"rule-expires-soon", kWarning, "the rule is about to expire", "规则即将到期"},
    LintKind{"rule-undocumented", kNote, "the rule has neither owner nor ticket",
             "规则没有责任单位，也没有工单"},
    LintKind{"allow-any-to-any", kWarning, "the rule allows anything to anything",
             "规则放行任意源到任意目的"},
    LintKind{"allow-opens-nothing", kWarning,
             "the allow below the root names nothing that its node may open",
             "下级节点的放行规则没有可开放的对象"},
    LintKind{"allow-names-no-service", kWarning,
             "only services can be allowed there, and the allow names none",
             "该处只能放行服务，而规则没有点名服务"},
    LintKind{"allow-not-published", kWarning,
             "the allow from the internet names services that are not published only",
             "从互联网的放行规则只点名了未发布的服务"},
    LintKind{"label-matches-nothing", kWarning, "nothing has the label", "没有对象带该标签"},
    LintKind{"group-empty", kWarning, "the group matches nothing", "分组不匹配任何对象"},
    LintKind{"group-unused", kNote, "nothing names the group", "没有规则使用该分组"},
    LintKind{"schedule-unused", kNote, "no rule names the schedule", "没有规则使用该时段"},
    LintKind{"service-unreachable", kNote, "nobody may reach the service", "没有人可以访问该服务"},
    LintKind{"services-overlap", kNote, "two services listen at the same place",
             "两个服务的监听处重叠"},
    LintKind{"unit-admits-nobody", kWarning, "no packet of the unit is admitted",
             "该单位没有报文能通过准入"},
    LintKind{"prefix-nested", kWarning, "a unit's prefix lies inside another unit's",
             "单位前缀位于另一单位的前缀之内"},
    LintKind{"egress-covers-nothing", kWarning, "the egress lets nobody out", "该出口不覆盖任何源"},
    LintKind{"egress-shadowed", kWarning, "egresses before it cover all that it covers",
             "该出口覆盖的源都已被前面的出口覆盖"},
    LintKind{"translation-overlaps", kWarning,
             "two boundaries use the same public addresses, pools or outsides",
             "两处边界使用相同的公网地址、地址池或 outside"},
    LintKind{"timeout-short", kWarning, "a time-out is below the least value of its RFC",
             "超时短于 RFC 规定的下限"},
    LintKind{"helper-reads-nothing", kWarning, "the service has nothing that its helper reads",
             "该服务没有其辅助程序所读的端点"},
    LintKind{"helper-reads-much", kWarning, "the helper reads more than signalling ports",
             "辅助程序读取的端口多于信令端口"},
};

const LintKind* find_kind(std::string_view name) {
  return std::ranges::find(kKinds, name, &LintKind::name);
}

}  // namespace

std::span<const LintKind> lint_kinds() { return kKinds; }

Lint& LintSink::add(std::string_view name, std::string subject, const policy::Place& place,
                    std::size_t length, Text message, Text hint) {
  Lint lint;
  lint.kind = find_kind(name);
  lint.subject = std::move(subject);
  lint.diagnostic.file = policy_.files[place.file];
  lint.diagnostic.line = place.line;
  lint.diagnostic.column = place.column;
  lint.diagnostic.length = static_cast<std::uint32_t>(std::max<std::size_t>(length, 1));
  lint.diagnostic.message = std::move(message);
  lint.diagnostic.hint = std::move(hint);
  found_.push_back(std::move(lint));
  if (name == "label-matches-nothing" || name == "group-empty") {
    empty_.emplace(place.file, place.line, place.column);
  }
  return found_.back();
}

bool LintSink::has(const policy::Place& place) const {
  return empty_.contains({place.file, place.line, place.column});
}

Lint& LintSink::add(std::string_view name, const policy::Rule& rule, Text message, Text hint) {
  constexpr std::size_t kHeader = 8;  // [[rule]]
  return add(name, policy_.full_name(rule), rule.place, kHeader, std::move(message),
             std::move(hint));
}

std::vector<Lint> LintSink::take(const std::filesystem::path& path) {
  std::ranges::stable_sort(found_, {}, [](const Lint& lint) {
    const auto& d = lint.diagnostic;
    return std::tuple{std::string_view{d.file}, d.line, d.column};
  });
  std::string open;
  std::vector<std::string> lines;
  for (auto& lint : found_) {
    auto& diagnostic = lint.diagnostic;
    diagnostic.path = policy::openable(path, diagnostic.file);
    if (diagnostic.file != open) {
      open = diagnostic.file;
      lines.clear();
      std::ifstream file{diagnostic.path};
      for (std::string line; std::getline(file, line);) lines.push_back(line);
    }
    if (diagnostic.line >= 1 && diagnostic.line <= lines.size()) {
      diagnostic.source_line = lines[diagnostic.line - 1];
    }
  }
  return std::move(found_);
}

std::vector<Lint> lint(const policy::CheckedPolicy& policy, const std::filesystem::path& path,
                       const image::Image& image, const policy::CompileTrace& trace,
                       const LintOptions& options) {
  const PolicyEffects effects = find_effects(policy, image, trace, options.at);
  LintSink sink{policy};
  lint_objects(policy, sink);
  lint_translations(policy, sink);
  lint_timeouts(policy, sink);
  lint_helpers(policy, sink);
  lint_rules(policy, effects, sink);
  lint_dates(policy, options, sink);
  lint_services(policy, image, trace, effects, sink);
  return sink.take(path);
}

std::string render_lint(const Lint& lint, Language language, bool colour) {
  policy::Diagnostic shown = lint.diagnostic;
  shown.message.english += " [" + std::string{lint.kind->name} + "]";
  shown.message.chinese += " [" + std::string{lint.kind->name} + "]";
  std::string text = policy::render(shown, language, colour,
                                    lint.kind->level == kNote ? policy::Severity::kNote
                                                              : policy::Severity::kWarning);
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace meiguan::analysis
