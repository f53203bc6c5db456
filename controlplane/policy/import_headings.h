#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <vector>

#include "controlplane/policy/csv.h"
#include "controlplane/policy/import_terminals.h"

namespace meiguan::policy {

enum class ImportColumn : std::uint8_t { kUnused, kUnit, kAddresses, kMac, kName };

// What each column of the heading row is for. Errors: no column of units or of addresses, or two
// of MACs.
[[nodiscard]] std::expected<std::vector<ImportColumn>, ImportProblem> read_headings(
    const CsvRow& row);

}  // namespace meiguan::policy
