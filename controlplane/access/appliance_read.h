#pragma once

// For the files that read an appliance file, table by table.

#include <array>
#include <filesystem>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "controlplane/access/appliance.h"
#include "controlplane/policy/reporter.h"
#include "controlplane/policy/table_view.h"

namespace meiguan::access {

struct Reading {
  std::filesystem::path directory;
  Appliance appliance;
  std::set<std::string> signer_names;
};

// A number from `least` to `most`; `otherwise` where there is none, or a bad one, which is
// reported.
[[nodiscard]] std::uint64_t read_number(policy::TableView& table, std::string_view key,
                                        std::int64_t least, std::int64_t most,
                                        std::uint64_t otherwise, policy::Reporter& reporter);
// By name or by number.
[[nodiscard]] std::optional<id_t> user_of(const std::string& name);

void read_api(policy::TableView& table, Reading& reading, policy::Reporter& reporter);
void read_person(policy::TableView& table, Reading& reading, policy::Reporter& reporter);
void read_syslog(policy::TableView& table, Reading& reading, policy::Reporter& reporter);

}  // namespace meiguan::access
