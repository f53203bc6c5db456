#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "controlplane/host/doctor.h"

namespace meiguan::cli {

// Of each certificate that the appliance file names as the box's own: whether it can be read, and
// until when it holds. That the file itself cannot be loaded is a remark, too; nothing where there
// is no such file.
[[nodiscard]] std::vector<host::Remark> examine_certificates(const std::filesystem::path& appliance,
                                                             std::int64_t now);

}  // namespace meiguan::cli
