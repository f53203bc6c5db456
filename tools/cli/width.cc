#include "tools/cli/width.h"

#include <utf8proc.h>

namespace meiguan::cli {

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  while (!text.empty()) {
    utf8proc_int32_t code = 0;
    // reinterpret_cast: utf8proc names bytes `utf8proc_uint8_t`.
    const auto n = utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()),
                                    static_cast<utf8proc_ssize_t>(text.size()), &code);
    if (n <= 0) {
      ++width;
      text.remove_prefix(1);
      continue;
    }
    const int cells = utf8proc_charwidth(code);
    if (cells > 0) width += static_cast<std::size_t>(cells);
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return width;
}

std::string pad(std::string_view text, std::size_t width, bool right) {
  const std::size_t used = display_width(text);
  const std::string fill(used < width ? width - used : 0, ' ');
  return right ? fill + std::string{text} : std::string{text} + fill;
}

}  // namespace meiguan::cli
