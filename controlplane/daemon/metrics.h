#pragma once

#include <cstddef>
#include <string>

#include "controlplane/daemon/answers.h"
#include "controlplane/export/metrics_text.h"

namespace meiguan::daemon {

// What GET /metrics answers: the same numbers as `status`, `top` and `drops`. Of units and services
// the first `most` in the order of their lasting ids are told of one by one, all others together as
// "(other)", and it is said how many these are.
[[nodiscard]] std::string metrics_text(const StatusInput& input, std::size_t most,
                                       exporting::MetricsFormat format);

}  // namespace meiguan::daemon
