#pragma once

// All that can happen in the matrix, without looking at each cell: rows are alike in most blocks,
// so each different list of rules is met once for each block in which it stands.

#include <functional>
#include <span>

#include "controlplane/analysis/class_ranges.h"
#include "controlplane/policy/compile_scope.h"
#include "controlplane/policy/compile_trace.h"

namespace meiguan::analysis {

// `candidates` are the rules that match a row and may meet the block, ascending by position.
using VisitBlock = std::function<void(std::size_t block, const ClassRanges::Columns& columns,
                                      std::span<const policy::Candidate> candidates)>;

// Visits every different (block, rules, columns where a packet can be) that some source comes to
// and that some rule meets.
void sweep_cells(const policy::CheckedPolicy& policy, const policy::RuleOrder& order,
                 const policy::CompileTrace& trace, const ClassRanges& ranges,
                 const VisitBlock& visit);

}  // namespace meiguan::analysis
