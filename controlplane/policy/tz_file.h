#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

// The last year for which a clock that changes every year is worked out.
inline constexpr std::int32_t kLastClockYear = 2199;

// A clock: its offsets, ascending, the first from the earliest instant on.
struct WallClock {
  std::vector<image::UtcOffset> offsets;
  // From this instant on the offsets are not known; nothing where the last one holds for ever.
  std::optional<std::int64_t> known_until;
};

// Reads `bytes`, a TZif file of version 2 or later (RFC 9636). Errors: it is none, it is damaged,
// it counts leap seconds, or it does not say how the clock goes on. Nothing in `bytes` can crash.
[[nodiscard]] Result<WallClock> read_tz_file(std::string_view bytes);

}  // namespace meiguan::policy
