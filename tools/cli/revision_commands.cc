// meiguan history | compare: the revisions that meiguan-controld keeps.

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/kept.h"
#include "tools/cli/out.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

int history(const Context& context) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto answer = ask(context, {{"command", "history"}});
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson && context.columns.empty() && context.sort.empty() &&
      !context.limit) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  Table table;
  table.schema = api::string_at(*answer, "schema");
  table.columns = {
      {"revision", {"REVISION", "版本"}, true}, {"state", {"STATE", "状态"}, false},
      {"time", {"TIME", "时间"}, false},        {"author", {"AUTHOR", "作者"}, false},
      {"origin", {"BY", "方式"}, false},        {"repeats", {"OF", "原版本"}, true},
      {"ticket", {"TICKET", "工单"}, false},    {"comment", {"COMMENT", "备注"}, false},
      {"signature", {"SIGNED", "签名"}, false}, {"confirmed_by", {"CONFIRMED", "确认人"}, false},
      {"content", {"CONTENT", "内容"}, false}};
  const auto* const rows = answer->if_contains("rows");
  if (rows == nullptr || !rows->is_array()) return kCouldNotAsk;
  for (const auto& value : rows->get_array()) {
    if (!value.is_object()) continue;
    std::vector<Cell> cells;
    for (const auto& column : table.columns) {
      const auto* const found = value.get_object().if_contains(column.key);
      const json::value& cell = found != nullptr ? *found : json::value{};
      const bool digest = *format == Format::kTable && column.key == "content" && cell.is_string();
      // A digest's beginning is enough for the eye.
      cells.push_back(digest ? Cell{cell, std::string{cell.get_string()}.substr(0, 12)}
                             : Cell{cell});
    }
    table.rows.push_back(std::move(cells));
  }
  return print(std::move(table), context, *format, out);
}

struct Options {
  std::uint32_t before{0};
  std::uint32_t after{0};
  bool semantic{false};
};

int compare(const Context& context, const Options& options) {
  const auto format = context.format(kRowForms, context.columns.empty() && context.sort.empty()
                                                    ? kRowForms
                                                    : std::initializer_list<Format>{Format::kCsv});
  if (!format) return kBadInput;
  std::array<std::unique_ptr<const lifecycle::Bundle>, 2> sides;
  for (std::size_t i = 0; i < 2; ++i) {
    auto kept = fetch_revision(context, i == 0 ? options.before : options.after);
    if (!kept) return kept.error();
    // Access is compared without the gateway, as `policy diff` does.
    kept->gateway.reset();
    sides[i] = load(context, *kept);
    if (!sides[i]) return kBadInput;
  }
  return print_difference(context, *format, *sides[0], *sides[1], options.semantic);
}

}  // namespace

void add_revision_commands(CLI::App& app, Context& context, Action& chosen) {
  app.add_subcommand("history", context.tr("the revisions of the policy: who, when, why",
                                           "策略的各个版本：何人、何时、为何"))
      ->callback([&context, &chosen] { chosen = [&context] { return history(context); }; });
  auto* const command = app.add_subcommand("compare",
                                           context.tr("what two revisions say, or do, differently",
                                                      "比较两个版本的差异"));
  auto options = std::make_shared<Options>();
  command->add_option("A", options->before, context.tr("the one", "旧版本"))->required();
  command->add_option("B", options->after, context.tr("the other", "新版本"))->required();
  command->add_flag("--semantic", options->semantic,
                    context.tr("which units gain or lose access to what, over all packets",
                               "哪些单位得到或失去哪些访问（覆盖全部报文）"));
  command->callback([&context, &chosen, options] {
    chosen = [&context, options] { return compare(context, *options); };
  });
}

}  // namespace meiguan::cli
