#pragma once

#include <boost/json/object.hpp>
#include <chrono>

#include "dataplane/base/result.h"
#include "tools/cli/context.h"

namespace meiguan::cli {

// The answer of meiguan-controld, whatever its "ok" says: of the one beside us by its socket, or of
// the one that --server names over HTTPS. Errors: there is none.
[[nodiscard]] Result<boost::json::object> exchange(const Context& context,
                                                   const boost::json::object& request,
                                                   std::chrono::seconds timeout);

}  // namespace meiguan::cli
