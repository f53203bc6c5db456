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
// together. As JSON (`meiguan.diff/v1`: same, objects, access), or a line for each change. With
// `semantic` people and lines are told of access alone.
void print_diff(const Context& context, Format format, const PolicyDiff& diff, Out& out);

}  // namespace meiguan::cli
