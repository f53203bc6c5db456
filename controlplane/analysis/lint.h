#pragma once

// What a policy is allowed to say and what is still likely to be a mistake.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/diagnostic.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

enum class LintLevel : std::uint8_t { kNote, kWarning };

// A kind of lint; names never change.
struct LintKind {
  std::string_view name;  // "rule-shadowed"
  LintLevel level;
  std::string_view english;  // what it means
  std::string_view chinese;
};
[[nodiscard]] std::span<const LintKind> lint_kinds();

// A rule or an object that has to do with a lint.
struct Related {
  std::string name;   // "360000/budget-for-finance"
  std::string where;  // "rules.toml:12"
};

struct Lint {
  const LintKind* kind{};
  std::string subject;  // the full name of the rule, or the object's id; may be empty
  policy::Diagnostic diagnostic;
  std::vector<Related> related;  // all of them; the message names the first few
};

struct LintOptions {
  std::int64_t at{0};                // seconds since 1970: rules that have ended by then
  std::int64_t within{30 * 86'400};  // or end in so many seconds more
};

// Every lint of a policy, ordered by file, line, column. `path` is where the policy was loaded
// from, for the source lines. `image` and `trace` are its compilation without a gateway; exact over
// all packets and all instants from `at` on, as class_ranges.h says.
[[nodiscard]] std::vector<Lint> lint(const policy::CheckedPolicy& policy,
                                     const std::filesystem::path& path, const image::Image& image,
                                     const policy::CompileTrace& trace, const LintOptions& options);

// As policy::render, with `warning` or `note` for `error`, and the lint's name behind the message.
[[nodiscard]] std::string render_lint(const Lint& lint, Language language, bool colour);

}  // namespace meiguan::analysis
