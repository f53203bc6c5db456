#include "tools/cli/month_report.h"

#include <boost/json.hpp>
#include <vector>

#include "controlplane/api/protocol.h"
#include "tools/cli/ask.h"
#include "tools/cli/out.h"
#include "tools/cli/table.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

constexpr std::size_t kRowsShown = 20;

struct Part {
  const char* key;
  Text title;
  const char* name;  // the column that tells its rows apart; empty: none
};

const std::vector<Part>& parts() {
  static const std::vector<Part> kParts{
      {"total", {"Total", "总量"}, ""},
      {"families", {"IPv4 and IPv6, forwarded", "IPv4 与 IPv6（转发流量）"}, "family"},
      {"verdicts", {"What became of packets", "报文判定"}, "verdict"},
      {"days", {"Day by day", "逐日"}, "time"},
      {"units", {"Units", "单位"}, "unit"},
      {"services", {"Services", "服务"}, "service"},
      {"rules", {"Rules", "规则"}, "rule"},
      {"denied", {"Denials by reason", "拒绝原因"}, "reason"},
  };
  return kParts;
}

std::string html_text(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    switch (c) {
      case '&': safe += "&amp;"; break;
      case '<': safe += "&lt;"; break;
      case '>': safe += "&gt;"; break;
      case '"': safe += "&quot;"; break;
      default: safe += c;
    }
  }
  return safe;
}

// No character of a name can end a cell, or begin a mark.
std::string markdown_text(const std::string& text) {
  std::string safe;
  for (const char c : text) {
    if (std::string_view{"|\\`*_<>[]"}.find(c) != std::string_view::npos) safe += '\\';
    safe += c == '\n' || c == '\r' ? ' ' : c;
  }
  return safe;
}

using Lines = std::vector<std::vector<std::string>>;

std::string name_of(const json::object& row, const Part& part, const Context& context) {
  if (*part.name == '\0') return context.tr("all", "合计");
  std::string name = api::string_at(row, part.name);
  if (std::string_view{part.key} == "days") name.resize(std::min<std::size_t>(name.size(), 10));
  const auto people = api::string_at(row, std::string{part.name} + "_name");
  if (name.empty()) name = context.tr("(none)", "（无）");
  if (!people.empty() && people != name) name += " " + people;
  const auto* const complete = row.if_contains("complete");
  const bool whole = complete != nullptr && complete->is_bool() && complete->get_bool();
  return std::string_view{part.key} == "days" && !whole ? name + " *" : name;
}

Lines lines_of(const json::object& answer, const Part& part, const Context& context) {
  Lines lines;
  const auto* const rows = answer.if_contains(part.key);
  if (rows == nullptr || !rows->is_array()) return lines;
  for (const auto& value : rows->get_array()) {
    if (!value.is_object()) continue;
    const auto& row = value.get_object();
    const auto text = [&](const char* key) {
      const auto* const found = row.if_contains(key);
      return found == nullptr ? std::string{} : cell_text(Cell{*found});
    };
    const auto* const share = row.if_contains("share");
    lines.push_back({name_of(row, part, context), text("packets"), text("bytes"),
                     share != nullptr && share->is_number() && *part.name != '\0'
                         ? fmt::format("{:.1f}%", 100 * share->to_number<double>())
                         : "",
                     text("denied"), text("started")});
    if (lines.size() == kRowsShown && std::string_view{part.key} != "days") break;
  }
  return lines;
}

std::vector<std::string> headings(const Context& context) {
  return {context.tr("Name", "名称"),   context.tr("Packets", "报文"),
          context.tr("Bytes", "字节"),  context.tr("Share of bytes", "字节占比"),
          context.tr("Denied", "拒绝"), context.tr("Flows", "新建流")};
}

std::string title_of(const json::object& answer, const Context& context) {
  return fmt::format("{} {}, {}", context.tr("Meiguan, node", "梅关：节点"),
                     api::string_at(answer, "node"), api::string_at(answer, "month"));
}

std::string note_of(const Context& context) {
  return context.tr(
      "* not complete: not over, or not watched all the time. The largest 20 of each.",
      "* 不完整：尚未结束，或期间有未监测的时段。各项列前 20 名。");
}

void print_markdown(const json::object& answer, const Context& context, Out& out) {
  const auto row = [&](const std::vector<std::string>& cells) {
    std::string line = "|";
    for (const auto& cell : cells) line += " " + markdown_text(cell) + " |";
    out.line(line);
  };
  out.line("# " + markdown_text(title_of(answer, context)));
  for (const auto& part : parts()) {
    out.line("");
    out.line("## " + context.tr(part.title));
    out.line("");
    row(headings(context));
    out.line("| --- | ---: | ---: | ---: | ---: | ---: |");
    for (const auto& line : lines_of(answer, part, context)) row(line);
  }
  out.line("");
  out.line(note_of(context));
}

void print_html(const json::object& answer, const Context& context, Out& out) {
  const auto row = [&](const char* tag, const std::vector<std::string>& cells) {
    std::string line = "<tr>";
    for (const auto& cell : cells) {
      line += fmt::format("<{}>{}</{}>", tag, html_text(cell), tag);
    }
    out.line(line + "</tr>");
  };
  const auto title = html_text(title_of(answer, context));
  out.line(fmt::format("<!doctype html><html lang=\"{}\"><meta charset=\"utf-8\"><title>{}</title>",
                       context.tr("en", "zh"), title));
  out.line(
      "<style>body{font-family:sans-serif}table{border-collapse:collapse}"
      "td,th{border:1px solid #999;padding:.2em .6em;text-align:right}"
      "td:first-child,th:first-child{text-align:left}</style>");
  out.line("<h1>" + title + "</h1>");
  for (const auto& part : parts()) {
    out.line("<h2>" + html_text(context.tr(part.title)) + "</h2><table>");
    row("th", headings(context));
    for (const auto& line : lines_of(answer, part, context)) row("td", line);
    out.line("</table>");
  }
  out.line("<p>" + html_text(note_of(context)) + "</p></html>");
}

void print_csv(const json::object& answer, const Context& context, Out& out) {
  out.line("part,name,packets,bytes,share,denied,flows");
  for (const auto& part : parts()) {
    for (const auto& line : lines_of(answer, part, context)) {
      std::string text{part.key};
      for (const auto& cell : line) text += "," + csv_field(cell);
      out.line(text);
    }
  }
}

}  // namespace

int show_month(const Context& context, const std::string& month, const std::string& node) {
  const auto format = context.format(
      {Format::kMarkdown, Format::kHtml, Format::kCsv, Format::kJson});
  if (!format) return kBadInput;
  json::object request{{"command", "month"}, {"month", month}};
  if (!node.empty()) request.emplace("node", node);
  const auto answer = ask(context, request, std::chrono::seconds{120});
  if (!answer) return answer.error();
  Out out;
  switch (*format) {
    case Format::kHtml: print_html(*answer, context, out); break;
    case Format::kCsv: print_csv(*answer, context, out); break;
    case Format::kJson: out.line(json::serialize(*answer)); break;
    default: print_markdown(*answer, context, out);
  }
  return kYes;
}

}  // namespace meiguan::cli
