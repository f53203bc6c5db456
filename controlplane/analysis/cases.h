#pragma once

// Files of named cases: what a team expects of its policy, for `meiguan policy test`.

#include <expected>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"

namespace meiguan::analysis {

enum class Expected : std::uint8_t {
  kAllow,
  kDeny,  // by the rules: denied or default-deny
  kDrop,  // for whatever reason
};

// One [[case]]; texts are as written, empty where not given.
struct PolicyCase {
  std::string name;
  std::string policy;   // relative to the file's directory
  std::string gateway;  // likewise
  std::string from;
  std::string to;
  std::string from_zone;
  std::string to_zone;
  std::string in;
  std::string at;
  Expected expect{};
  std::string reason;
  // What must be reported; an empty text: that there is none.
  std::optional<std::string> rule;
  std::optional<std::string> unit;
  std::optional<std::string> to_unit;
  std::optional<std::string> service;
  policy::Place place;
};

// The cases of the file at `path`, in the order written; `[defaults]` fills in `policy`, `gateway`
// and `at`. Errors: all of them; a file without a case is one.
[[nodiscard]] std::expected<std::vector<PolicyCase>, policy::Diagnostics> read_cases(
    const std::filesystem::path& path);

}  // namespace meiguan::analysis
