#pragma once

// The tree as this node knows it: who reports, since when not, how far behind.

#include <boost/json/object.hpp>

#include "controlplane/daemon/stats_answers.h"
#include "controlplane/daemon/tree_link.h"

namespace meiguan::daemon {

// {"node":CODE,"down":true,"since":…}: all nodes of the subtree, or with "down" those that are not
// heard of or have time since then that nobody watched. What is wrong with it is a refusal.
[[nodiscard]] boost::json::object nodes_answer(const StatsInput& input, const TreeLink::View& view,
                                               const boost::json::object& request);

}  // namespace meiguan::daemon
