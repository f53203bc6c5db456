#pragma once

// Tables as spreadsheets write them (RFC 4180 and what Excel makes of it).

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <vector>

#include "dataplane/base/text.h"

namespace meiguan::policy {

// Limits that end a hostile file in an error.
inline constexpr std::size_t kMaxCsvBytes = std::size_t{64} << 20;
inline constexpr std::size_t kMaxCsvRows = 500'000;
inline constexpr std::size_t kMaxCsvColumns = 256;
inline constexpr std::size_t kMaxCsvCell = 4096;  // in bytes

struct CsvRow {
  std::uint32_t number{0};  // as the spreadsheet counts, from 1; rows without any text are left out
  std::vector<std::string> cells;  // UTF-8, without blanks at both ends
};

struct CsvError {
  std::uint32_t row{0};  // 0: the file as a whole
  Text message;
};

// `bytes`: UTF-8 with or without a byte-order mark, or else GB18030; rows end in CR LF, LF or CR;
// cells are parted by whichever of comma, semicolon and tab the first row has most of, unless a
// first row `sep=X` names it. A quoted cell may hold the separator, quotes written twice, and line
// ends. Errors: the first thing that is wrong.
[[nodiscard]] std::expected<std::vector<CsvRow>, CsvError> read_csv(std::string_view bytes);

}  // namespace meiguan::policy
