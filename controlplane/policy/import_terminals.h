#pragma once

// From a spreadsheet of terminals to [[terminal]] tables.

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

struct ImportProblem {
  std::uint32_t row{0};  // as the spreadsheet counts; 0: the file as a whole
  std::string column;    // the heading as written; empty: the row as a whole
  Text message;
};

struct ImportedTerminals {
  std::string toml;  // canonical text
  std::size_t terminals{0};
  std::vector<std::string> unused;  // headings of columns that were passed over
};

// More problems than this are counted only.
inline constexpr std::size_t kMaxImportProblems = 1000;

// `csv` as csv.h reads it, headings in the first row with text, in Chinese or English: columns
// of units (by id, or by name where only one unit has it; several must agree), of addresses (each
// cell with one or several), and optionally of MACs and names (several are joined). `node`: none,
// or every unit must be at it or below. `source` is named in the file's first comment. Errors:
// everything that is wrong, by row: an unknown unit, an address that is not in the unit's prefixes
// or that another row or a terminal of the policy has, a MAC of no station, a formula, cells beyond
// the headings.
[[nodiscard]] std::expected<ImportedTerminals, std::vector<ImportProblem>> import_terminals(
    std::string_view csv, const CheckedPolicy& policy, NodeId node, std::string_view source);

}  // namespace meiguan::policy
