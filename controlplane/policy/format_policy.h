#pragma once

// The files of a policy in canonical text (format_toml.h).

#include <expected>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/diagnostic.h"

namespace meiguan::policy {

struct FormattedFile {
  std::string path;  // relative to the policy's directory; the base name of a single file
  std::string before;
  std::string after;
  [[nodiscard]] bool changes() const { return before != after; }
};

// Every .toml file of the directory or the one file at `path`, in canonical text. The policy need
// not be right, but every file must be TOML that the policy's reader reads: it also reads the new
// text, and nothing is given where that says anything else than the old. Errors: all of them.
[[nodiscard]] std::expected<std::vector<FormattedFile>, Diagnostics> format_policy(
    const std::filesystem::path& path);

// The same for one text.
[[nodiscard]] std::expected<std::string, Diagnostics> format_policy_text(std::string_view name,
                                                                         std::string_view text);

}  // namespace meiguan::policy
