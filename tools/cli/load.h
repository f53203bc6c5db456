#pragma once

#include <filesystem>
#include <memory>

#include "controlplane/lifecycle/bundle.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// The diagnostics as a compiler would print them, and how many there were, on stderr.
void report(const Context& context, const policy::Diagnostics& diagnostics);

// The same with other last words than "nothing was loaded".
void report_refusal(const Context& context, const policy::Diagnostics& diagnostics,
                    const Text& outcome);

// Loads, checks and compiles; null, with everything that is wrong on stderr, where that fails.
[[nodiscard]] std::unique_ptr<const lifecycle::Bundle> load(const Context& context,
                                                            const std::filesystem::path& policy,
                                                            const std::filesystem::path& gateway);

}  // namespace meiguan::cli
