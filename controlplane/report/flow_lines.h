#pragma once

// A flow that ended, as a line of JSON: the same fields as `meiguan flows` has of live ones.

#include <boost/json/object.hpp>
#include <cstdint>
#include <string>

#include "controlplane/policy/catalog.h"
#include "dataplane/fastpath/event.h"

namespace meiguan::report {

[[nodiscard]] std::string_view name_of(fastpath::FlowEnd end);
// `ended_ms`: milliseconds since 1970 by the control plane's clock. `revision`: of the policy in
// force.
[[nodiscard]] std::string flow_line(const fastpath::Event& event, const policy::Catalog& catalog,
                                    const std::string& revision, std::int64_t ended_ms);

}  // namespace meiguan::report
