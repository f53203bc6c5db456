// meiguan reason, meiguan isolation show: what is built in.

#include <CLI/CLI.hpp>
#include <array>
#include <charconv>
#include <memory>

#include "dataplane/fastpath/reason.h"
#include "dataplane/image/isolation.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;
using image::ZoneKind;

int reason(const Context& context, const std::string& which) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  Table table;
  table.schema = "meiguan.reasons/v1";
  table.columns = {{"code", {"CODE", "编号"}, true},
                   {"reason", {"REASON", "原因"}},
                   {"verdict", {"VERDICT", "判定"}},
                   {"meaning", {"MEANING", "含义"}}};
  const fastpath::ReasonInfo* wanted = nullptr;
  if (!which.empty()) {
    unsigned code = 0;
    const auto [end, error] = std::from_chars(which.data(), which.data() + which.size(), code);
    const bool number = error == std::errc{} && end == which.data() + which.size();
    wanted = number && code < fastpath::kReasonCodes
                 ? fastpath::find_reason(static_cast<fastpath::Reason>(code))
                 : fastpath::find_reason(std::string_view{which});
    if (wanted == nullptr) {
      complain(context, {fmt::format("no reason `{}`; `meiguan reason` lists them", which),
                         fmt::format("没有原因 `{}`；`meiguan reason` 可列出全部", which)});
      return kBadInput;
    }
  }
  for (const auto& info : fastpath::kReasons) {
    if (wanted != nullptr && info.reason != wanted->reason) continue;
    const Text meaning{std::string{info.english}, std::string{info.chinese}};
    table.rows.push_back({json::value(static_cast<unsigned>(info.reason)), json::value(info.name),
                          json::value(fastpath::name_of(info.verdict)),
                          json::value(context.tr(meaning))});
  }
  Out out;
  return print(std::move(table), context, *format, out);
}

struct ZoneWord {
  ZoneKind kind;
  bool same;
  std::string_view key;
  std::string_view english;
  std::string_view chinese;
};
constexpr std::array<ZoneWord, 7> kColumns{{
    {ZoneKind::kInternet, true, "internet", "internet", "互联网"},
    {ZoneKind::kDmz, true, "dmz", "dmz", "DMZ"},
    {ZoneKind::kExtranet, true, "extranet", "extranet", "政务外网"},
    {ZoneKind::kExchange, true, "exchange", "exchange", "交换区"},
    {ZoneKind::kPrivate, true, "private", "private (same)", "专网（同一）"},
    {ZoneKind::kPrivate, false, "private-other", "private (other)", "专网（其他）"},
    {ZoneKind::kManagement, true, "management", "management", "管理区"},
}};

std::string answer_of(image::Isolation answer) {
  if ((answer.bits & image::Isolation::kInternetIsolated) != 0) return "- internet-isolated";
  if (answer.dropped()) return "- zone-isolated";
  if (answer.publish()) return "service, publish";
  if (answer.service()) return "service";
  if (answer.egress()) return "egress";
  return "rules";
}

int isolation(const Context& context) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  Table table;
  table.schema = "meiguan.isolation/v1";
  table.columns.push_back({"from", {"FROM \\ TO", "从 \\ 到"}});
  for (const auto& column : kColumns) {
    table.columns.push_back(
        {std::string{column.key}, {std::string{column.english}, std::string{column.chinese}}});
  }
  for (const auto& row : kColumns) {
    if (!row.same) continue;
    const bool is_private = row.kind == ZoneKind::kPrivate;
    std::vector<Cell> cells;
    cells.emplace_back(json::value(row.key),
                       is_private
                           ? context.tr("private", "专网")
                           : std::string{context.language == Language::kChinese ? row.chinese
                                                                                : row.english});
    for (const auto& column : kColumns) {
      // From a zone of another kind there is one column of private zones.
      cells.emplace_back(
          json::value(answer_of(image::isolation(row.kind, column.kind, column.same))));
    }
    table.rows.push_back(std::move(cells));
  }
  {
    Out out;
    if (const int code = print(std::move(table), context, *format, out); code != kYes) return code;
  }
  if (*format == Format::kTable) {
    note(context,
         {"rules: the rules decide; service: an allow must name the service; publish: and the "
          "service be published; egress: an [[egress]] must cover the source; -: dropped, and no "
          "rule lifts it",
          "rules：由规则决定；service：放行规则须点名服务；publish：且服务已发布；egress：源地址须"
          "在 "
          "[[egress]] 内；-：丢弃，任何规则不能解除"});
  }
  return kYes;
}

}  // namespace

void add_reference_commands(CLI::App& app, Context& context, Action& chosen) {
  auto* const reason_command =
      app.add_subcommand("reason",
                         context.tr("what a reason means; all of them without an argument",
                                    "原因的含义；不带参数时列出全部"));
  auto which = std::make_shared<std::string>();
  reason_command->add_option("REASON", *which, context.tr("its code or name", "编号或名称"));
  reason_command->callback([&context, &chosen, which] {
    chosen = [&context, which] { return reason(context, *which); };
  });

  auto* const isolation_command =
      app.add_subcommand("isolation", context.tr("the built-in isolation table", "内置的隔离表"));
  isolation_command->require_subcommand(1);
  isolation_command->add_subcommand("show", context.tr("print it", "显示"))
      ->callback([&context, &chosen] { chosen = [&context] { return isolation(context); }; });
}

}  // namespace meiguan::cli
