#pragma once

#include <filesystem>
#include <string>

#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"

namespace meiguan::analysis {

// What is allowed but looks wrong: a label that nothing has, a unit's prefix inside another
// unit's, an allow that isolation passes over because it names no service. `path` is where the
// policy was loaded from, for the source lines. Ordered by file, line, column.
[[nodiscard]] policy::Diagnostics lint(const policy::CheckedPolicy& policy,
                                       const std::filesystem::path& path);

// As policy::render, with the word "lint" for "error".
[[nodiscard]] std::string render_lint(const policy::Diagnostic& diagnostic, Language language,
                                      bool colour);

}  // namespace meiguan::analysis
