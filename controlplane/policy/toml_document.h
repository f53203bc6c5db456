#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "controlplane/policy/reporter.h"
#include "controlplane/policy/toml_tree.h"

namespace meiguan::policy {

// Limits that end a hostile file in an error.
inline constexpr std::size_t kMaxSectionBytes = std::size_t{1} << 20;
inline constexpr std::size_t kMaxSectionDots = 256;
inline constexpr std::size_t kMaxHeaderBytes = 1024;
inline constexpr std::size_t kMaxHeaderParts = 16;
inline constexpr std::size_t kMaxSubTables = 256;

// One table at the top of a document: `[name]`, one of the `[[name]]`, or the same written as a
// value. Tables below it (`[name.more]`) are among its members.
struct TomlTable {
  std::string name;
  bool is_array{false};  // one of a list of tables
  Place place;           // of the header
  std::vector<TomlMember> members;
};

// Calls `visit` for every top table of file number `file` with text `text`, in the order written.
// Reports every syntax error; a section that has one is left out and remembered as damage.
void for_each_table(std::uint32_t file, std::string_view text, Reporter& reporter,
                    const std::function<void(const TomlTable&)>& visit);

}  // namespace meiguan::policy
