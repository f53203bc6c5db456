#pragma once

#include <string>

#include "tools/cli/context.h"

namespace meiguan::cli {

// The report of a month ("2026-11"; empty: this one) as Markdown, a page or rows.
[[nodiscard]] int show_month(const Context& context, const std::string& month,
                             const std::string& node);

}  // namespace meiguan::cli
