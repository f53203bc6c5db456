#pragma once

#include <boost/json/array.hpp>
#include <optional>
#include <vector>

#include "controlplane/analysis/explain.h"
#include "controlplane/analysis/matched_rules.h"
#include "controlplane/lifecycle/bundle.h"
#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

// Every rule that matches, for `explain --all`; none where it did not come to the rules.
[[nodiscard]] std::vector<analysis::MatchedRule> find_matched(const lifecycle::Bundle& bundle,
                                                              const analysis::Question& question,
                                                              const analysis::Explanation& answer);

// Of these, those that would match at another time; without a second compilation where no time
// changes the answer.
[[nodiscard]] std::vector<analysis::MatchedRule> find_absent(const lifecycle::Bundle& bundle,
                                                             const analysis::Question& question,
                                                             const analysis::Explanation& answer);
// A line for them; nothing where there are none.
void print_absent(const Context& context, const lifecycle::Bundle& bundle,
                  const std::vector<analysis::MatchedRule>& absent, Out& out);

// The field "matched".
[[nodiscard]] boost::json::array matched_json(const Context& context,
                                              const lifecycle::Bundle& bundle,
                                              const std::vector<analysis::MatchedRule>& matched);
void print_matched(const Context& context, const lifecycle::Bundle& bundle,
                   const std::vector<analysis::MatchedRule>& matched, Out& out);

}  // namespace meiguan::cli
