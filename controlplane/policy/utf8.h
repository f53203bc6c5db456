#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace meiguan::policy {

// The length in bytes of the UTF-8 sequence that begins at `offset`; 0 where there is no valid one
// (overlong forms, surrogates and values beyond U+10FFFF are invalid, RFC 3629 section 3).
[[nodiscard]] std::size_t utf8_length_at(std::string_view text, std::size_t offset);

// The offset of the first byte at or after `from` that is not part of valid UTF-8.
[[nodiscard]] std::optional<std::size_t> find_invalid_utf8(std::string_view text,
                                                           std::size_t from = 0);

// Whether valid UTF-8 has characters that begin a line, steer a terminal or turn the direction of
// text: C0 but for tab, DEL, C1 (ECMA-48), the separators U+2028 and U+2029, and the embeddings,
// overrides and isolates of UAX #9. Newline is one of them but where line breaks are allowed.
enum class LineBreaks : std::uint8_t { kRefused, kAllowed };
[[nodiscard]] bool has_control(std::string_view text, LineBreaks breaks = LineBreaks::kRefused);

// The length in bytes of a character of that kind at `offset`, newline included; 0 where there is
// another.
[[nodiscard]] std::size_t control_length_at(std::string_view text, std::size_t offset);

// Characters (code points) in `text`; every invalid byte counts as one.
[[nodiscard]] std::size_t count_characters(std::string_view text);

// The offset in bytes of character number `index` (from 0); the size where there are fewer.
[[nodiscard]] std::size_t character_offset(std::string_view text, std::size_t index);

// Cells that `text` takes on a terminal; every invalid byte takes one.
[[nodiscard]] std::size_t display_cells(std::string_view text);

}  // namespace meiguan::policy
