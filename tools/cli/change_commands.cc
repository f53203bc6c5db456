// meiguan apply | reload | confirm | abort | rollback: what changes the policy in force.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <charconv>
#include <memory>
#include <optional>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/dry_run.h"
#include "tools/cli/out.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct Options {
  std::string directory;
  std::string policy;
  std::string gateway;
  std::string ticket;
  std::string comment;
  std::string confirm;
  std::uint32_t revision{0};
  bool dry_run{false};
  bool reopen_ports{false};
};

// "90s", "10m", "2h", "1d" as seconds; nothing for other text.
std::optional<std::int64_t> seconds_of(std::string_view text) {
  std::int64_t number = 0;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number <= 0 || number > 1'000'000) return std::nullopt;
  const std::string_view unit{at, static_cast<std::size_t>(text.data() + text.size() - at)};
  if (unit == "s") return number;
  if (unit == "m") return number * 60;
  if (unit == "h") return number * 3600;
  if (unit == "d") return number * 86'400;
  return std::nullopt;
}

std::string number_text(const json::object& answer, std::string_view key) {
  const auto* const value = answer.if_contains(key);
  return value != nullptr && value->is_number() ? json::serialize(*value) : "-";
}

bool flag_at(const json::object& answer, std::string_view key) {
  const auto* const value = answer.if_contains(key);
  return value != nullptr && value->is_bool() && value->get_bool();
}

int show_change(const Context& context, const json::object& request) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto answer = ask(context, request, kLoadSeconds);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  const auto number = number_text(*answer, "revision");
  const bool published = !answer->contains("published") || flag_at(*answer, "published");
  out.line(fmt::format("{}: {} {} {}", api::string_at(*answer, "policy"),
                       context.tr("revision", "版本"), number,
                       published ? context.tr("is in force", "已生效")
                                 : context.tr("is in force as soon as the data plane is there",
                                              "将在数据面就绪后生效")));
  if (const auto left = number_text(*answer, "seconds_left"); left != "-") {
    note(context, {fmt::format("confirm it within {} s with `meiguan confirm`, or the revision "
                               "before comes back by itself",
                               left),
                   fmt::format("请在 {} 秒内执行 meiguan confirm，否则将自动恢复上一版", left)});
  }
  return kYes;
}

// What goes along with a change; false, told of, where the time to confirm is none.
bool describe(const Context& context, const Options& options, json::object& request) {
  request.emplace("ticket", options.ticket);
  request.emplace("comment", options.comment);
  request.emplace("reopen_ports", options.reopen_ports);
  if (options.confirm.empty()) return true;
  const auto seconds = seconds_of(options.confirm);
  if (!seconds) {
    complain(context,
             {fmt::format("--confirm: `{}` is no time: 90s, 10m, 2h or 1d is expected",
                          options.confirm),
              fmt::format("--confirm：`{}` 不是时长，应写作 90s、10m、2h 或 1d", options.confirm)});
    return false;
  }
  request.emplace("confirm_seconds", *seconds);
  return true;
}

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
  if (!describe(context, options, request)) return kBadInput;
  return options.dry_run ? show_dry_run(context, request) : show_change(context, request);
}

int roll_back(const Context& context, const Options& options) {
  json::object request{{"command", "rollback"}, {"revision", options.revision}};
  if (!describe(context, options, request)) return kBadInput;
  return show_change(context, request);
}

void add_description(CLI::App& command, const Context& context, Options& options) {
  command.add_option("--ticket", options.ticket, context.tr("the ticket's number", "工单号"));
  command.add_option("--comment", options.comment, context.tr("why, in one line", "原因，一行"));
  command.add_option("--confirm", options.confirm,
                     context.tr("the revision before comes back unless `meiguan confirm` is given "
                                "within this time: 90s, 10m, 2h",
                                "在此时限内未执行 meiguan confirm 则自动恢复上一版：90s、10m、2h"));
  command.add_flag("--reopen-ports", options.reopen_ports,
                   context.tr("where the gateway file asks for other ports: open all anew; live "
                              "connections begin again",
                              "网关文件要求其他端口时重新打开全部端口；现有连接须重新建立"));
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
  add_description(*apply_command, context, *options);
  apply_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return apply(context, *options); };
  });

  auto* const rollback =
      app.add_subcommand("rollback",
                         context.tr("put an earlier revision in force again, as a new one",
                                    "使较早的版本重新生效（成为新版本）"));
  rollback->add_option("REVISION", options->revision, context.tr("its number", "版本号"))
      ->required();
  add_description(*rollback, context, *options);
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
