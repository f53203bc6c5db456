#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace meiguan::cli {

// Cells of a terminal that a text takes: two for a Chinese character, none for a combining mark.
[[nodiscard]] std::size_t display_width(std::string_view text);

// The text, filled up with spaces to `width` cells.
[[nodiscard]] std::string pad(std::string_view text, std::size_t width, bool right);

}  // namespace meiguan::cli
