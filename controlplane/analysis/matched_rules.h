#pragma once

// Every rule that matches one first packet, in the order in which the search comes to it
// (policy.md, "Which one wins"), and why it did or did not decide.

#include <optional>
#include <string>
#include <vector>

#include "controlplane/analysis/explain.h"
#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

struct MatchedRule {
  std::size_t rule{0};  // index into CheckedPolicy::rules
  bool decides{false};
  bool counts{false};  // an audit that the search comes past
  bool absent{false};  // at this instant as if it were not there
  Text why;
};

// `trace` is that of the image's compilation. The one that decides is that of fastpath::decide; at
// most one does.
[[nodiscard]] std::vector<MatchedRule> matched_rules(const policy::CheckedPolicy& policy,
                                                     const image::Image& image,
                                                     const policy::CompileTrace& trace,
                                                     const Explanation::Ends& ends,
                                                     const image::Moment& moment);

}  // namespace meiguan::analysis
