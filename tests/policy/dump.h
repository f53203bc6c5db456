#pragma once

#include <string>

#include "controlplane/policy/model.h"

namespace meiguan::policy {

// The whole of a checked policy as text, a line per object, for golden tests.
[[nodiscard]] std::string dump(const CheckedPolicy& policy);
[[nodiscard]] std::string dump(const CheckedGateway& gateway, const CheckedPolicy& policy);

}  // namespace meiguan::policy
