// meiguan stats | hits | report, and what top, flows and drops say of the past.

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json.hpp>
#include <memory>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/dimensions.h"
#include "tools/cli/month_report.h"
#include "tools/cli/past.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr std::chrono::seconds kLongSeconds{60};

json::array list_of(const std::string& text) {
  json::array list;
  std::size_t from = 0;
  while (from <= text.size() && !text.empty()) {
    const auto end = std::min(text.find(',', from), text.size());
    if (end > from) list.push_back(json::value(text.substr(from, end - from)));
    from = end + 1;
  }
  return list;
}

// `unit=a and service=b` is two conditions.
json::array terms_of(const std::vector<std::string>& filters) {
  constexpr std::string_view kAnd = " and ";
  json::array terms;
  for (const auto& filter : filters) {
    std::size_t from = 0;
    while (from < filter.size()) {
      const auto end = std::min(filter.find(kAnd, from), filter.size());
      auto term = filter.substr(from, end - from);
      term.erase(0, term.find_first_not_of(' '));
      term.erase(term.find_last_not_of(' ') + 1);
      if (!term.empty()) terms.push_back(json::value(term));
      from = end + kAnd.size();
    }
  }
  return terms;
}

json::object request_of(const char* command, const PastOptions& options) {
  json::object request{{"command", command},        {"since", options.since},
                       {"until", options.until},    {"step", options.step},
                       {"by", list_of(options.by)}, {"filter", terms_of(options.filters)}};
  if (!options.node.empty()) request.emplace("node", options.node);
  return request;
}

std::string scaled(double n, std::string_view unit) {
  constexpr std::array<std::string_view, 5> kScales{"", "k", "M", "G", "T"};
  std::size_t scale = 0;
  while (n >= 1000 && scale + 1 < kScales.size()) {
    n /= 1000;
    ++scale;
  }
  return scale == 0 ? fmt::format("{:.0f} {}", n, unit)
                    : fmt::format("{:.1f} {}{}", n, kScales[scale], unit);
}

struct Field {
  std::string key;
  Text title;
  bool right{true};
};

Cell cell_of(const json::object& row, const std::string& key) {
  const auto* const found = row.if_contains(key);
  const json::value value = found != nullptr ? *found : json::value(nullptr);
  if (const auto* const name = row.if_contains(key + "_name");
      name && name->is_string() && value.is_string()) {
    const std::string id{value.get_string()};
    const std::string people{name->get_string()};
    return {value, people == id || people.empty() ? id : id + " " + people};
  }
  if (!value.is_number()) return Cell{value};
  const double number = value.to_number<double>();
  if (key == "share") return {value, fmt::format("{:.1f}%", 100 * number)};
  if (key.ends_with("_change")) return {value, fmt::format("{:+.0f}%", 100 * number)};
  if (key == "peak_bits_per_second") return {value, scaled(number, "bit/s")};
  if (key == "peak_packets_per_second") return {value, scaled(number, "/s")};
  return Cell{value};
}

int show(const Context& context, const json::object& request, const std::vector<Field>& fields) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto answer = ask(context, request, kLongSeconds);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson && context.columns.empty() && context.sort.empty() &&
      !context.limit) {
    out.line(json::serialize(*answer));
    return kYes;
  }
  Table table;
  table.schema = api::string_at(*answer, "schema");
  for (const auto& field : fields) table.columns.push_back({field.key, field.title, field.right});
  bool incomplete = false;
  if (const auto* const rows = answer->if_contains("rows"); rows && rows->is_array()) {
    for (const auto& row : rows->get_array()) {
      if (!row.is_object()) continue;
      std::vector<Cell> cells;
      for (const auto& field : fields) {
        auto cell = cell_of(row.get_object(), field.key);
        if (field.key == "complete" && cell.value.is_bool()) {
          incomplete = incomplete || !cell.value.get_bool();
          cell.text = cell.value.get_bool() ? "" : "*";
        }
        cells.push_back(std::move(cell));
      }
      table.rows.push_back(std::move(cells));
    }
  }
  const int printed = print(std::move(table), context, *format, out);
  out.flush();
  if (printed == kYes && *format == Format::kTable) {
    if (incomplete) {
      note(context, {"* not complete: not over, or not watched all the time",
                     "* 不完整：尚未结束，或期间有未监测的时段"});
    }
    if (const auto* const lost = answer->if_contains("events_lost");
        lost && lost->is_int64() && lost->get_int64() > 0) {
      note(context, {fmt::format("{} events were lost; what they told stands as (untold)",
                                 lost->get_int64()),
                     fmt::format("丢失 {} 个事件；其内容计入 (untold)", lost->get_int64())});
    }
  }
  return printed;
}

Field dimension_field(const std::string& name) {
  static const std::vector<Field> kFields{
      {"node", {"NODE", "节点"}, false},        {"unit", {"UNIT", "单位"}, false},
      {"peer", {"PEER", "对端单位"}, false},    {"service", {"SERVICE", "服务"}, false},
      {"from_zone", {"FROM", "源区域"}, false}, {"to_zone", {"TO", "目的区域"}, false},
      {"reason", {"REASON", "原因"}, false},    {"rule", {"RULE", "规则"}, false},
      {"family", {"FAMILY", "协议族"}, false},  {"direction", {"DIRECTION", "方向"}, false},
      {"verdict", {"VERDICT", "判定"}, false}};
  for (const auto& field : kFields) {
    if (field.key == name) return field;
  }
  return {name, {name, name}, false};
}

const std::vector<Field>& sum_fields() {
  static const std::vector<Field> kFields{{"packets", {"PACKETS", "报文"}},
                                          {"bytes", {"BYTES", "字节"}},
                                          {"share", {"SHARE", "占比"}},
                                          {"denied", {"DENIED", "拒绝"}},
                                          {"started", {"STARTED", "新建流"}},
                                          {"ended", {"ENDED", "结束流"}},
                                          {"peak_bits_per_second", {"PEAK", "峰值"}},
                                          {"peak_packets_per_second",
                                           {"PEAK PACKETS", "峰值报文"}}};
  return kFields;
}

int show_hits(const Context& context, const PastOptions& options) {
  static const std::vector<Field> kFields{{"rule", {"RULE", "规则"}, false},
                                          {"action", {"ACTION", "动作"}, false},
                                          {"state", {"STATE", "状态"}, false},
                                          {"hits", {"HITS", "命中"}},
                                          {"audited", {"AUDITED", "审计"}},
                                          {"new", {"NEW", "新增"}},
                                          {"first", {"FIRST", "首次"}, false},
                                          {"last", {"LAST", "最近"}, false},
                                          {"watched_since", {"WATCHED SINCE", "监测始于"}, false},
                                          {"watched_seconds", {"SECONDS", "监测秒数"}},
                                          {"nodes", {"NODES", "节点数"}},
                                          {"where", {"WHERE", "位置"}, false}};
  return show(context, request_of("hits", options), kFields);
}

}  // namespace

void PastOptions::add_times(CLI::App& command, const Context& context) {
  command.add_option("--since", since,
                     context.tr("24h, 7d, or 2026-10-01T08:30", "24h、7d 或 2026-10-01T08:30"));
  command.add_option("--until", until, context.tr("likewise; now by default", "同上；默认现在"));
}

void PastOptions::add_filter(CLI::App& command, const Context& context) {
  command
      .add_option("--filter", filters,
                  context.tr("KEY=VALUE, several with ` and `", "键=值，多个条件以 ` and ` 连接"))
      ->allow_extra_args(false);
}

void PastOptions::add_node(CLI::App& command, const Context& context) {
  command.add_option("--node", node, context.tr("of this node and all below it", "该节点及其下级"));
}

namespace {

int show_nodes(const Context& context, const PastOptions& options, bool down) {
  std::vector<Field> fields{{"node", {"NODE", "节点"}, false},
                            {"state", {"STATE", "状态"}, false},
                            {"seen", {"LAST SEEN", "最近上报"}, false},
                            {"lag_seconds", {"LAG", "滞后（秒）"}},
                            {"revision", {"REVISION", "版本"}, false},
                            {"spool_batches", {"SPOOL", "待报"}},
                            {"spool_dropped", {"DROPPED", "已丢弃"}},
                            {"clock_offset_ms", {"CLOCK", "时钟偏差（毫秒）"}},
                            {"alarms", {"ALARMS", "告警数"}},
                            {"latest_alarm", {"LATEST ALARM", "最新告警"}, false}};
  if (!options.since.empty()) {
    fields.push_back({"unwatched_seconds", {"UNWATCHED", "未监测（秒）"}});
  }
  json::object request{{"command", "nodes"}, {"node", options.node}, {"down", down}};
  if (!options.since.empty()) request.emplace("since", options.since);
  return show(context, request, fields);
}

}  // namespace

int show_stats(const Context& context, const PastOptions& options) {
  if (const auto known = dimensions_of("--by", options.by); !known) {
    complain(context, known.error().message);
    return kBadInput;
  }
  std::vector<Field> fields;
  if (!options.step.empty()) fields.push_back({"time", {"TIME", "时间"}, false});
  for (const auto& name : list_of(options.by)) {
    fields.push_back(dimension_field(std::string{name.as_string()}));
  }
  for (const auto& field : sum_fields()) fields.push_back(field);
  fields.push_back({"complete", {"", ""}, false});
  return show(context, request_of("stats", options), fields);
}

int show_top_since(const Context& context, const std::string& what, const PastOptions& options) {
  auto request = request_of("top", options);
  request.emplace("what", what);
  if (what == "talkers") {
    static const std::vector<Field> kTalkers{{"source", {"SOURCE", "源地址"}, false},
                                             {"unit", {"UNIT", "单位"}, false},
                                             {"flows", {"FLOWS", "流"}},
                                             {"packets", {"PACKETS", "报文"}},
                                             {"bytes", {"BYTES", "字节"}},
                                             {"share", {"SHARE", "占比"}}};
    return show(context, request, kTalkers);
  }
  std::vector<Field> fields{dimension_field(what == "units"      ? "unit"
                                            : what == "services" ? "service"
                                            : what == "rules"    ? "rule"
                                            : what == "nodes"    ? "node"
                                                                 : "reason")};
  for (const auto& field : sum_fields()) fields.push_back(field);
  fields.push_back({"day_change", {"DAY", "比昨日"}});
  fields.push_back({"week_change", {"WEEK", "比上周"}});
  return show(context, request, fields);
}

int show_past_flows(const Context& context, const PastOptions& options) {
  static const std::vector<Field> kFields{{"node", {"NODE", "节点"}, false},
                                          {"time", {"ENDED", "结束"}, false},
                                          {"seconds", {"SECONDS", "秒"}},
                                          {"end", {"HOW", "方式"}, false},
                                          {"protocol", {"PROTO", "协议"}},
                                          {"source", {"SOURCE", "源地址"}, false},
                                          {"source_port", {"PORT", "端口"}},
                                          {"destination", {"DESTINATION", "目的地址"}, false},
                                          {"destination_port", {"PORT", "端口"}},
                                          {"translated_source", {"SEEN AS", "转换后源"}, false},
                                          {"translated_source_port", {"PORT", "端口"}},
                                          {"unit", {"UNIT", "单位"}, false},
                                          {"service", {"SERVICE", "服务"}, false},
                                          {"rule", {"RULE", "规则"}, false},
                                          {"packets", {"PACKETS", "报文"}},
                                          {"bytes", {"BYTES", "字节"}},
                                          {"reply_packets", {"REPLIES", "应答"}},
                                          {"reply_bytes", {"BYTES", "字节"}}};
  auto request = request_of("past-flows", options);
  if (context.limit && context.sort.empty()) request.emplace("limit", *context.limit);
  return show(context, request, kFields);
}

void add_stats_commands(CLI::App& app, Context& context, Action& chosen) {
  auto* const stats = app.add_subcommand("stats", context.tr("traffic and denials over time",
                                                             "历史流量与拒绝统计"));
  auto options = std::make_shared<PastOptions>();
  stats->add_option(
      "--by", options->by,
      context.tr("unit, peer, service, rule, reason, verdict, node, from_zone, to_zone, family, "
                 "direction; several with commas",
                 "unit、peer、service、rule、reason、verdict、node、from_zone、to_zone、family、"
                 "direction，逗号分隔"));
  stats->add_option("--step", options->step,
                    context.tr("10s, 1m, 5m, 1h, 1d: a row for each; one for all by default",
                               "10s、1m、5m、1h、1d：每步一行；默认合为一行"));
  options->add_times(*stats, context);
  options->add_filter(*stats, context);
  options->add_node(*stats, context);
  stats->callback([&context, &chosen, options] {
    chosen = [&context, options] { return show_stats(context, *options); };
  });

  auto* const hits =
      app.add_subcommand("hits",
                         context.tr("how often each rule was hit, and since when that was watched",
                                    "各规则的命中次数及监测时段"));
  auto hits_options = std::make_shared<PastOptions>();
  hits_options->add_times(*hits, context);
  hits_options->add_node(*hits, context);
  hits->callback([&context, &chosen, hits_options] {
    chosen = [&context, hits_options] { return show_hits(context, *hits_options); };
  });

  auto* const nodes =
      app.add_subcommand("nodes", context.tr("the tree of gateways: who is up, how far behind",
                                             "各级网关：状态、滞后、版本、时钟偏差"));
  auto nodes_options = std::make_shared<PastOptions>();
  auto down = std::make_shared<bool>(false);
  nodes->add_flag(
      "--down", *down,
      context.tr("only those that are down, or with --since were not watched for a time",
                 "只列出离线的，或在 --since 之后有未监测时段的节点"));
  nodes->add_option("--since", nodes_options->since,
                    context.tr("24h, 7d, or an instant: what nobody watched since then",
                               "24h、7d 或时刻：此后未监测的时段"));
  nodes_options->add_node(*nodes, context);
  nodes->callback([&context, &chosen, nodes_options, down] {
    chosen = [&context, nodes_options, down] { return show_nodes(context, *nodes_options, *down); };
  });

  auto* const report = app.add_subcommand("report", context.tr("a report of a month", "月度报告"));
  auto kind = std::make_shared<std::string>();
  auto month = std::make_shared<std::string>();
  auto report_options = std::make_shared<PastOptions>();
  report->add_option("PERIOD", *kind, context.tr("month", "month（月）"))
      ->check(CLI::IsMember({"month"}))
      ->required();
  report->add_option("--month", *month,
                     context.tr("2026-11; this month by default", "如 2026-11；默认本月"));
  report_options->add_node(*report, context);
  // `kind` is kept for as long as it can be written to.
  report->callback([&context, &chosen, kind, month, report_options] {
    chosen = [&context, month, report_options] {
      return show_month(context, *month, report_options->node);
    };
  });
}

}  // namespace meiguan::cli
