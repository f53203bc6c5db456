#pragma once

// What a policy asks for and the kernel's backend cannot do.

#include "controlplane/lifecycle/bundle.h"
#include "controlplane/policy/diagnostic.h"

namespace meiguan::kernel {

// Each by name, with its file and line where it has one: translations, helpers, limits, time-outs,
// private zones at a port, ports without an interface of the kernel's, no gateway file. Empty where
// all can be done.
[[nodiscard]] policy::Diagnostics inexpressible(const lifecycle::Bundle& bundle);

}  // namespace meiguan::kernel
