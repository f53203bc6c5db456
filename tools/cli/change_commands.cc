// meiguan apply | reload | confirm | abort | rollback: what changes the policy in force.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "tools/cli/change_request.h"
#include "tools/cli/dry_run.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string directory;
  std::string policy;
  std::string gateway;
  Description description;
  std::uint32_t revision{0};
  bool dry_run{false};
};

int apply(const Context& context, const Options& options) {
  const auto& named = options.policy.empty() ? options.directory : options.policy;
  if (!options.policy.empty() && !options.directory.empty()) {
    complain(context, {"the policy is named twice: by --policy and by DIR",
                       "策略既由 --policy 又由 DIR 指定"});
    return kBadInput;
  }
  json::object request{{"command", options.dry_run ? "dry-run" : "apply"}};
  // Empty: from where the policy in force was read.
  const auto absolute = [](const std::string& path) {
    return path.empty() ? path : std::filesystem::absolute(path).lexically_normal().string();
  };
  request.emplace("policy", absolute(named));
  request.emplace("gateway", absolute(options.gateway));
  if (!describe(context, options.description, request)) return kBadInput;
  return options.dry_run ? show_dry_run(context, request) : show_change(context, request);
}

int roll_back(const Context& context, const Options& options) {
  json::object request{{"command", "rollback"}, {"revision", options.revision}};
  if (!describe(context, options.description, request)) return kBadInput;
  return show_change(context, request);
}

}  // namespace

void add_change_commands(CLI::App& app, Context& context, Action& chosen) {
  auto options = std::make_shared<Options>();
  auto* const apply_command = app.add_subcommand(
      "apply", context.tr("put a policy in force, as a new revision", "使策略生效，成为新版本"));
  apply_command->add_option("DIR", options->directory,
                            context.tr("the policy; without it, from where the one in force was "
                                       "read",
                                       "策略；省略时取现行策略的来源"));
  apply_command->add_option("--policy", options->policy, context.tr("the same", "同上"));
  apply_command->add_option("--gateway", options->gateway,
                            context.tr("the gateway file; the one in force by default",
                                       "网关文件；默认沿用现行的"));
  apply_command->add_flag("--dry-run", options->dry_run,
                          context.tr("only say what it would change and cut",
                                     "只显示将会改变与切断的内容"));
  add_description(*apply_command, context, options->description);
  apply_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return apply(context, *options); };
  });

  auto* const rollback =
      app.add_subcommand("rollback",
                         context.tr("put an earlier revision in force again, as a new one",
                                    "使较早的版本重新生效（成为新版本）"));
  rollback->add_option("REVISION", options->revision, context.tr("its number", "版本号"))
      ->required();
  add_description(*rollback, context, options->description);
  rollback->callback([&context, &chosen, options] {
    chosen = [&context, options] { return roll_back(context, *options); };
  });

  const auto simple = [&](const char* name, const char* help) {
    app.add_subcommand(name, help)->callback([&context, &chosen, name] {
      chosen = [&context, name] { return show_change(context, {{"command", name}}); };
    });
  };
  simple("confirm", context.tr("keep the revision that waits to be confirmed", "确认待确认的版本"));
  simple("abort", context.tr("return from the revision that waits to be confirmed",
                             "放弃待确认的版本，恢复上一版"));
  simple("reload",
         context.tr("apply from where the policy in force was read", "从现行策略的来源重新加载"));
}

}  // namespace meiguan::cli
