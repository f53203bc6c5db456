#pragma once

#include <string>
#include <string_view>

namespace meiguan::lifecycle {

// SHA-256 (FIPS 180-4) of the bytes, as 64 lower-case hexadecimal digits.
[[nodiscard]] std::string sha256_hex(std::string_view bytes);

// Whether `text` is such a digest.
[[nodiscard]] bool is_sha256_hex(std::string_view text) noexcept;

}  // namespace meiguan::lifecycle
