#pragma once

// What each rule of a policy does: what it matches, where it decides, who decides instead, and what
// would be decided without it. Exact over the classes of the image, all packets and all instants
// from one on; see class_ranges.h for what "all packets" means.

#include <cstdint>
#include <vector>

#include "controlplane/policy/compile_trace.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

struct RuleEffect {
  bool ever_there{true};     // its schedule and dates hold at some instant
  bool has_sources{false};   // `from` matches some source
  bool has_targets{false};   // `to` and `ports` match what the rule may name
  bool in_scope{false};      // some packet matches both and touches the node's subtree
  bool not_isolated{false};  // ... and isolation lets it by
  bool passed_over{false};   // somewhere it is an allow that names no service and would have to
  bool outside{false};       // somewhere it is a mandatory allow outside its subtree
  bool matches{false};       // it counts as matching somewhere
  bool decides{false};       // it decides somewhere; of an audit: the search comes past it
  bool lets_by{false};       // an allow: it decides, and the service that it names is published
                             // where it must be
  bool is_needed{false};     // without it some verdict would be another, be it that it keeps its
                             // node's later rules from deciding; of an audit: that it decides
  // Who decides where it matches and does not decide; complete where it decides nowhere, the first
  // few otherwise. Indexes into CheckedPolicy::rules, ascending.
  std::vector<std::uint32_t> deciders;
  // Rules of other nodes that decide the other way where it matches: the first few.
  std::vector<std::uint32_t> overruled_by;
  // Earlier rules of its own node that at times decide the other way where it decides at others.
  std::vector<std::uint32_t> paused_by;
  // Where it decides and is not needed: who would decide the same without it.
  std::vector<std::uint32_t> successors;
  bool falls_to_default{false};  // ... or nothing, and the default denies
};

struct PolicyEffects {
  std::int64_t at{0};             // from this instant on
  std::vector<RuleEffect> rules;  // by index into CheckedPolicy::rules
  // By block: the columns to which some packet is let by at some instant.
  std::vector<std::uint64_t> let_by;
};

// `trace` is that of the image's compilation, and was made without a gateway.
[[nodiscard]] PolicyEffects find_effects(const policy::CheckedPolicy& policy,
                                         const image::Image& image,
                                         const policy::CompileTrace& trace, std::int64_t at);

}  // namespace meiguan::analysis
