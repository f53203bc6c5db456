// meiguan policy test

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <map>
#include <memory>

#include "controlplane/analysis/cases.h"
#include "controlplane/analysis/names.h"
#include "tools/cli/junit.h"
#include "tools/cli/load.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/question.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace fs = std::filesystem;
namespace json = boost::json;
using analysis::Expected;
using analysis::PolicyCase;

struct Options {
  std::string cases;
  std::string policy;
  std::string gateway;
};

struct Result {
  const PolicyCase* one{nullptr};
  bool error{false};  // could not be asked
  std::vector<Text> failures;
  std::string verdict;
  std::string reason;
  std::string rule;
  std::string where;
  std::string unit;
  std::string to_unit;
  std::string service;
};

std::string_view word(Expected expected) {
  switch (expected) {
    case Expected::kAllow: return "allow";
    case Expected::kDeny: return "deny";
    case Expected::kDrop: return "drop";
  }
  return "";
}

// The policies of a file's cases, each loaded once; null where one cannot be loaded.
class Bundles {
 public:
  Bundles(const Context& context, const Options& options) : context_{context}, options_{options} {}

  const lifecycle::Bundle* find(const PolicyCase& one) {
    const auto key = std::pair{path(one.policy, options_.policy),
                               path(one.gateway, options_.gateway)};
    auto found = bundles_.find(key);
    if (found == bundles_.end()) {
      found = bundles_.emplace(key, load(context_, key.first, key.second)).first;
    }
    return found->second.get();
  }

 private:
  // A path of the file is relative to the file; one of the command line stands above it.
  [[nodiscard]] fs::path path(const std::string& of_case, const std::string& given) const {
    if (!given.empty()) return given;
    if (of_case.empty()) return {};
    return fs::path{options_.cases}.parent_path() / of_case;
  }

  const Context& context_;
  const Options& options_;
  std::map<std::pair<fs::path, fs::path>, std::unique_ptr<const lifecycle::Bundle>> bundles_;
};

void compare(const char* key, const std::optional<std::string>& want, const std::string& got,
             Result& result) {
  if (!want || *want == got) return;
  const auto shown = [](const std::string& text) { return text.empty() ? "-" : text; };
  result.failures.push_back({fmt::format("{}: want {}, got {}", key, shown(*want), shown(got)),
                             fmt::format("{}：应为 {}，实为 {}", key, shown(*want), shown(got))});
}

void compare(const PolicyCase& one, const fastpath::Decision& decision, Result& result) {
  const bool by_rules = decision.reason == fastpath::Reason::kDenied ||
                        decision.reason == fastpath::Reason::kDefaultDeny;
  const bool as_wanted = one.expect == Expected::kAllow  ? decision.forwards()
                         : one.expect == Expected::kDeny ? by_rules
                                                         : result.verdict == "drop";
  if (!as_wanted) {
    const auto got = result.verdict + ": " + result.reason;
    result.failures.push_back({fmt::format("expect: want {}, got {}", word(one.expect), got),
                               fmt::format("expect：应为 {}，实为 {}", word(one.expect), got)});
  }
  if (!one.reason.empty()) compare("reason", one.reason, result.reason, result);
  compare("rule", one.rule, result.rule, result);
  compare("unit", one.unit, result.unit, result);
  compare("to_unit", one.to_unit, result.to_unit, result);
  compare("service", one.service, result.service, result);
}

Result cannot(const PolicyCase& one, Text why) {
  Result result;
  result.one = &one;
  result.error = true;
  result.failures.push_back(std::move(why));
  return result;
}

Result ask(const PolicyCase& one, const lifecycle::Bundle* bundle) {
  if (bundle == nullptr) return cannot(one, {"its policy does not load", "策略无法加载"});
  const auto question =
      read_question({one.from, one.to, one.from_zone, one.to_zone, one.in, one.at}, *bundle);
  if (!question) {
    const auto& [key, message] = question.error();
    return cannot(one, {key + ": " + message.english, key + "：" + message.chinese});
  }
  const auto answer = analysis::explain(bundle->image, bundle->compiled.catalog, *question);
  if (!answer) return cannot(one, answer.error().message);
  const analysis::Names names{bundle->compiled.catalog};
  const auto* const reason = fastpath::find_reason(answer->decision.reason);
  const auto* const rule = names.rule(answer->decision.rule);
  Result result;
  result.one = &one;
  result.verdict = fastpath::name_of(answer->decision.verdict());
  result.reason = reason != nullptr ? reason->name : std::string_view{};
  if (rule != nullptr) {
    result.rule = rule->full_name;
    result.where = rule->where;
  }
  result.unit = names.unit_id(answer->unit);
  result.to_unit = names.unit_id(answer->to_unit);
  result.service = names.service_id(answer->service);
  compare(one, answer->decision, result);
  return result;
}

std::string got_text(const Result& result) {
  if (result.error) return {};
  auto text = fmt::format("{}: {}", result.verdict, result.reason);
  if (!result.rule.empty()) text += fmt::format(", {} ({})", result.rule, result.where);
  return text;
}

std::string failures_text(const Context& context, const Result& result, const char* between) {
  std::string text;
  for (const auto& failure : result.failures) {
    if (!text.empty()) text += between;
    text += context.tr(failure);
  }
  return text;
}

std::string place_text(const Options& options, const PolicyCase& one) {
  return fmt::format("{}:{}", fs::path{options.cases}.filename().string(), one.place.line);
}

Table to_table(const Context& context, const Options& options, const std::vector<Result>& results) {
  const auto text = [](const std::string& value) {
    return value.empty() ? json::value(nullptr) : json::value(value);
  };
  Table table;
  table.schema = "meiguan.policy-test/v1";
  table.columns = {{"case", {"CASE", "用例"}},       {"result", {"RESULT", "结果"}},
                   {"place", {"PLACE", "位置"}},     {"want", {"WANT", "期望"}},
                   {"got", {"GOT", "实际"}},         {"difference", {"DIFFERENCE", "差异"}},
                   {"verdict", {"VERDICT", "判定"}}, {"reason", {"REASON", "原因"}},
                   {"rule", {"RULE", "规则"}},       {"where", {"WHERE", "规则位置"}},
                   {"unit", {"UNIT", "单位"}},       {"to_unit", {"TO UNIT", "目的单位"}},
                   {"service", {"SERVICE", "服务"}}};
  for (const auto& result : results) {
    const char* const outcome = result.error ? "error" : result.failures.empty() ? "pass" : "fail";
    table.rows.push_back({json::value(result.one->name), json::value(outcome),
                          json::value(place_text(options, *result.one)),
                          json::value(word(result.one->expect)), text(got_text(result)),
                          text(failures_text(context, result, "; ")), text(result.verdict),
                          text(result.reason), text(result.rule), text(result.where),
                          text(result.unit), text(result.to_unit), text(result.service)});
  }
  return table;
}

void print_junit(const Context& context, const Options& options, const std::vector<Result>& results,
                 Out& out) {
  std::vector<JunitCase> cases;
  for (const auto& result : results) {
    JunitCase& one = cases.emplace_back();
    one.group = fs::path{options.cases}.filename().string();
    one.name = result.one->name;
    one.error = result.error;
    if (result.failures.empty()) continue;
    one.failures.push_back(fmt::format("{}\n{}\n{}", failures_text(context, result, "; "),
                                       place_text(options, *result.one), got_text(result)));
  }
  cli::print_junit(options.cases, cases, out);
}

// For people: the failures, a block each.
void print_text(const Context& context, const Options& options, const std::vector<Result>& results,
                Out& out) {
  for (const auto& result : results) {
    if (result.failures.empty()) continue;
    out.line(fmt::format("{}: {}: {}", place_text(options, *result.one),
                         result.error ? context.tr("error", "错误") : context.tr("failed", "不符"),
                         result.one->name));
    for (const auto& failure : result.failures) out.line("  " + context.tr(failure));
    if (const auto got = got_text(result); !got.empty()) out.line("  -> " + got);
  }
}

int run(const Context& context, const Options& options) {
  const auto format = context.format({Format::kTable, Format::kJson, Format::kJsonl, Format::kCsv,
                                      Format::kJunit},
                                     kRowForms);
  if (!format) return kBadInput;
  const auto cases = analysis::read_cases(options.cases);
  if (!cases) {
    report_refusal(context, cases.error(), {"nothing was tested", "未做测试"});
    return kBadInput;
  }
  Bundles bundles{context, options};
  std::vector<Result> results;
  std::size_t failed = 0;
  std::size_t errors = 0;
  for (const auto& one : *cases) {
    const bool has_policy = !one.policy.empty() || !options.policy.empty();
    results.push_back(has_policy ? ask(one, bundles.find(one))
                                 : cannot(one, {"it names no policy: `policy` in the case or in "
                                                "[defaults], or --policy, is needed",
                                                "没有指明策略：请在用例或 [defaults] 中写 "
                                                "`policy`，或用 --policy 给出"}));
    errors += results.back().error;
    failed += !results.back().error && !results.back().failures.empty();
  }
  Out out;
  int code = errors > 0 ? kBadInput : failed > 0 ? kNo : kYes;
  const bool as_rows = *format != Format::kTable || !context.columns.empty() ||
                       !context.sort.empty();
  if (*format == Format::kJunit) {
    print_junit(context, options, results, out);
  } else if (as_rows) {
    if (print(to_table(context, options, results), context, *format, out) != kYes) {
      code = kBadInput;
    }
  } else {
    print_text(context, options, results, out);
  }
  out.flush();
  note(context,
       {fmt::format("{} case{}, {} failed, {} could not be asked", results.size(),
                    results.size() == 1 ? "" : "s", failed, errors),
        fmt::format("{} 个用例，{} 个不符，{} 个无法判定", results.size(), failed, errors)});
  return code;
}

}  // namespace

void add_policy_test_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command =
      policy.add_subcommand("test", context.tr("ask the cases of a file and compare the answers",
                                               "按用例文件逐条判定并比较"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("CASES", options->cases,
                   context.tr("a TOML file of [[case]] tables", "含 [[case]] 的 TOML 文件"))
      ->required();
  command->add_option("--policy", options->policy,
                      context.tr("the policy of all cases, whatever they name",
                                 "全部用例都用该策略"));
  command->add_option("--gateway", options->gateway,
                      context.tr("the gateway file of all cases", "全部用例都用该网关文件"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
