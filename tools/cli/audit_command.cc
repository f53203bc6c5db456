// meiguan audit show | verify: of meiguan-controld, or offline of a log's directory.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/api/protocol.h"
#include "controlplane/audit/answers.h"
#include "tools/cli/ask.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

struct AuditOptions {
  std::string directory;
  std::string key;
  std::string user;
  std::string event;
  std::string since;
};

std::expected<json::object, int> failed(const Context& context, const Error& error) {
  complain(context, error.message);
  return std::unexpected{kBadInput};
}

std::expected<json::object, int> verdict_of(const Context& context, const AuditOptions& options) {
  if (options.directory.empty()) return ask(context, {{"command", "audit-verify"}}, kLoadSeconds);
  std::optional<crypto::PublicKey> key;
  if (!options.key.empty()) {
    auto loaded = crypto::PublicKey::load(options.key);
    if (!loaded) return failed(context, loaded.error());
    key = std::move(*loaded);
  }
  const auto verdict = audit::verify_directory(options.directory, std::move(key));
  if (!verdict) return failed(context, verdict.error());
  return audit::to_json(*verdict);
}

std::string number(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  return value == nullptr ? "0" : cell_text(Cell{*value});
}

int verify(const Context& context, const AuditOptions& options) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  if (!options.key.empty() && options.directory.empty()) {
    complain(context, {"--key goes with --directory", "--key 须与 --directory 同用"});
    return kBadInput;
  }
  const auto answer = verdict_of(context, options);
  if (!answer) return answer.error();
  const auto* const whole = answer->if_contains("whole");
  const int code = whole != nullptr && whole->is_bool() && whole->get_bool() ? kYes : kNo;
  Out out;
  if (*format == Format::kJson) {
    out.line(json::serialize(*answer));
    return code;
  }
  Table table{"meiguan.audit-verify/v1",
              {{"kind", {"KIND", "类别"}},
               {"file", {"FILE", "文件"}},
               {"line", {"LINE", "行"}, true},
               {"record", {"RECORD", "记录"}, true},
               {"message", {"WHAT", "说明"}}},
              {}};
  if (const auto* const flaws = answer->if_contains("flaws"); flaws && flaws->is_array()) {
    for (const auto& flaw : flaws->get_array()) {
      if (!flaw.is_object()) continue;
      std::vector<Cell> cells;
      for (const char* const name : {"kind", "file", "line", "record"}) {
        const auto* const value = flaw.get_object().if_contains(name);
        cells.emplace_back(value != nullptr ? *value : json::value{});
      }
      const auto* const text = flaw.get_object().if_contains("message");
      cells.emplace_back(
          json::value(text != nullptr && text->is_object()
                          ? api::string_at(text->get_object(), context.tr("en", "zh"))
                          : std::string{}));
      table.rows.push_back(std::move(cells));
    }
  }
  if (!table.rows.empty()) {
    if (const int printed = print(std::move(table), context, *format, out); printed != kYes) {
      return printed;
    }
  }
  out.flush();
  const auto records = fmt::format("{} {}–{}", context.tr("records", "记录"),
                                   number(*answer, "first"), number(*answer, "last"));
  note(context,
       {fmt::format("{}: {}, {} signatures hold, {} records behind the last of them",
                    code == kYes ? "whole" : "not whole", records, number(*answer, "signatures"),
                    number(*answer, "unsigned")),
        fmt::format("{}：{}，签名 {} 个有效，其后未签名 {} 条", code == kYes ? "完整" : "不完整",
                    records, number(*answer, "signatures"), number(*answer, "unsigned"))});
  return code;
}

std::expected<json::object, int> rows_of(const Context& context, const AuditOptions& options) {
  const auto last = context.sort.empty() ? context.limit.value_or(100) : 100'000;
  if (options.directory.empty()) {
    return ask(context, {{"command", "audit-show"},
                         {"user", options.user},
                         {"event", options.event},
                         {"since", options.since},
                         {"last", last}});
  }
  auto rows = audit::records(options.directory, {options.user, options.event, options.since, last});
  if (!rows) return failed(context, rows.error());
  return std::move(*rows);
}

int show(const Context& context, const AuditOptions& options) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto answer = rows_of(context, options);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson && context.columns.empty() && context.sort.empty()) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  Table table{"meiguan.audit/v1",
              {{"n", {"N", "序号"}, true},
               {"time", {"TIME", "时间"}},
               {"user", {"USER", "用户"}},
               {"role", {"ROLE", "角色"}},
               {"event", {"EVENT", "事件"}},
               {"outcome", {"OUTCOME", "结果"}},
               {"detail", {"DETAIL", "详情"}}},
              {}};
  if (const auto* const rows = answer->if_contains("rows"); rows && rows->is_array()) {
    for (const auto& row : rows->get_array()) {
      if (!row.is_object()) continue;
      std::vector<Cell> cells;
      for (const auto& column : table.columns) {
        const auto* const value = row.get_object().if_contains(column.key);
        if (value != nullptr && value->is_object()) {
          cells.emplace_back(*value, json::serialize(*value));
        } else {
          cells.emplace_back(value != nullptr ? *value : json::value{});
        }
      }
      table.rows.push_back(std::move(cells));
    }
  }
  return print(std::move(table), context, *format, out);
}

}  // namespace

void add_audit_command(CLI::App& app, Context& context, Action& chosen) {
  auto* const audit = app.add_subcommand("audit", context.tr("the audit log", "审计日志"));
  audit->require_subcommand(1);
  auto options = std::make_shared<AuditOptions>();
  const auto directory = [&](CLI::App* command) {
    command->add_option("--directory", options->directory,
                        context.tr("a log's directory, offline, instead of meiguan-controld",
                                   "离线读取该日志目录，而不询问 meiguan-controld"));
  };
  auto* const show_command = audit->add_subcommand("show", context.tr("who did what, and when",
                                                                      "谁在何时做了什么"));
  directory(show_command);
  show_command->add_option("--user", options->user, context.tr("of this user", "只看该用户"));
  show_command->add_option("--event", options->event,
                           context.tr("of this kind: apply, login, start …",
                                      "只看该类事件：apply、login、start 等"));
  show_command->add_option("--since", options->since,
                           context.tr("from this time on, as 2026-11-22T08:50 (UTC)",
                                      "自该时刻起，如 2026-11-22T08:50（UTC）"));
  show_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return show(context, *options); };
  });
  auto* const verify_command =
      audit->add_subcommand("verify", context.tr("whether a record was changed, removed or moved, "
                                                 "and where",
                                                 "是否有记录被改动、删除或调换，在何处"));
  directory(verify_command);
  verify_command->add_option("--key", options->key,
                             context.tr("the appliance's public key; by default key.pem of the log",
                                        "设备公钥；默认用日志目录的 key.pem"));
  verify_command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return verify(context, *options); };
  });
}

}  // namespace meiguan::cli
