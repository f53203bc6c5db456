// meiguan policy grep

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/analysis/search.h"
#include "controlplane/policy/load.h"
#include "controlplane/policy/message.h"
#include "tools/cli/load.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string pattern;
  std::string path{"."};
};

Text relation_text(analysis::Relation relation) {
  switch (relation) {
    case analysis::Relation::kEquals: return {"equals", "等于"};
    case analysis::Relation::kContains: return {"contains", "包含"};
    case analysis::Relation::kInside: return {"inside", "在其中"};
    case analysis::Relation::kOverlaps: return {"overlaps", "重叠"};
    case analysis::Relation::kNamed: return {"names", "提到"};
  }
  return {};
}

// What people read: `contains (prefixes 10.65.64.32/27)`.
Cell why(const Context& context, const analysis::Match& match) {
  json::array values;
  std::string text;
  for (const auto& reason : match.reasons) {
    json::object value;
    value.emplace("match", analysis::relation_name(reason.relation));
    value.emplace("key", reason.key);
    value.emplace("value", reason.what);
    values.push_back(std::move(value));
    if (!text.empty()) text += "; ";
    text += fmt::format("{}: {} {}", context.tr(relation_text(reason.relation)), reason.key,
                        reason.what);
  }
  return {std::move(values), std::move(text)};
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto pattern = analysis::parse_pattern(options.pattern);
  if (!pattern) {
    complain(context, pattern.error().message);
    if (!pattern.error().hint.english.empty()) note(context, pattern.error().hint);
    return kBadInput;
  }
  const auto policy = policy::load_policy(options.path);
  if (!policy) {
    report_refusal(context, policy.error(), {"nothing was searched", "未做查找"});
    return kBadInput;
  }
  Table table;
  table.schema = "meiguan.grep/v1";
  table.columns = {{"place", {"PLACE", "位置"}},
                   {"kind", {"KIND", "类别"}},
                   {"id", {"ID", "标识"}},
                   {"name", {"NAME", "名称"}},
                   {"why", {"WHY", "原因"}}};
  for (const auto& match : analysis::search(*policy, *pattern)) {
    table.rows.push_back({json::value(policy->where(match.place)), json::value(match.kind),
                          json::value(match.id), json::value(match.name), why(context, match)});
  }
  const bool found = !table.rows.empty();
  if (!found && *format == Format::kTable) {
    note(context, policy::say("nothing in the policy matches `{}`", "策略中没有与 `{}` 相符的内容",
                              policy::printable(options.pattern)));
    return kNo;
  }
  Out out;
  const int code = print(std::move(table), context, *format, out);
  return code == kYes && !found ? kNo : code;
}

}  // namespace

void add_grep_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command = policy.add_subcommand(
      "grep", context.tr("find the objects and rules with an address, a port or a name",
                         "按地址、端口或名称查找对象和规则"));
  auto options = std::make_shared<Options>();
  command
      ->add_option(
          "PATTERN", options->pattern,
          context.tr("an address, a prefix, a port (443, 443/tcp), a MAC or part of a name",
                     "地址、前缀、端口（443、443/tcp）、MAC 或名称的一部分"))
      ->required();
  command->add_option("PATH", options->path,
                      context.tr("the policy; the directory you are in if not given",
                                 "策略目录或单个文件，缺省为当前目录"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
