#pragma once

#include <boost/json/value.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

struct Column {
  std::string key;  // of JSON, CSV, --columns and --sort
  Text title;
  bool right{false};  // numbers stand on the right
};

// A value as JSON has it, and the words for people where they differ.
struct Cell {
  // Parentheses: in braces a boost::json::value becomes an array of one.
  Cell(boost::json::value v) : value(std::move(v)) {}  // NOLINT: a cell is its value
  Cell(boost::json::value v, std::string t) : value(std::move(v)), text(std::move(t)) {}
  boost::json::value value;
  std::string text;
};

// As a field of CSV (RFC 4180): quoted where it has to be.
[[nodiscard]] std::string csv_field(const std::string& text);

// Rows under named columns, printed as aligned text, JSON, JSON lines or CSV (RFC 4180).
struct Table {
  std::string schema;  // "meiguan.reasons/v1"
  std::vector<Column> columns;
  std::vector<std::vector<Cell>> rows;
};

// Prints by the context's --columns, --no-headers, --sort and --limit. Returns the exit code:
// kBadInput, with a message, where these name a column that is not there.
[[nodiscard]] int print(Table table, const Context& context, Format format, Out& out);

// As standard output would show it.
[[nodiscard]] std::string cell_text(const Cell& cell);

}  // namespace meiguan::cli
