#pragma once

// The words of a TOML text as they are written, comments among them: for a formatter, which may
// change nothing but the space between them.

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "controlplane/policy/format_toml.h"

namespace meiguan::policy {

enum class TokenKind : std::uint8_t {
  kWord,     // a bare key, a number, a date, true, false: all that has no quotes and no punctuation
  kString,   // with its quotes, on one line or several
  kComment,  // from # to the line's end, without the blanks there
  kOpen,     // [ or {
  kClose,    // ] or }
  kEquals,
  kComma,
  kDot,      // of a dotted key
  kNewline,  // the end of a line
};

struct Token {
  TokenKind kind{TokenKind::kNewline};
  std::string_view text;  // borrowed
  Place place;
};

// Errors: a string without an end, a byte that no TOML text has there.
[[nodiscard]] std::expected<std::vector<Token>, FormatError> scan_toml(std::string_view text);

}  // namespace meiguan::policy
