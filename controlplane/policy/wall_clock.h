#pragma once

// The wall clock of a time zone, for schedules and dates.

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "dataplane/image/format.h"

namespace meiguan::policy {

// The offsets of a zone of the tz database, ascending, the first from the earliest instant on.
// Asia/Shanghai and UTC are built in, so that their policies compile to the same image everywhere.
// Empty where the zone is not known here.
[[nodiscard]] std::vector<image::UtcOffset> utc_offsets(std::string_view timezone);

// The instant at which the wall clock shows `local` seconds since 1970-01-01T00:00: the first where
// it does so twice, the moment of the jump where it never does.
[[nodiscard]] std::int64_t instant_of(std::span<const image::UtcOffset> offsets,
                                      std::int64_t local);

}  // namespace meiguan::policy
