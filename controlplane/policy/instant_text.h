#pragma once

// Instants as people write them: wall-clock times of a policy's time zone.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/image/format.h"

namespace meiguan::policy {

// `2026-10-01` (its first second), `2026-10-01T08:30[:00]` (or with a space) in the wall clock of
// `offsets`, and with `Z` or `+08:00` behind it in that one. Seconds since 1970-01-01T00:00Z;
// nothing where the text is none of these, or such a day or time does not exist.
[[nodiscard]] std::optional<std::int64_t> parse_instant(std::span<const image::UtcOffset> offsets,
                                                        std::string_view text);

// "2026-10-01T08:30:00+08:00"
[[nodiscard]] std::string instant_text(std::span<const image::UtcOffset> offsets,
                                       std::int64_t seconds);

}  // namespace meiguan::policy
