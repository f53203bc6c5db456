// meiguan policy lint

#include <CLI/CLI.hpp>
#include <algorithm>
#include <boost/json.hpp>
#include <charconv>
#include <memory>

#include "controlplane/analysis/lint.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "tools/cli/junit.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"
#include "tools/cli/sarif.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using analysis::Lint;
using analysis::LintKind;
using analysis::LintLevel;

struct Options {
  std::string path;
  std::string at;
  std::string within{"30d"};
  std::string fail_level{"warning"};
  std::vector<std::string> only;
  std::vector<std::string> ignore;
};

std::string_view name_of(LintLevel level) {
  return level == LintLevel::kWarning ? "warning" : "note";
}

// "30d", "12h", "2w", "45m", "90s": seconds.
std::optional<std::int64_t> parse_span(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || number > 100'000) return std::nullopt;
  const std::string_view unit{end, static_cast<std::size_t>(text.data() + text.size() - end)};
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86'400;
  if (unit == "w") return number * 7 * 86'400;
  return std::nullopt;
}

// Whether every name is that of a kind; those that are not are told of.
bool are_kinds(const Context& context, const char* option, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    const auto kinds = analysis::lint_kinds();
    if (std::ranges::find(kinds, name, &LintKind::name) != kinds.end()) continue;
    std::string known;
    for (const auto& kind : kinds) known += (known.empty() ? "" : ", ") + std::string{kind.name};
    complain(context,
             {fmt::format("{}: there is no lint `{}`, only {}", option, name, known),
              fmt::format("{}：没有名为 `{}` 的检查项，可用的有 {}", option, name, known)});
    return false;
  }
  return true;
}

bool is_wanted(const Options& options, const LintKind& kind) {
  if (!options.only.empty() && std::ranges::find(options.only, kind.name) == options.only.end()) {
    return false;
  }
  return std::ranges::find(options.ignore, kind.name) == options.ignore.end();
}

bool fails(const Options& options, LintLevel level) {
  if (options.fail_level == "never") return false;
  return level == LintLevel::kWarning || options.fail_level == "note";
}

json::object to_json(const Context& context, const policy::Diagnostic& d) {
  return {{"file", d.file},
          {"line", d.line},
          {"column", d.column},
          {"message", context.tr(d.message)},
          {"hint", context.tr(d.hint)}};
}

void print_json(const Context& context, const policy::Diagnostics& errors,
                const std::vector<Lint>& lints, Out& out) {
  json::array error_array;
  for (const auto& error : errors) error_array.push_back(to_json(context, error));
  json::array lint_array;
  for (const Lint& lint : lints) {
    json::object object{{"name", lint.kind->name},
                        {"level", name_of(lint.kind->level)},
                        {"subject", lint.subject}};
    for (auto& [key, value] : to_json(context, lint.diagnostic)) object.emplace(key, value);
    json::array related;
    for (const auto& one : lint.related) {
      related.push_back(json::object{{"name", one.name}, {"where", one.where}});
    }
    object.emplace("related", std::move(related));
    lint_array.push_back(std::move(object));
  }
  const json::object document{{"schema", "meiguan.lint/v1"},
                              {"errors", std::move(error_array)},
                              {"lints", std::move(lint_array)}};
  out.line(json::serialize(document));
}

constexpr const char* kErrorRule = "policy-error";

SarifPlace place_of(const policy::Diagnostic& d) {
  return {d.file, d.line, d.column, d.length, {}};
}

void print_as_sarif(const Context& context, const policy::Diagnostics& errors,
                    const std::vector<Lint>& lints, Out& out) {
  std::vector<SarifRule> rules{
      {kErrorRule, "error", context.tr("the policy does not load", "策略无法加载")}};
  for (const auto& kind : analysis::lint_kinds()) {
    rules.push_back({std::string{kind.name}, std::string{name_of(kind.level)},
                     context.tr(Text{std::string{kind.english}, std::string{kind.chinese}})});
  }
  const auto sentence = [&](const policy::Diagnostic& d) {
    const auto& hint = context.tr(d.hint);
    return hint.empty()
               ? context.tr(d.message)
               : fmt::format("{}{}{}", context.tr(d.message), context.tr("; ", "；"), hint);
  };
  std::vector<SarifResult> results;
  for (const auto& d : errors) {
    results.push_back({kErrorRule, "error", sentence(d), place_of(d), {}});
  }
  for (const Lint& lint : lints) {
    SarifResult result{std::string{lint.kind->name},
                       std::string{name_of(lint.kind->level)},
                       sentence(lint.diagnostic),
                       place_of(lint.diagnostic),
                       {}};
    for (const auto& one : lint.related) {
      const auto colon = one.where.rfind(':');
      std::uint32_t line = 0;
      std::from_chars(one.where.data() + colon + 1, one.where.data() + one.where.size(), line);
      result.related.push_back({one.where.substr(0, colon), line, 0, 0, one.name});
    }
    results.push_back(std::move(result));
  }
  print_sarif(rules, results, out);
}

void print_as_junit(const Context& context, const Options& options,
                    const policy::Diagnostics& errors, const std::vector<Lint>& lints, Out& out) {
  std::vector<JunitCase> cases;
  const auto text = [&](const policy::Diagnostic& d) {
    return fmt::format("{}:{}:{}: {}\n{}", d.file, d.line, d.column, context.tr(d.message),
                       context.tr(d.hint));
  };
  for (const auto& d : errors) {
    cases.push_back(
        {d.file, fmt::format("{} {}:{}", kErrorRule, d.line, d.column), {text(d)}, true, 0});
  }
  // What was looked for and not found has passed.
  for (const auto& kind : analysis::lint_kinds()) {
    if (!errors.empty() || !is_wanted(options, kind)) continue;
    const bool found = std::ranges::any_of(lints, [&](const Lint& l) { return l.kind == &kind; });
    if (!found) cases.push_back({"policy", std::string{kind.name}, {}, false, 0});
  }
  for (const Lint& lint : lints) {
    const auto& d = lint.diagnostic;
    JunitCase one{d.file,
                  fmt::format("{} {} {}:{}", lint.kind->name, lint.subject, d.line, d.column),
                  {},
                  false,
                  0};
    if (fails(options, lint.kind->level)) one.failures.push_back(text(d));
    cases.push_back(std::move(one));
  }
  print_junit("meiguan policy lint", cases, out);
}

policy::Diagnostics whole(const std::string& path, Text message) {
  policy::Diagnostic diagnostic;
  diagnostic.file = path;
  diagnostic.message = std::move(message);
  return {std::move(diagnostic)};
}

// The lints of a policy without error; what keeps it from being compiled goes to `errors`.
std::vector<Lint> find(const Options& options, const policy::CheckedPolicy& checked,
                       const analysis::LintOptions& lint_options, policy::Diagnostics& errors) {
  policy::CompileTrace trace;
  const auto compiled = policy::compile(checked, nullptr, nullptr, &trace);
  if (!compiled) {
    errors = whole(options.path, compiled.error().message);
    return {};
  }
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) {
    errors = whole(options.path, image.error().message);
    return {};
  }
  auto lints = analysis::lint(checked, options.path, *image, trace, lint_options);
  std::erase_if(lints, [&](const Lint& lint) { return !is_wanted(options, *lint.kind); });
  return lints;
}

int run(const Context& context, const Options& options) {
  const auto format = context.format(
      {Format::kTable, Format::kJson, Format::kSarif, Format::kJunit});
  if (!format) return kBadInput;
  if (!are_kinds(context, "--only", options.only) ||
      !are_kinds(context, "--ignore", options.ignore)) {
    return kBadInput;
  }
  const auto within = parse_span(options.within);
  if (!within) {
    complain(context,
             {fmt::format("--within: `{}` is no span of time: 30d, 12h or 2w is expected",
                          options.within),
              fmt::format("--within：`{}` 不是时长，应写作 30d、12h 或 2w", options.within)});
    return kBadInput;
  }
  policy::Diagnostics errors;
  std::vector<Lint> lints;
  if (auto checked = policy::load_policy(options.path); !checked) {
    errors = std::move(checked.error());
  } else {
    const auto at = instant_of(context, checked->utc_offsets, options.at);
    if (!at) return kBadInput;
    lints = find(options, *checked, {*at, *within}, errors);
  }
  Out out;
  switch (*format) {
    case Format::kJson: print_json(context, errors, lints, out); break;
    case Format::kSarif: print_as_sarif(context, errors, lints, out); break;
    case Format::kJunit: print_as_junit(context, options, errors, lints, out); break;
    default:
      for (const Lint& lint : lints) {
        out.write(analysis::render_lint(lint, context.language, false));
      }
      break;
  }
  out.flush();
  if (!errors.empty()) {
    report(context, errors);
    return kBadInput;
  }
  const auto warnings = std::ranges::count_if(lints, [](const Lint& lint) {
    return lint.kind->level == LintLevel::kWarning;
  });
  const auto notes = static_cast<std::ptrdiff_t>(lints.size()) - warnings;
  note(context, {fmt::format("{}: {} warning{}, {} note{}", options.path, warnings,
                             warnings == 1 ? "" : "s", notes, notes == 1 ? "" : "s"),
                 fmt::format("{}：{} 条警告，{} 条提示", options.path, warnings, notes)});
  return std::ranges::any_of(lints, [&](const Lint& l) { return fails(options, l.kind->level); })
             ? kNo
             : kYes;
}

}  // namespace

void add_lint_command(CLI::App& policy, Context& context, Action& chosen) {
  auto* const command =
      policy.add_subcommand("lint",
                            context.tr("find rules and objects that are likely to be mistakes",
                                       "查找可能有误的规则和对象"));
  auto options = std::make_shared<Options>();
  command
      ->add_option("PATH", options->path,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  command
      ->add_option("--only", options->only,
                   context.tr("these lints alone, separated by commas", "只做这些检查，逗号分隔"))
      ->delimiter(',');
  command->add_option("--ignore", options->ignore, context.tr("not these lints", "不做这些检查"))
      ->delimiter(',');
  command
      ->add_option("--fail-level", options->fail_level,
                   context.tr("exit 1 where something of this level or above is found",
                              "发现该级别及以上的问题时退出码为 1"))
      ->check(CLI::IsMember({"warning", "note", "never"}))
      ->capture_default_str();
  command
      ->add_option("--within", options->within,
                   context.tr("rules that expire within this time: 30d, 12h, 2w",
                              "在此时长内到期的规则：30d、12h、2w"))
      ->capture_default_str();
  command->add_option("--at", options->at,
                      context.tr("as of this instant instead of now", "以该时刻代替当前时间"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return run(context, *options); };
  });
}

}  // namespace meiguan::cli
