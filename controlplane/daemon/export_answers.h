#pragma once

#include <memory>

#include "controlplane/export/record.h"
#include "controlplane/lifecycle/bundle.h"

namespace meiguan::daemon {

// What records of a policy's time are called by.
[[nodiscard]] std::shared_ptr<const exporting::Names> export_names(const lifecycle::Bundle& bundle);

}  // namespace meiguan::daemon
