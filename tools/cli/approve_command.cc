// meiguan policy bundle apply | approve: signed policy, and a second person's word, at an
// appliance.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/api/protocol.h"
#include "controlplane/crypto/digest.h"
#include "controlplane/lifecycle/files.h"
#include "controlplane/lifecycle/signed_bundle.h"
#include "tools/cli/ask.h"
#include "tools/cli/change_request.h"
#include "tools/cli/out.h"
#include "tools/cli/policy_commands.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::vector<std::string> files;
  std::string gateway;
  bool after_damage{false};
  Description description;
};

int approve(const Context& context, const std::string& hash) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto answer = ask(context, {{"command", "approve"}, {"hash", hash}});
  if (!answer) return answer.error();
  Out out;
  out.line(*format == Format::kJson ? json::serialize(*answer) : api::string_at(*answer, "hash"));
  return kYes;
}

int apply(const Context& context, const Options& options) {
  const bool is_far = !context.remote.server.empty();
  json::array bundles;
  for (const auto& file : options.files) {
    if (!is_far) {
      bundles.emplace_back(std::filesystem::absolute(file).lexically_normal().string());
      continue;
    }
    const auto bytes = lifecycle::read_file(file, lifecycle::kMaxBundleBytes);
    if (!bytes) {
      complain(context, bytes.error().message);
      return kBadInput;
    }
    bundles.emplace_back(crypto::base64(*bytes));
  }
  json::object request{{"command", "apply"},
                       {is_far ? "bundle_contents" : "bundles", std::move(bundles)}};
  if (!describe(context, options.description, request)) return kBadInput;
  if (options.after_damage) request.emplace("after_damage", true);
  if (!options.gateway.empty()) {
    request.emplace("gateway",
                    std::filesystem::absolute(options.gateway).lexically_normal().string());
  }
  return show_change(context, request);
}

}  // namespace

void add_bundle_apply_command(CLI::App& bundle, Context& context, Action& chosen) {
  auto* const command = bundle.add_subcommand(
      "apply", context.tr("have this appliance check them and put them in force, together with "
                          "what it took of other nodes",
                          "由本设备查验并生效，与此前采用的其他节点策略包合并"));
  auto options = std::make_shared<Options>();
  command->add_option("FILE", options->files, context.tr("bundles", "策略包"))->required();
  command->add_option("--gateway", options->gateway,
                      context.tr("the gateway file; the one in force by default",
                                 "网关文件；默认沿用现行的"));
  command->add_flag(
      "--after-damage", options->after_damage,
      context.tr(
          "where the record of what was taken is damaged (alarm signed-policy-damaged): these "
          "are the last bundles of all nodes, and begin it anew",
          "采用记录损坏（告警 signed-policy-damaged）时：以各节点最近的策略包重建记录"));
  add_description(*command, context, options->description);
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return apply(context, *options); };
  });
}

void add_approve_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const command = app.add_subcommand(
      "approve", context.tr("as a second security administrator, allow the content with this hash "
                            "to be applied, for one day",
                            "作为另一名安全管理员，批准该摘要的内容生效，一日内有效"));
  auto hash = std::make_shared<std::string>();
  command
      ->add_option("HASH", *hash,
                   context.tr("the 64 digits that a refused change names",
                              "被拒变更给出的 64 位摘要"))
      ->required();
  command->callback(
      [&context, &chosen, hash] { chosen = [&context, hash] { return approve(context, *hash); }; });
}

}  // namespace meiguan::cli
