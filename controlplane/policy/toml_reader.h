#pragma once

#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/toml_tree.h"
#include "controlplane/policy/toml_words.h"

namespace meiguan::policy {

struct TomlError {
  Place place;
  TomlWords words;
};

// Nesting of arrays and inline tables that is still read.
inline constexpr std::size_t kMaxTomlDepth = 16;

// Parses `text`, whose first line is line `first_line` of file `file`, to a table.
// Nothing in `text` can throw, abort or exhaust the stack, provided that its caller has bounded the
// dots of its keys (a key of n parts is n tables deep) and its size.
[[nodiscard]] std::expected<std::vector<TomlMember>, TomlError> read_toml(std::string_view text,
                                                                          std::uint32_t file,
                                                                          std::uint32_t first_line);

}  // namespace meiguan::policy
