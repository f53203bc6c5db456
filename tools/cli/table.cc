#include "tools/cli/table.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json/serialize.hpp>
#include <optional>
#include <ranges>

#include "controlplane/policy/message.h"
#include "tools/cli/width.h"

namespace meiguan::cli {
namespace {

namespace json = boost::json;

std::optional<std::size_t> find_column(const Table& table, std::string_view key) {
  for (std::size_t i = 0; i < table.columns.size(); ++i) {
    if (table.columns[i].key == key) return i;
  }
  return std::nullopt;
}

int no_such_column(const Table& table, const Context& context, std::string_view key) {
  std::string known;
  for (const auto& column : table.columns) known += (known.empty() ? "" : ", ") + column.key;
  complain(context, {fmt::format("no column `{}`; there are: {}", key, known),
                     fmt::format("没有列 `{}`；可用的列：{}", key, known)});
  return kBadInput;
}

bool less(const json::value& a, const json::value& b) {
  const bool numbers = a.is_number() && b.is_number();
  if (numbers) return a.to_number<double>() < b.to_number<double>();
  if (a.is_string() && b.is_string()) return a.as_string() < b.as_string();
  return a.kind() < b.kind();
}

json::object row_object(const Table& table, const std::vector<Cell>& row,
                        const std::vector<std::size_t>& shown) {
  json::object object;
  for (const auto i : shown) object.emplace(table.columns[i].key, row[i].value);
  return object;
}

void print_aligned(const Table& table, const std::vector<std::size_t>& shown,
                   const Context& context, Out& out) {
  std::vector<std::vector<std::string>> lines;
  if (!context.no_headers) {
    auto& header = lines.emplace_back();
    for (const auto i : shown) header.push_back(context.tr(table.columns[i].title));
  }
  for (const auto& row : table.rows) {
    auto& line = lines.emplace_back();
    for (const auto i : shown) line.push_back(policy::one_line(cell_text(row[i])));
  }
  std::vector<std::size_t> widths(shown.size());
  for (const auto& line : lines) {
    for (std::size_t i = 0; i < line.size(); ++i) {
      widths[i] = std::max(widths[i], display_width(line[i]));
    }
  }
  for (const auto& line : lines) {
    std::string text;
    for (std::size_t i = 0; i < line.size(); ++i) {
      if (i > 0) text += "  ";
      text += pad(line[i], widths[i], table.columns[shown[i]].right);
    }
    text.erase(text.find_last_not_of(' ') + 1);
    out.line(text);
  }
}

}  // namespace

std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) {
    if (c == '"') quoted += '"';
    quoted += c;
  }
  return quoted + '"';
}

std::string cell_text(const Cell& cell) {
  if (!cell.text.empty()) return cell.text;
  if (cell.value.is_null()) return "-";
  if (cell.value.is_string()) {
    const auto& text = cell.value.get_string();
    return text.empty() ? "-" : std::string{text};
  }
  return json::serialize(cell.value);
}

int print(Table table, const Context& context, Format format, Out& out) {
  std::vector<std::size_t> shown;
  if (context.columns.empty()) {
    for (std::size_t i = 0; i < table.columns.size(); ++i) shown.push_back(i);
  } else {
    for (const auto part : context.columns | std::views::split(',')) {
      const std::string_view key{part.begin(), part.end()};
      const auto column = find_column(table, key);
      if (!column) return no_such_column(table, context, key);
      shown.push_back(*column);
    }
  }
  if (!context.sort.empty()) {
    const bool descending = context.sort.starts_with('-');
    const auto key = std::string_view{context.sort}.substr(descending ? 1 : 0);
    const auto column = find_column(table, key);
    if (!column) return no_such_column(table, context, key);
    std::ranges::stable_sort(table.rows, [&](const auto& a, const auto& b) {
      return descending ? less(b[*column].value, a[*column].value)
                        : less(a[*column].value, b[*column].value);
    });
  }
  if (context.limit && table.rows.size() > *context.limit) {
    table.rows.erase(table.rows.begin() + static_cast<std::ptrdiff_t>(*context.limit),
                     table.rows.end());
  }
  switch (format) {
    case Format::kTable:
    case Format::kJunit:  // no forms of a table: never asked for
    case Format::kSarif:
    case Format::kMarkdown:
    case Format::kHtml: print_aligned(table, shown, context, out); break;
    case Format::kJson: {
      json::array rows;
      for (const auto& row : table.rows) rows.push_back(row_object(table, row, shown));
      json::object document;
      document.emplace("schema", table.schema);
      document.emplace("rows", std::move(rows));
      out.line(json::serialize(document));
      break;
    }
    case Format::kJsonl:
      for (const auto& row : table.rows) out.line(json::serialize(row_object(table, row, shown)));
      break;
    case Format::kCsv: {
      std::string line;
      if (!context.no_headers) {
        for (const auto i : shown)
          line += (line.empty() ? "" : ",") + csv_field(table.columns[i].key);
        out.line(line);
      }
      for (const auto& row : table.rows) {
        line.clear();
        for (std::size_t i = 0; i < shown.size(); ++i) {
          if (i > 0) line += ',';
          const auto& value = row[shown[i]].value;
          if (value.is_string()) {
            line += csv_field(std::string{value.get_string()});
          } else if (!value.is_null()) {
            line += csv_field(json::serialize(value));
          }
        }
        out.line(line);
      }
      break;
    }
  }
  return kYes;
}

}  // namespace meiguan::cli
