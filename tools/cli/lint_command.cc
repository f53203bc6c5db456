// meiguan policy lint

#include <CLI/CLI.hpp>
#include <algorithm>
#include <charconv>
#include <memory>

#include "controlplane/analysis/lint.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "tools/cli/findings.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"

namespace meiguan::cli {
namespace {

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
  const auto format = context.format(kFindingForms, kFindingRows);
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
  if (*format == Format::kTable) {
    for (const Lint& lint : lints) {
      out.write(analysis::render_lint(lint, context.language, false));
    }
  } else {
    Findings findings{"meiguan policy lint", "meiguan.lint/v1", errors, lints, {}, {}};
    for (const auto& kind : analysis::lint_kinds()) {
      if (is_wanted(options, kind)) findings.looked_for.push_back(&kind);
    }
    findings.fails = [&](LintLevel level) { return fails(options, level); };
    if (const int code = print(findings, context, *format, out); code != kYes) return code;
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
                 fmt::format("{}：{} 条警告，{} 条注意", options.path, warnings, notes)});
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
