#pragma once

// The canonical text of a TOML file. What the file says never changes, nor the order in which it
// says it; only white space, line ends and the commas behind the last items of arrays do.
//
//   - no indentation, `key = value`, no blank at a line's end, line feeds only, one at the end
//   - one blank line at most, one in front of every header and the comments right above it
//   - an array on one line where that has kLineCells cells or less and the array has no comment;
//     otherwise over several, two blanks in, with a comma behind each item: one item a line, but
//     where there are comments in it the author's lines
//   - an inline table on one line, `{ a = 1 }`, but for arrays with comments in it
//   - comments behind code stand in one column, two blanks away, as far as no blank line or header
//     comes between and the code is not very wide
//   - keys, strings, numbers and dates as they are written

#include <cstddef>
#include <expected>
#include <string>
#include <string_view>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

// Display cells that a line may have before an array is broken over several.
inline constexpr std::size_t kLineCells = 100;

struct FormatError {
  Place place;  // of file 0
  Text message;
};

// `text`: valid UTF-8 that the TOML reader accepts; where it is not, an error or, of a file that
// the reader would refuse, some text that says the same. Idempotent. Errors also where the
// formatted text, read again, would not say the very same words in the same order: then the file
// must be left alone.
[[nodiscard]] std::expected<std::string, FormatError> format_toml(std::string_view text);

}  // namespace meiguan::policy
