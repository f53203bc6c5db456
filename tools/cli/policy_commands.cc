// meiguan policy check | compile

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <memory>
#include <span>

#include "controlplane/analysis/assertions.h"
#include "controlplane/analysis/lint.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/load.h"
#include "tools/cli/findings.h"
#include "tools/cli/load.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"

namespace meiguan::cli {
namespace {

struct CheckOptions {
  std::string path;
  std::string gateway;
  std::string at;
  bool strict{false};
};

struct CompileOptions {
  std::string policy;
  std::string gateway;
  std::string out;
  std::string catalog;
};

// What keeps a policy without error from being loaded all the same: a limit of the image, an
// assertion that does not hold. What loads and is likely to be wrong goes to `lints`.
policy::Diagnostics check_compiled(const policy::CheckedPolicy& checked,
                                   const policy::CheckedGateway* gateway, std::int64_t at,
                                   const std::string& path, std::vector<analysis::Lint>& lints) {
  const auto whole = [&](Text message) {
    policy::Diagnostic diagnostic;
    diagnostic.file = path;
    diagnostic.message = std::move(message);
    return policy::Diagnostics{std::move(diagnostic)};
  };
  policy::CompileTrace trace;
  const auto compiled = policy::compile(checked, gateway, nullptr, &trace);
  if (!compiled) return whole(compiled.error().message);
  const auto image = image::Image::open(compiled->bytes.span());
  if (!image) return whole(image.error().message);
  lints = analysis::lint(checked, path, *image, trace, {.at = at});
  return analysis::failed_assertions(checked, *compiled, *image, at, path);
}

void print_text(const Context& context, const std::string& path, const policy::Diagnostics& errors,
                const std::vector<analysis::Lint>& lints, std::size_t notes) {
  if (!errors.empty()) report(context, errors);
  constexpr std::size_t kShown = 100;
  for (const auto& one : std::span{lints}.first(std::min(lints.size(), kShown))) {
    std::fputs(analysis::render_lint(one, context.language, context.colour_errors).c_str(), stderr);
  }
  if (lints.size() > kShown) {
    note(context,
         {fmt::format("and {} more: `meiguan policy lint` shows all", lints.size() - kShown),
          fmt::format("另有 {} 条：`meiguan policy lint` 显示全部", lints.size() - kShown)});
  }
  if (!errors.empty()) return;
  const auto n = lints.size();
  note(context,
       {fmt::format("{}: no errors, {} warning{}, {} note{}{}", path, n, n == 1 ? "" : "s", notes,
                    notes == 1 ? "" : "s", notes > 0 ? " (`meiguan policy lint` shows them)" : ""),
        fmt::format("{}：没有错误，{} 条警告，{} 条注意{}", path, n, notes,
                    notes > 0 ? "（`meiguan policy lint` 可列出）" : "")});
}

int check(const Context& context, const CheckOptions& options) {
  const auto format = context.format(kFindingForms, kFindingRows);
  if (!format) return kBadInput;
  policy::Diagnostics errors;
  std::vector<analysis::Lint> lints;
  if (auto checked = policy::load_policy(options.path); !checked) {
    errors = std::move(checked.error());
  } else {
    std::optional<policy::CheckedGateway> gateway;
    if (!options.gateway.empty()) {
      if (auto loaded = policy::load_gateway(options.gateway, *checked); !loaded) {
        errors = std::move(loaded.error());
      } else {
        gateway.emplace(std::move(*loaded));
      }
    }
    if (errors.empty()) {
      const auto at = instant_of(context, checked->utc_offsets, options.at);
      if (!at) return kBadInput;
      errors = check_compiled(*checked, gateway ? &*gateway : nullptr, *at, options.path, lints);
    }
  }
  // The notes are for `policy lint`; here they are counted.
  const auto notes = std::erase_if(lints, [](const analysis::Lint& lint) {
    return lint.kind->level != analysis::LintLevel::kWarning;
  });
  const int code = !errors.empty() ? kBadInput : options.strict && !lints.empty() ? kNo : kYes;
  if (*format == Format::kTable) {
    print_text(context, options.path, errors, lints, notes);
    return code;
  }
  Findings findings{
      "meiguan policy check", "meiguan.check/v1", std::move(errors), std::move(lints), {}, {}};
  for (const auto& kind : analysis::lint_kinds()) {
    if (kind.level == analysis::LintLevel::kWarning) findings.looked_for.push_back(&kind);
  }
  findings.fails = [&](analysis::LintLevel) { return options.strict; };
  Out out;
  const int printed = print(findings, context, *format, out);
  return printed != kYes ? printed : code;
}

int compile(const Context& context, const CompileOptions& options) {
  const auto bundle = load(context, options.policy, options.gateway, lifecycle::decide_from_now());
  if (!bundle) return kBadInput;
  if (auto written = lifecycle::write_atomically(options.out, bundle->compiled.bytes.span());
      !written) {
    complain(context, written.error().message);
    return kBadInput;
  }
  if (!options.catalog.empty()) {
    const auto text = policy::to_json(bundle->compiled.catalog) + "\n";
    if (auto written = lifecycle::write_atomically(options.catalog, text); !written) {
      complain(context, written.error().message);
      return kBadInput;
    }
  }
  const auto& meta = bundle->image.meta();
  note(context,
       {fmt::format("{}: {} bytes, {} source classes, {} target classes", options.out,
                    bundle->compiled.bytes.size(), meta.source_classes, meta.target_classes),
        fmt::format("{}：{} 字节，源类 {} 个，目的类 {} 个", options.out,
                    bundle->compiled.bytes.size(), meta.source_classes, meta.target_classes)});
  return kYes;
}

}  // namespace

void add_policy_commands(CLI::App& app, Context& context, Action& chosen) {
  auto* const policy = app.add_subcommand("policy", context.tr("work on policy files, offline",
                                                               "离线处理策略文件"));
  policy->require_subcommand(1);

  auto* const check_command =
      policy->add_subcommand("check", context.tr("report everything that is wrong with a policy",
                                                 "检查策略，报告全部错误"));
  auto check_options = std::make_shared<CheckOptions>();
  check_command
      ->add_option("PATH", check_options->path,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  check_command->add_option("--gateway", check_options->gateway,
                            context.tr("also check this gateway file", "同时检查该网关文件"));
  check_command->add_option("--at", check_options->at,
                            context.tr("decide assertions from this instant on, not from now",
                                       "从该时刻起（而非此刻）判定断言"));
  check_command->add_flag("--strict", check_options->strict,
                          context.tr("exit 1 where there are lints", "有提示时退出码为 1"));
  check_command->callback([&context, &chosen, check_options] {
    chosen = [&context, check_options] { return check(context, *check_options); };
  });

  auto* const compile_command = policy->add_subcommand("compile",
                                                       context.tr("compile a policy to an image",
                                                                  "把策略编译成映像"));
  auto compile_options = std::make_shared<CompileOptions>();
  compile_command
      ->add_option("PATH,--policy", compile_options->policy,
                   context.tr("the policy: a directory or one file", "策略目录或单个文件"))
      ->required();
  compile_command->add_option("--gateway", compile_options->gateway,
                              context.tr("the gateway file", "网关文件"));
  compile_command
      ->add_option("--out", compile_options->out,
                   context.tr("where the image goes", "映像写到何处"))
      ->required();
  compile_command->add_option("--catalog", compile_options->catalog,
                              context.tr("where the catalog goes", "名录写到何处"));
  compile_command->callback([&context, &chosen, compile_options] {
    chosen = [&context, compile_options] { return compile(context, *compile_options); };
  });
  add_diff_command(*policy, context, chosen);
  add_fmt_command(*policy, context, chosen);
  add_lint_command(*policy, context, chosen);
  add_show_command(*policy, context, chosen);
  add_grep_command(*policy, context, chosen);
  add_policy_test_command(*policy, context, chosen);
  add_import_command(*policy, context, chosen);
  add_bundle_command(*policy, context, chosen);
}

}  // namespace meiguan::cli
