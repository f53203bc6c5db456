// meiguan status | top | flows | drops | routes | ports: what meiguan-controld is asked.

#include <CLI/CLI.hpp>
#include <array>
#include <boost/json.hpp>
#include <memory>
#include <utility>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/past.h"
#include "tools/cli/status_lines.h"
#include "tools/cli/table.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

std::string count_text(double n, std::string_view unit) {
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
  const char* key;
  Text title;
  bool right{true};
};

const std::vector<Field>& fields_of(std::string_view what) {
  static const std::vector<Field> kUnits{{"unit", {"UNIT", "单位"}, false},
                                         {"name", {"NAME", "名称"}, false},
                                         {"sent_bits_per_second", {"SENT", "发送"}},
                                         {"received_bits_per_second", {"RECEIVED", "接收"}},
                                         {"sent_bytes", {"SENT BYTES", "发送字节"}},
                                         {"received_bytes", {"RECEIVED BYTES", "接收字节"}},
                                         {"flows", {"FLOWS", "流"}},
                                         {"denied", {"DENIED", "拒绝"}}};
  static const std::vector<Field> kServices{{"service", {"SERVICE", "服务"}, false},
                                            {"name", {"NAME", "名称"}, false},
                                            {"request_bits_per_second", {"REQUESTS", "请求"}},
                                            {"reply_bits_per_second", {"REPLIES", "应答"}},
                                            {"request_bytes", {"REQUEST BYTES", "请求字节"}},
                                            {"reply_bytes", {"REPLY BYTES", "应答字节"}},
                                            {"flows", {"FLOWS", "流"}},
                                            {"denied", {"DENIED", "拒绝"}}};
  static const std::vector<Field> kRules{{"rule", {"RULE", "规则"}, false},
                                         {"action", {"ACTION", "动作"}, false},
                                         {"packets_per_second", {"RATE", "速率"}},
                                         {"packets", {"PACKETS", "报文"}},
                                         {"bytes", {"BYTES", "字节"}},
                                         {"hits", {"HITS", "命中"}},
                                         {"audited", {"AUDITED", "审计"}},
                                         {"where", {"WHERE", "位置"}, false}};
  static const std::vector<Field> kPorts{{"port", {"PORT", "端口"}, false},
                                         {"zone", {"ZONE", "区域"}, false},
                                         {"up", {"UP", "连通"}, false},
                                         {"received_bits_per_second", {"RECEIVED", "接收"}},
                                         {"sent_bits_per_second", {"SENT", "发送"}},
                                         {"received_packets", {"RX PACKETS", "收包"}},
                                         {"sent_packets", {"TX PACKETS", "发包"}},
                                         {"dropped", {"DROPPED", "丢弃"}},
                                         {"local", {"LOCAL", "本机"}},
                                         {"missed", {"MISSED", "漏收"}},
                                         {"errors", {"ERRORS", "错误"}}};
  static const std::vector<Field> kReasons{{"reason", {"REASON", "原因"}, false},
                                           {"verdict", {"VERDICT", "判定"}, false},
                                           {"packets_per_second", {"RATE", "速率"}},
                                           {"packets", {"PACKETS", "报文"}},
                                           {"bytes", {"BYTES", "字节"}}};
  static const std::vector<Field> kFlows{{"protocol", {"PROTO", "协议"}},
                                         {"source", {"SOURCE", "源地址"}, false},
                                         {"source_port", {"PORT", "端口"}},
                                         {"destination", {"DESTINATION", "目的地址"}, false},
                                         {"destination_port", {"PORT", "端口"}},
                                         {"translated_source", {"SEEN AS", "转换后源"}, false},
                                         {"translated_source_port", {"PORT", "端口"}},
                                         {"translated_destination",
                                          {"REALLY TO", "实际目的"},
                                          false},
                                         {"unit", {"UNIT", "单位"}, false},
                                         {"to_unit", {"TO_UNIT", "目的单位"}, false},
                                         {"service", {"SERVICE", "服务"}, false},
                                         {"rule", {"RULE", "规则"}, false},
                                         {"packets", {"PACKETS", "报文"}},
                                         {"bytes", {"BYTES", "字节"}},
                                         {"reply_packets", {"REPLIES", "应答"}},
                                         {"reply_bytes", {"BYTES", "字节"}},
                                         {"age_seconds", {"AGE", "秒"}}};
  static const std::vector<Field> kAttacks{
      {"state", {"STATE", "状态"}, false},     {"type", {"TYPE", "类型"}, false},
      {"source", {"SOURCE", "源地址"}, false}, {"target", {"TARGET", "目标"}, false},
      {"unit", {"UNIT", "单位"}, false},       {"service", {"SERVICE", "服务"}, false},
      {"in", {"IN", "入端口"}, false},         {"packets", {"PACKETS", "报文"}},
      {"distinct", {"DISTINCT", "不同对象"}},  {"first", {"FIRST", "首次"}, false},
      {"last", {"LAST", "最近"}, false}};
  static const std::vector<Field> kPortBlocks{
      {"state", {"STATE", "状态"}, false}, {"inside", {"INSIDE", "内部地址"}, false},
      {"unit", {"UNIT", "单位"}, false},   {"outside", {"OUTSIDE", "公网地址"}, false},
      {"first_port", {"FIRST", "首端口"}}, {"last_port", {"LAST", "末端口"}},
      {"taken", {"TAKEN", "占用"}, false}, {"returned", {"RETURNED", "归还"}, false}};
  static const std::vector<Field> kRoutes{{"prefix", {"PREFIX", "前缀"}, false},
                                          {"space", {"SPACE", "地址空间"}, false},
                                          {"port", {"PORT", "端口"}, false},
                                          {"zone", {"ZONE", "区域"}, false},
                                          {"via", {"VIA", "下一跳"}, false},
                                          {"origin", {"ORIGIN", "来源"}, false},
                                          {"state", {"STATE", "状态"}, false}};
  static const std::vector<Field> kGroups{{"last", {"LAST", "最近"}, false},
                                          {"reason", {"REASON", "原因"}, false},
                                          {"unit", {"UNIT", "单位"}, false},
                                          {"source", {"SOURCE", "源地址"}, false},
                                          {"destination", {"DESTINATION", "目的地址"}, false},
                                          {"protocol", {"PROTO", "协议"}},
                                          {"destination_port", {"PORT", "端口"}},
                                          {"service", {"SERVICE", "服务"}, false},
                                          {"rule", {"RULE", "规则"}, false},
                                          {"where", {"WHERE", "位置"}, false},
                                          {"packets", {"PACKETS", "报文"}}};
  if (what == "units") return kUnits;
  if (what == "services") return kServices;
  if (what == "rules") return kRules;
  if (what == "ports") return kPorts;
  if (what == "reasons") return kReasons;
  if (what == "flows") return kFlows;
  if (what == "attacks") return kAttacks;
  if (what == "port-blocks") return kPortBlocks;
  if (what == "routes") return kRoutes;
  return kGroups;
}

// `czj-360121 南昌县财政局`, `tcp`: what the row has beside an id or a number, for people.
Cell named_cell(const json::object& row, std::string_view key, const json::value& value) {
  const auto name = api::string_at(row, std::string{key} + "_name");
  if (name.empty()) return Cell{value};
  if (!value.is_string()) return {value, name};
  const std::string id{value.get_string()};
  return {value, name == id ? id : id + " " + name};
}

Cell cell_of(const json::value& value, std::string_view key) {
  if (!value.is_number()) return Cell{value};
  const double number = value.to_number<double>();
  if (key.ends_with("bits_per_second")) return {value, count_text(number, "bit/s")};
  if (key.ends_with("per_second")) return {value, count_text(number, "/s")};
  return Cell{value};
}

Table table_of(std::string_view what, const json::value* rows) {
  Table table;
  for (const auto& field : fields_of(what)) {
    table.columns.push_back({field.key, field.title, field.right});
  }
  if (rows == nullptr || !rows->is_array()) return table;
  const json::value nothing;
  for (const auto& row : rows->get_array()) {
    if (!row.is_object()) continue;
    std::vector<Cell> cells;
    for (const auto& field : fields_of(what)) {
      const auto* const value = row.get_object().if_contains(field.key);
      const json::value& shown = value != nullptr ? *value : nothing;
      const bool has_name = row.get_object().contains(std::string{field.key} + "_name");
      cells.push_back(has_name ? named_cell(row.get_object(), field.key, shown)
                               : cell_of(shown, field.key));
    }
    table.rows.push_back(std::move(cells));
  }
  return table;
}

std::string text_at(const json::object& object, std::string_view part, std::string_view key) {
  const auto* const inner = object.if_contains(part);
  if (inner == nullptr || !inner->is_object()) return "-";
  const auto* const value = inner->get_object().if_contains(key);
  if (value == nullptr) return "-";
  return cell_text(Cell{*value});
}

// What a command ends with that has printed an answer: counters that nobody counts any more look
// like a quiet gateway.
int answered(const Context& context) {
  const auto status = ask(context, {{"command", "status"}});
  if (!status) return status.error();
  if (text_at(*status, "dataplane", "connected") == "true") return kYes;
  complain(context, {"the data plane does not answer: nothing is forwarded, and the numbers are "
                     "those it left; is meiguan-dataplane running?",
                     "数据面没有应答：此时不转发任何报文，数字是它停止之前的；meiguan-dataplane "
                     "是否在运行？"});
  return kCouldNotAsk;
}

// An answer whose rows are one table; as JSON it is shown as it came.
int show_rows(const Context& context, const json::object& request, std::string_view what) {
  const auto format = context.format(kRowForms, kRowForms);
  if (!format) return kBadInput;
  const auto answer = ask(context, request);
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson && context.columns.empty() && context.sort.empty() &&
      !context.limit) {
    out.line(json::serialize(*answer));
    return answered(context);
  }
  auto table = table_of(what, answer->if_contains("rows"));
  table.schema = api::string_at(*answer, "schema");
  const int printed = print(std::move(table), context, *format, out);
  return printed != kYes ? printed : answered(context);
}

int status(const Context& context) {
  const auto format = context.format({Format::kTable, Format::kJson}, {Format::kTable});
  if (!format) return kBadInput;
  const auto answer = ask(context, {{"command", "status"}});
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson) {
    out.line(json::serialize(*answer));
    return answered(context);
  }
  const auto line = [&](const Text& title, const std::string& value) {
    out.line(fmt::format("{}  {}", pad(context.tr(title), 14, false), value));
  };
  const bool connected = text_at(*answer, "dataplane", "connected") == "true";
  line({"data plane", "数据面"},
       connected ? fmt::format("{} {}, {} {}, {} {} s", context.tr("process", "进程"),
                               text_at(*answer, "dataplane", "pid"),
                               text_at(*answer, "dataplane", "workers"),
                               context.tr("workers", "个工作线程"), context.tr("up", "已运行"),
                               text_at(*answer, "dataplane", "uptime_seconds"))
                 : context.tr("does not answer", "没有应答"));
  line({"generation", "策略代次"}, text_at(*answer, "dataplane", "generation"));
  line({"policy", "策略目录"}, text_at(*answer, "policy", "directory"));
  line({"gateway", "网关文件"}, text_at(*answer, "policy", "gateway"));
  line({"revision", "策略版本"}, text_at(*answer, "policy", "revision"));
  line({"image", "映像"}, text_at(*answer, "policy", "image") +
                              (text_at(*answer, "policy", "in_force") == "true"
                                   ? context.tr(", in force", "，已生效")
                                   : context.tr(", not in force yet", "，尚未生效")));
  line({"loaded", "加载时间"}, text_at(*answer, "policy", "loaded"));
  const auto change = text_at(*answer, "policy", "next_change");
  line({"next change", "下次变化"},
       change == "-" ? context.tr("no rule has times that are to come", "没有规则的时间将会变化")
                     : change + context.tr(": a schedule or a date of a rule",
                                           "：届时有规则的时段或日期变化"));
  line({"flows", "流"},
       text_at(*answer, "flows", "live") + " / " + text_at(*answer, "flows", "capacity"));
  print_routes(context, *answer, out);
  if (const auto* const packets = answer->if_contains("packets")) {
    line({"packets", "报文"}, cell_text(Cell{*packets}));
  }
  if (const auto* const lost = answer->if_contains("events_lost")) {
    line({"events lost", "丢失事件"}, cell_text(Cell{*lost}));
  }
  print_exports(context, *answer, out);
  print_alarms(context, *answer, out);
  out.line("");
  const int printed = print(table_of("ports", answer->if_contains("ports")), context, *format, out);
  return printed != kYes ? printed : answered(context);
}

int drops(const Context& context) {
  const bool whole = context.columns.empty() && context.sort.empty();
  const auto format = context.format(kRowForms, whole
                                                    ? kRowForms
                                                    : std::initializer_list<Format>{Format::kTable,
                                                                                    Format::kJsonl,
                                                                                    Format::kCsv});
  if (!format) return kBadInput;
  auto answer = ask(context, {{"command", "drops"}});
  if (!answer) return answer.error();
  Out out;
  if (*format == Format::kJson) {
    for (const char* const part : {"reasons", "groups", "recent"}) {
      auto* const rows = answer->if_contains(part);
      if (!context.limit || rows == nullptr || !rows->is_array()) continue;
      if (rows->get_array().size() > *context.limit) rows->get_array().resize(*context.limit);
    }
    out.line(json::serialize(*answer));
    return kYes;
  }
  // --columns and --sort are about the table of who was denied what, --limit about both.
  if (*format == Format::kTable) {
    Context plain = context;
    plain.columns.clear();
    plain.sort.clear();
    if (const int code = print(table_of("reasons", answer->if_contains("reasons")), plain, *format,
                               out);
        code != kYes) {
      return code;
    }
    out.line("");
  }
  return print(table_of("groups", answer->if_contains("groups")), context, *format, out);
}

}  // namespace

void add_live_commands(CLI::App& app, Context& context, Action& chosen) {
  app.add_subcommand("status", context.tr("the gateway at a glance", "网关概况"))
      ->callback([&context, &chosen] { chosen = [&context] { return status(context); }; });

  auto* const top = app.add_subcommand("top", context.tr("the busiest, with rates", "流量排行"));
  auto what = std::make_shared<std::string>("units");
  top->add_option("WHAT", *what,
                  context.tr("units (the default), services, rules, ports or reasons; of the past "
                             "also nodes, drops and talkers",
                             "units（默认）、services、rules、ports 或 reasons；历史另有 nodes、"
                             "drops、talkers"))
      ->check(CLI::IsMember(
          {"units", "services", "rules", "ports", "reasons", "nodes", "drops", "talkers"}));
  auto past = std::make_shared<PastOptions>();
  past->add_times(*top, context);
  past->add_node(*top, context);
  top->callback([&context, &chosen, what, past] {
    chosen = [&context, what, past] {
      const bool live = *what != "nodes" && *what != "drops" && *what != "talkers";
      if (!live || !past->since.empty()) return show_top_since(context, *what, *past);
      return show_rows(context, {{"command", "top"}, {"what", *what}}, *what);
    };
  });

  auto* const flows = app.add_subcommand("flows",
                                         context.tr("the live flows; with --since those that ended",
                                                    "当前的流；带 --since 则为已结束的流"));
  auto ended = std::make_shared<PastOptions>();
  ended->add_times(*flows, context);
  ended->add_filter(*flows, context);
  ended->add_node(*flows, context);
  flows->callback([&context, &chosen, ended] {
    chosen = [&context, ended] {
      if (!ended->since.empty()) return show_past_flows(context, *ended);
      if (!ended->filters.empty() || !ended->until.empty() || !ended->node.empty()) {
        complain(context, {"--filter, --until and --node go with --since",
                           "--filter、--until 和 --node 须与 --since 同用"});
        return kBadInput;
      }
      json::object request{{"command", "flows"}};
      if (context.limit && context.sort.empty()) request.emplace("limit", *context.limit);
      return show_rows(context, request, "flows");
    };
  });
  auto* const dropped = app.add_subcommand("drops",
                                           context.tr("what was dropped, and who was denied what",
                                                      "丢弃统计与最近拒绝"));
  auto drops_past = std::make_shared<PastOptions>();
  dropped->add_option("--by", drops_past->by,
                      context.tr("with --since: reason, unit, rule and others, as of stats",
                                 "与 --since 同用：reason、unit、rule 等，同 stats"));
  drops_past->add_times(*dropped, context);
  drops_past->add_filter(*dropped, context);
  dropped->callback([&context, &chosen, drops_past] {
    chosen = [&context, drops_past] {
      if (drops_past->since.empty() && drops_past->by.empty()) return drops(context);
      PastOptions options = *drops_past;
      if (options.by.empty()) options.by = "reason";
      options.filters.emplace_back("verdict=drop");
      return show_stats(context, options);
    };
  });
  auto* const blocks =
      app.add_subcommand("port-blocks",
                         context.tr("which ports of a pool address are whose, or were",
                                    "地址池端口块由谁占用、何时占用"));
  auto about = std::make_shared<std::string>();
  blocks->add_option("ADDRESS", *about,
                     context.tr("an inside address, or a pool address with or without a port",
                                "内部地址，或地址池地址（可带端口）"));
  auto held = std::make_shared<PastOptions>();
  held->add_times(*blocks, context);
  blocks->callback([&context, &chosen, about, held] {
    chosen = [&context, about, held] {
      json::object request{{"command", "port-blocks"}, {"about", *about}};
      if (!held->since.empty()) request.emplace("since", held->since);
      if (!held->until.empty()) request.emplace("until", held->until);
      return show_rows(context, request, "port-blocks");
    };
  });
  // One table as it comes.
  for (const auto& [name, says] :
       {std::pair<const char*, Text>{
            "attacks", {"floods and scans, merged while they last", "洪泛与扫描（持续期间合并）"}},
        {"routes",
         {"the routes in force, and what the kernel teaches of them",
          "生效的路由，以及从内核学到的路由"}},
        {"ports", {"the ports", "端口"}}}) {
    app.add_subcommand(name, context.tr(says))->callback([&context, &chosen, name = name] {
      chosen = [&context, name] { return show_rows(context, {{"command", name}}, name); };
    });
  }
}

}  // namespace meiguan::cli
