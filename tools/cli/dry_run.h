#pragma once

#include <boost/json/object.hpp>

#include "tools/cli/context.h"

namespace meiguan::cli {

// `apply --dry-run`: who gains or loses access against the policy in force, warnings, assertions,
// and the live flows that would be cut. `request` is the one to ask meiguan-controld.
[[nodiscard]] int show_dry_run(const Context& context, const boost::json::object& request);

}  // namespace meiguan::cli
