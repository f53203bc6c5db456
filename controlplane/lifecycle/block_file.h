#pragma once

// Block lists as text: one address or prefix a line, or CSV with headings.

#include <cstdint>
#include <expected>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/lifecycle/block_entries.h"
#include "controlplane/policy/diagnostic.h"

namespace meiguan::lifecycle {

// Limits that end a hostile file in an error. More mistakes than this are counted only.
inline constexpr std::size_t kMaxBlockFileBytes = std::size_t{256} << 20;
inline constexpr std::size_t kMaxBlockLine = 4096;
inline constexpr std::size_t kMaxBlockNote = 256;  // bytes of a reason, a ticket, a name
inline constexpr std::size_t kMostBlockMistakes = 100;

// What holds for lines that do not say it themselves.
struct BlockDefaults {
  std::string zone;
  BlockNote note;
  std::int64_t now{0};
  std::int64_t ends{image::kBlockForEver};
  std::span<const image::UtcOffset> offsets;  // the wall clock of times without an offset
};

// `ADDRESS[/LENGTH][@ZONE]`, as selectors write it; IPv6 with or without brackets. Errors: what it
// is and what it should be.
[[nodiscard]] Result<BlockEntry> read_block(std::string_view text, const BlockDefaults& defaults);

// When a block ends: a date (the end of that day) or a date-time, as rules' `expires`. Errors: it
// is none, or lies before `defaults.now`.
[[nodiscard]] Result<std::int64_t> read_block_end(std::string_view text,
                                                  const BlockDefaults& defaults);
// "90s", "15m", "2h", "30d" from now on.
[[nodiscard]] Result<std::int64_t> read_block_span(std::string_view text,
                                                   const BlockDefaults& defaults);

// Lines that are empty or begin with # are passed over; what follows a # behind an address, too.
// Where the first line has a heading (prefix, address, ip; 地址, 网段, IP地址), it is CSV in UTF-8
// (RFC 4180, one record a line) with the columns zone, reason, ticket, by, since, ends under
// theirs; others are passed over. What has ended already is left out, and counted in `ended`.
// Errors: all that is wrong, by line; `name` is the file's.
[[nodiscard]] std::expected<std::vector<BlockEntry>, policy::Diagnostics> read_block_file(
    std::string_view text, const std::string& name, const BlockDefaults& defaults,
    std::size_t& ended);

// CSV that read_block_file() reads back to the same entries; times by `offsets`.
[[nodiscard]] std::string write_block_file(const BlockEntries& entries,
                                           std::span<const image::UtcOffset> offsets);

}  // namespace meiguan::lifecycle
