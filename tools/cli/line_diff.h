#pragma once

#include <string>
#include <string_view>

namespace meiguan::cli {

// A unified diff with three lines of context, as diff -u and patch know it; empty where the texts
// are equal. The least number of lines changes, up to a limit of effort beyond which the whole
// middle is given as replaced.
[[nodiscard]] std::string unified_diff(std::string_view name, std::string_view before,
                                       std::string_view after);

}  // namespace meiguan::cli
