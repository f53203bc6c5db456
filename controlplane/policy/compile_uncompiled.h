#pragma once

#include <optional>

#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"

namespace meiguan::policy {

// What the front reads and the parts behind it do not keep yet: a policy that has any is refused,
// so that nothing loads as if it were not there.
[[nodiscard]] std::optional<Error> refuse_uncompiled(const CheckedPolicy& policy);

}  // namespace meiguan::policy
