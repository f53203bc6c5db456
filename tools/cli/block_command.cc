// meiguan block add | remove | list | import | export: the block list of a running gateway.

#include <CLI/CLI.hpp>
#include <boost/json.hpp>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/api/protocol.h"
#include "controlplane/lifecycle/block_file.h"
#include "controlplane/lifecycle/files.h"
#include "tools/cli/load.h"
#include "tools/cli/remote.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kPatience{600};

struct Options {
  std::vector<std::string> addresses;
  std::string file;
  std::string zone;
  std::string reason;
  std::string ticket;
  std::string by;
  std::string until;
  std::string span;
  std::string out;
  bool force{false};
  bool all{false};
};

// The answer, or the exit code where there is none: 1 where something stands against it that the
// list or the policy says, 2 where the request is wrong.
std::expected<json::object, int> ask(const Context& context, const json::object& request) {
  auto answer = exchange(context, request, kPatience);
  if (!answer) {
    complain(context, answer.error().message);
    return std::unexpected{kCouldNotAsk};
  }
  const auto* const ok = answer->if_contains("ok");
  if (ok != nullptr && ok->is_bool() && ok->get_bool()) {
    answer->stable_erase("ok");
    return std::move(*answer);
  }
  policy::Diagnostics in_files;
  const auto diagnostics = api::diagnostics_of(*answer);
  for (const auto& one : diagnostics) {
    if (one.file.empty()) {
      complain(context, one.message);
    } else {
      in_files.push_back(one);
    }
  }
  const Text why = api::refusal_text(*answer);
  if (!in_files.empty()) {
    report_refusal(context, in_files, why);
  } else {
    complain(context, why);
  }
  if (answer->contains("protected") || answer->contains("missing")) return std::unexpected{kNo};
  return std::unexpected{diagnostics.empty() ? kCouldNotAsk : kBadInput};
}

// What the commands have in common; nothing, with a message, where the file cannot be read.
std::optional<json::object> request_of(const Context& context, const char* command,
                                       const Options& options) {
  json::object request{{"command", command}};
  json::array addresses;
  for (const auto& address : options.addresses) addresses.emplace_back(address);
  request.emplace("addresses", std::move(addresses));
  const std::pair<const char*, const std::string*> texts[] = {
      {"zone", &options.zone}, {"reason", &options.reason}, {"ticket", &options.ticket},
      {"by", &options.by},     {"until", &options.until},   {"for", &options.span}};
  for (const auto& [key, text] : texts) {
    if (!text->empty()) request.emplace(key, *text);
  }
  if (options.force) request.emplace("force", true);
  if (options.all) request.emplace("all", true);
  if (options.file.empty()) return request;
  auto text = lifecycle::read_file(options.file == "-" ? "/dev/stdin" : options.file,
                                   api::kMaxRequestBytes / 2);
  if (!text) {
    complain(context, text.error().message);
    return std::nullopt;
  }
  request.emplace("file", options.file);
  request.emplace("text", std::move(*text));
  return request;
}

int change(const Context& context, const char* command, const Options& options) {
  const auto format = context.format({Format::kTable, Format::kJson});
  if (!format) return kBadInput;
  const auto request = request_of(context, command, options);
  if (!request) return kBadInput;
  const auto answer = ask(context, *request);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  const auto number = [&](const char* key) {
    const auto* const value = answer->if_contains(key);
    return value != nullptr ? cell_text(Cell{*value}) : std::string{"-"};
  };
  out.line(context.tr(
      {fmt::format("{} added, {} merged, {} removed, {} ended; {} entries", number("added"),
                   number("merged"), number("removed"), number("ended"), number("entries")),
       fmt::format("新增 {}，合并 {}，移除 {}，到期 {}；共 {} 条", number("added"),
                   number("merged"), number("removed"), number("ended"), number("entries"))}));
  const auto* const now = answer->if_contains("in_force");
  if (now == nullptr || !now->is_bool() || !now->get_bool()) {
    note(context, {"the data plane does not answer: in force as soon as it is there",
                   "数据面没有应答：待其就绪后生效"});
  }
  return kYes;
}

int list(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto request = request_of(context, "block-list", options);
  if (!request) return kBadInput;
  const auto answer = ask(context, *request);
  if (!answer) return answer.error();
  const auto* const rows = answer->if_contains("rows");
  const bool some = rows != nullptr && rows->is_array() && !rows->get_array().empty();
  const int code = some || options.addresses.empty() ? kYes : kNo;
  Out out;
  if (*format == Format::kJson && context.columns.empty() && context.sort.empty() &&
      !context.limit) {
    out.line(json::serialize(*answer));
    return code;
  }
  Table table;
  table.schema = api::string_at(*answer, "schema");
  table.columns = {{"prefix", {"PREFIX", "地址"}}, {"zone", {"ZONE", "区域"}},
                   {"reason", {"REASON", "原因"}}, {"ticket", {"TICKET", "工单"}},
                   {"by", {"BY", "操作人"}},       {"since", {"SINCE", "开始"}},
                   {"ends", {"ENDS", "到期"}},     {"packets", {"PACKETS", "丢弃报文"}, true}};
  if (some) {
    for (const auto& row : rows->get_array()) {
      if (!row.is_object()) continue;
      std::vector<Cell> cells;
      for (const auto& column : table.columns) {
        const auto* const value = row.get_object().if_contains(column.key);
        cells.emplace_back(value != nullptr ? *value : json::value{});
      }
      table.rows.push_back(std::move(cells));
    }
  }
  const int printed = print(std::move(table), context, *format, out);
  return printed != kYes ? printed : code;
}

int export_list(const Context& context, const Options& options) {
  const auto answer = ask(context, {{"command", "block-export"}});
  if (!answer) return answer.error();
  const auto text = api::string_at(*answer, "text");
  if (!options.out.empty()) {
    if (auto written = lifecycle::write_atomically(options.out, text); !written) {
      complain(context, written.error().message);
      return kBadInput;
    }
    return kYes;
  }
  Out out;
  out.write(text);
  return kYes;
}

using Shared = std::shared_ptr<Options>;

void add_notes(CLI::App& command, const Context& context, const Shared& options) {
  command.add_option("--zone", options->zone,
                     context.tr("of a private zone's address space; ADDRESS@ZONE says the same",
                                "属于该专网的地址空间；也可写 地址@区域"));
  command.add_option("--reason", options->reason, context.tr("why", "原因"));
  command.add_option("--ticket", options->ticket, context.tr("ticket", "工单"));
  command.add_option("--by", options->by,
                     context.tr("on whose word; who asks is kept beside it",
                                "由谁决定；实际操作的用户一并记录"));
  auto* const until = command.add_option(
      "--until", options->until,
      context.tr("until when: 2026-10-01 (that day's end) or 2026-10-01T08:30 in the policy's "
                 "time zone; for ever if not given",
                 "到何时为止：2026-10-01（含当日）或 2026-10-01T08:30（策略时区），缺省为长期"));
  command
      .add_option("--for", options->span,
                  context.tr("for how long: 90s, 15m, 2h, 30d", "封禁多久：90s、15m、2h、30d"))
      ->excludes(until);
  command.add_flag("--force", options->force,
                   context.tr("also what is protected", "受保护的地址也封禁"));
}

}  // namespace

void add_block_commands(CLI::App& app, Context& context, Action& chosen) {
  auto* const block = app.add_subcommand("block",
                                         context.tr("addresses that pass nothing", "地址封禁"));
  block->require_subcommand(1);
  const auto on = [&chosen](CLI::App& command, std::function<int()> action) {
    command.callback([&chosen, action = std::move(action)] { chosen = action; });
  };
  const char* const address = context.tr("ADDRESS[/LENGTH][@ZONE]", "地址[/长度][@区域]");
  const char* const file = context.tr(
      "one address a line, or CSV with the headings of `block export`; - is standard input",
      "每行一个地址，或带表头的 CSV（同 `block export`）；- 为标准输入");

  auto options = std::make_shared<Options>();
  auto* const add = block->add_subcommand("add", context.tr("block addresses, all or none",
                                                            "封禁地址，全部或全不"));
  add->add_option("ADDRESS", options->addresses, address);
  add->add_option("--file", options->file, file);
  add_notes(*add, context, options);
  on(*add, [&context, options] {
    if (options->addresses.empty() && options->file.empty()) {
      complain(context,
               {"block add needs an ADDRESS or --file FILE", "block add 需要地址或 --file 文件"});
      return kBadInput;
    }
    return change(context, "block-add", *options);
  });

  options = std::make_shared<Options>();
  auto* const import = block->add_subcommand("import",
                                             context.tr("set the whole list to that of a file",
                                                        "以文件内容替换整个名单"));
  import->add_option("FILE", options->file, file)->required();
  add_notes(*import, context, options);
  on(*import, [&context, options] { return change(context, "block-import", *options); });

  options = std::make_shared<Options>();
  auto* const remove = block->add_subcommand("remove",
                                             context.tr("take entries off the list, all or none",
                                                        "移除条目，全部或全不"));
  remove->add_option("ADDRESS", options->addresses, address);
  remove->add_option("--file", options->file, file);
  remove->add_option("--zone", options->zone, context.tr("of that private zone", "属于该专网"));
  auto ticket = std::make_shared<std::string>();
  remove->add_option("--ticket", *ticket,
                     context.tr("all entries with this ticket", "带此工单的全部条目"));
  remove->add_flag("--all", options->all, context.tr("all of them", "全部条目"));
  on(*remove, [&context, options, ticket] {
    const int ways = (options->addresses.empty() && options->file.empty() ? 0 : 1) +
                     (ticket->empty() ? 0 : 1) + (options->all ? 1 : 0);
    if (ways != 1) {
      complain(context, {"block remove needs addresses, --ticket or --all, and one of them only",
                         "block remove 需要地址、--ticket 或 --all，且只能取其一"});
      return kBadInput;
    }
    if (ticket->empty()) return change(context, "block-remove", *options);
    Options with = *options;
    with.ticket = *ticket;
    return change(context, "block-remove", with);
  });

  options = std::make_shared<Options>();
  auto* const show = block->add_subcommand(
      "list", context.tr("the entries, and the packets that they dropped; of ADDRESS those that "
                         "block it, exit code 1 where there is none",
                         "名单条目及其丢弃的报文数；给出地址则列出封禁它的条目，没有时退出码为 1"));
  show->add_option("ADDRESS", options->addresses, address);
  show->add_option("--zone", options->zone, context.tr("of that private zone", "属于该专网"));
  on(*show, [&context, options] { return list(context, *options); });

  options = std::make_shared<Options>();
  auto* const write =
      block->add_subcommand("export",
                            context.tr("the list as CSV, as import and explain --block read it",
                                       "以 CSV 输出名单，可供 import 和 explain --block 读取"));
  write->add_option("--out", options->out, context.tr("into this file", "写入此文件"));
  on(*write, [&context, options] { return export_list(context, *options); });
}

}  // namespace meiguan::cli
