#pragma once

// What is wrong, or likely to be, in a policy, in every form that a check has: `policy check` and
// `policy lint` differ in what they look for and in when they fail.

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/analysis/lint.h"
#include "controlplane/policy/diagnostic.h"
#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

inline constexpr std::initializer_list<Format> kFindingForms{Format::kTable, Format::kJson,
                                                             Format::kJsonl, Format::kCsv,
                                                             Format::kJunit, Format::kSarif};
// Of these, what is printed as rows.
inline constexpr std::initializer_list<Format> kFindingRows{Format::kJsonl, Format::kCsv};

struct Findings {
  std::string suite;           // "meiguan policy lint"
  std::string schema;          // of JSON
  policy::Diagnostics errors;  // where there are any, nothing else was looked for
  std::vector<analysis::Lint> lints;
  std::vector<const analysis::LintKind*> looked_for;  // what is not found has passed
  std::function<bool(analysis::LintLevel)> fails;     // whether a lint of that level is a failure
};

[[nodiscard]] std::string_view name_of(analysis::LintLevel level);

// A form other than the table. Returns the exit code: kBadInput, with a message, where --columns or
// --sort name a column that is not there.
[[nodiscard]] int print(const Findings& findings, const Context& context, Format format, Out& out);

}  // namespace meiguan::cli
