#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace meiguan::lifecycle {

// SHA-256 (FIPS 180-4) of the bytes, as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

// Whether `text` is such a digest.
[[nodiscard]] bool is_sha256_hex(std::string_view text) noexcept;

// `text`, whole lines, and behind it `sha256 DIGITS` on a line of its own; and back: the text
// before that line, nothing where it was changed or cut.
[[nodiscard]] std::string with_digest(std::string text);
[[nodiscard]] std::optional<std::string_view> without_digest(std::string_view whole);

}  // namespace meiguan::lifecycle
