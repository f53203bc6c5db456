#pragma once

#include <vector>

#include "controlplane/analysis/object_diff.h"
#include "controlplane/analysis/semantic_diff.h"
#include "tools/cli/context.h"
#include "tools/cli/out.h"

namespace meiguan::cli {

struct PolicyDiff {
  std::vector<analysis::ObjectChange> objects;
  bool semantic{false};  // then `sides` and `access` are there
  analysis::Sides<analysis::PolicySide> sides;
  analysis::AccessChanges access;
};

// As text for people: access by node, unit and destination, units of a node that change alike
// together. As JSON (`meiguan.diff/v1`: same, objects, access), or a line for each change; of CSV
// for each field of an object. With `semantic` people and lines are told of access alone. Returns
// the exit code: kBadInput, with a message, where --columns or --sort name what is not there.
[[nodiscard]] int print_diff(const Context& context, Format format, const PolicyDiff& diff,
                             Out& out);

}  // namespace meiguan::cli
