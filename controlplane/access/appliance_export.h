#pragma once

#include <filesystem>

#include "controlplane/export/settings.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/table_view.h"

namespace meiguan::access {

// Reads one [[ipfix]] table into `into`; files lie in `directory`.
void read_ipfix(policy::TableView& table, const std::filesystem::path& directory,
                exporting::ExportSettings& into, policy::Reporter& reporter);

// Reads [metrics].
void read_metrics(policy::TableView& table, exporting::ExportSettings& into,
                  policy::Reporter& reporter);

}  // namespace meiguan::access
