#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "dataplane/base/result.h"

namespace meiguan::lifecycle {

// One zstd frame (RFC 8878), which says how long its content is.
[[nodiscard]] std::string compressed(std::string_view bytes);
// And back. Errors: it is no such frame, it is damaged, its content has more than `limit` bytes.
[[nodiscard]] Result<std::string> decompressed(std::string_view frame, std::size_t limit);

}  // namespace meiguan::lifecycle
