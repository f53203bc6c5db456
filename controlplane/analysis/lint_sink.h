#pragma once

// Where the parts of the linter put what they find.

#include <set>
#include <string>
#include <string_view>
#include <tuple>
#include <vector>

#include "controlplane/analysis/lint.h"
#include "controlplane/analysis/rule_effects.h"

namespace meiguan::analysis {

class LintSink {
 public:
  explicit LintSink(const policy::CheckedPolicy& policy) : policy_{policy} {}

  // `name` is one of lint_kinds(). `length` characters are underlined.
  Lint& add(std::string_view name, std::string subject, const policy::Place& place,
            std::size_t length, Text message, Text hint);
  // At the `[[rule]]` line.
  Lint& add(std::string_view name, const policy::Rule& rule, Text message, Text hint);
  // Whether something that matches nothing was found at a place.
  [[nodiscard]] bool has(const policy::Place& place) const;
  // Sorted by place; each with its source line.
  [[nodiscard]] std::vector<Lint> take(const std::filesystem::path& path);

 private:
  const policy::CheckedPolicy& policy_;
  std::vector<Lint> found_;
  std::set<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> empty_;
};

// The parts, each in a file of its own.
void lint_rules(const policy::CheckedPolicy& policy, const PolicyEffects& effects, LintSink& sink);
void lint_dates(const policy::CheckedPolicy& policy, const LintOptions& options, LintSink& sink);
void lint_objects(const policy::CheckedPolicy& policy, LintSink& sink);
// Egresses and what is translated twice; time-outs (lint_nat.cc).
void lint_translations(const policy::CheckedPolicy& policy, LintSink& sink);
void lint_timeouts(const policy::CheckedPolicy& policy, LintSink& sink);
void lint_helpers(const policy::CheckedPolicy& policy, LintSink& sink);
void lint_services(const policy::CheckedPolicy& policy, const image::Image& image,
                   const policy::CompileTrace& trace, const PolicyEffects& effects, LintSink& sink);

}  // namespace meiguan::analysis
