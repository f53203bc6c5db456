#include "tools/cli/replay_tables.h"

#include <boost/json.hpp>
#include <utility>

namespace meiguan::cli {
namespace {

namespace json = boost::json;

Cell kind_cell(const Context& context, analysis::ChangeKind kind) {
  switch (kind) {
    case analysis::ChangeKind::kUnit: return {json::value("unit"), context.tr("unit", "单位")};
    case analysis::ChangeKind::kService:
      return {json::value("service"), context.tr("service", "服务")};
    case analysis::ChangeKind::kReason:
      return {json::value("reason"), context.tr("reason", "原因")};
    case analysis::ChangeKind::kRule: return {json::value("rule"), context.tr("rule", "规则")};
  }
  return {json::value(nullptr)};
}

Cell example_cell(const analysis::ChangeExample& example) {
  json::object value;
  value.emplace("file", example.file);
  value.emplace("index", example.index);
  value.emplace("packet", example.packet);
  value.emplace("was", example.was);
  value.emplace("now", example.now);
  return {std::move(value), fmt::format("{} {}: {}: {} => {}", example.file, example.index,
                                        example.packet, example.was, example.now)};
}

}  // namespace

Table changes_table(const Context& context, const analysis::ReplayChanges& changes) {
  Table table;
  table.schema = "meiguan.replay-changes/v1";
  table.columns = {{"kind", {"KIND", "类别"}},
                   {"id", {"ID", "标识"}},
                   {"gained_packets", {"GAINED", "新放行报文"}, true},
                   {"gained_flows", {"FLOWS", "新放行流"}, true},
                   {"lost_packets", {"LOST", "新丢弃报文"}, true},
                   {"lost_flows", {"FLOWS", "新丢弃流"}, true},
                   {"other_packets", {"OTHER", "其他变化报文"}, true},
                   {"other_flows", {"FLOWS", "其他变化流"}, true},
                   {"example", {"EXAMPLE", "示例"}}};
  for (const auto& row : changes.rows()) {
    auto& cells = table.rows.emplace_back();
    cells.push_back(kind_cell(context, row.kind));
    cells.emplace_back(json::value(row.id));
    for (const auto& count : row.counts) {
      cells.emplace_back(json::value(count.packets));
      cells.emplace_back(json::value(count.flows));
    }
    cells.push_back(example_cell(row.example));
  }
  return table;
}

}  // namespace meiguan::cli
