#include "tools/cli/status_lines.h"

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "tools/cli/table.h"
#include "tools/cli/width.h"

namespace meiguan::cli {

namespace json = boost::json;

void print_exports(const Context& context, const json::object& answer, Out& out) {
  const auto* const exports = answer.if_contains("exports");
  if (exports == nullptr || !exports->is_array()) return;
  for (const auto& one : exports->get_array()) {
    if (!one.is_object()) continue;
    const auto field = [&](std::string_view key) {
      const auto* const value = one.get_object().if_contains(key);
      return value == nullptr ? std::string{"-"} : cell_text(Cell{*value});
    };
    out.line(fmt::format("{}  {} {}, {} {}, {} {}, {} {}",
                         pad(context.tr("export", "导出"), 14, false), field("transport"),
                         field("collector"), field("records"),
                         context.tr("records sent", "条记录已发送"), field("waiting"),
                         context.tr("waiting", "条等待"), field("lost_records"),
                         context.tr("lost", "条丢失")));
  }
}

void print_routes(const Context& context, const json::object& answer, Out& out) {
  const auto* const dataplane = answer.if_contains("dataplane");
  if (dataplane == nullptr || !dataplane->is_object()) return;
  const auto* const routes = dataplane->get_object().if_contains("routes");
  if (routes == nullptr || !routes->is_object()) return;
  const auto field = [&](std::string_view key) {
    const auto* const value = routes->get_object().if_contains(key);
    return value == nullptr || value->is_null() ? std::string{} : cell_text(Cell{*value});
  };
  if (field("source") != "kernel") return;
  std::string text = fmt::format("{} {}, {} {}", field("learned"),
                                 context.tr("learned from the kernel", "条学自内核"),
                                 field("unused"), context.tr("more not used", "条未采用"));
  if (const auto ago = field("last_change_seconds_ago"); !ago.empty()) {
    text += fmt::format("{} {} {}", context.tr(", last change", "，最近变化于"), ago,
                        context.tr("s ago", "秒前"));
  }
  out.line(fmt::format("{}  {}", pad(context.tr("routes", "路由"), 14, false), text));
}

namespace {

void print_alarm(const Context& context, const json::object& alarm, Out& out) {
  const auto field = [&](std::string_view key) {
    const auto* const value = alarm.if_contains(key);
    return value == nullptr || value->is_null() ? std::string{} : " " + cell_text(Cell{*value});
  };
  const std::string packets = field("packets");
  out.line(fmt::format("{} {}{}{}{}{}", pad(context.tr("ALARM", "告警"), 14, false), field("node"),
                       field("alarm"), field("about"), packets.empty() ? "" : "," + packets,
                       packets.empty() ? "" : context.tr(" packets", " 个报文")));
}

// What is not shown of the nodes that report here.
void print_more_below(const Context& context, const json::object& answer, Out& out) {
  const auto* const count = answer.if_contains("alarms_below_count");
  const auto* const shown = answer.if_contains("alarms_below");
  if (count == nullptr || !count->is_number() || shown == nullptr || !shown->is_array()) return;
  const auto all = count->to_number<std::uint64_t>();
  if (all <= shown->get_array().size()) return;
  const auto more = all - shown->get_array().size();
  out.line(
      fmt::format("{}  {}", pad(context.tr("ALARM", "告警"), 14, false),
                  context.tr(Text{fmt::format("{} more at nodes below: `meiguan nodes`", more),
                                  fmt::format("下级节点另有 {} 条，见 `meiguan nodes`", more)})));
}

}  // namespace

void print_alarms(const Context& context, const json::object& answer, Out& out) {
  for (const char* const which : {"alarms", "alarms_below"}) {
    const auto* const alarms = answer.if_contains(which);
    if (alarms == nullptr || !alarms->is_array()) continue;
    for (const auto& alarm : alarms->get_array()) {
      if (alarm.is_object()) print_alarm(context, alarm.get_object(), out);
    }
  }
  print_more_below(context, answer, out);
}

}  // namespace meiguan::cli
