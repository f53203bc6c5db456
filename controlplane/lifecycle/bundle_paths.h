#pragma once

#include <string_view>
#include <vector>

#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

// Whether these are the paths that a bundle may have, in byte order: see signed_bundle.h. Errors:
// the first that is not.
[[nodiscard]] Result<void> check_bundle_paths(const std::vector<std::string_view>& paths);

}  // namespace meiguan::lifecycle
