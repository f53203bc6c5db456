#include "tools/cli/width.h"

#include "controlplane/policy/utf8.h"

namespace meiguan::cli {

std::size_t display_width(std::string_view text) { return policy::display_cells(text); }

std::string pad(std::string_view text, std::size_t width, bool right) {
  const std::size_t used = display_width(text);
  const std::string fill(used < width ? width - used : 0, ' ');
  return right ? fill + std::string{text} : std::string{text} + fill;
}

}  // namespace meiguan::cli
