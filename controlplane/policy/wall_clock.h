#pragma once

// The wall clock of a time zone, for schedules and dates.

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>

#include "controlplane/policy/tz_file.h"
#include "dataplane/base/result.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

inline constexpr std::string_view kTzDatabase = "/usr/share/zoneinfo";

// The clock of a zone of the tz database. Asia/Shanghai and UTC are built in, so that their
// policies compile to the same image everywhere: eight hours ahead at all times, and none. All
// others are read from `database`, by which they differ with its edition.
// Errors: it is no name of a zone, the machine has no such zone, or its file is damaged.
[[nodiscard]] Result<WallClock> wall_clock_of(std::string_view timezone,
                                              const std::filesystem::path& database = kTzDatabase);

// The instant at which the wall clock shows `local` seconds since 1970-01-01T00:00: the first where
// it does so twice, the moment of the jump where it never does.
[[nodiscard]] std::int64_t instant_of(std::span<const image::UtcOffset> offsets,
                                      std::int64_t local);

}  // namespace meiguan::policy
