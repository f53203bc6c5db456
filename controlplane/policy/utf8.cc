#include "controlplane/policy/utf8.h"

#include <utf8proc.h>

#include <cstdint>

namespace meiguan::policy {
namespace {

constexpr bool is_continuation(unsigned char byte) { return (byte & 0xc0) == 0x80; }

}  // namespace

std::size_t utf8_length_at(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[offset + i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  if (lead < 0xc2 || lead > 0xf4) return 0;
  const std::size_t length = lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  if (text.size() - offset < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(byte(i))) return 0;
  }
  const unsigned char second = byte(1);
  if (lead == 0xe0 && second < 0xa0) return 0;  // overlong
  if (lead == 0xed && second > 0x9f) return 0;  // a surrogate
  if (lead == 0xf0 && second < 0x90) return 0;  // overlong
  if (lead == 0xf4 && second > 0x8f) return 0;  // beyond U+10FFFF
  return length;
}

std::size_t control_length_at(std::string_view text, std::size_t offset) {
  const auto byte = [&](std::size_t i) {
    return offset + i < text.size() ? static_cast<unsigned char>(text[offset + i]) : 0U;
  };
  const unsigned lead = byte(0);
  if ((lead < 0x20 && lead != '\t') || lead == 0x7f) return 1;
  if (lead == 0xc2 && byte(1) >= 0x80 && byte(1) < 0xa0) return 2;
  if (lead != 0xe2) return 0;
  if (byte(1) == 0x80 && byte(2) >= 0xa8 && byte(2) <= 0xae) return 3;  // U+2028 to U+202E
  if (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9) return 3;  // U+2066 to U+2069
  return 0;
}

bool has_control(std::string_view text, LineBreaks breaks) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (breaks == LineBreaks::kAllowed && text[i] == '\n') continue;
    if (control_length_at(text, i) != 0) return true;
  }
  return false;
}

std::optional<std::size_t> find_invalid_utf8(std::string_view text, std::size_t from) {
  for (std::size_t i = from; i < text.size();) {
    const std::size_t length = utf8_length_at(text, i);
    if (length == 0) return i;
    i += length;
  }
  return std::nullopt;
}

std::size_t count_characters(std::string_view text) {
  std::size_t count = 0;
  for (std::size_t i = 0; i < text.size(); ++count) {
    const std::size_t length = utf8_length_at(text, i);
    i += length == 0 ? 1 : length;
  }
  return count;
}

std::size_t character_offset(std::string_view text, std::size_t index) {
  std::size_t offset = 0;
  for (; index > 0 && offset < text.size(); --index) {
    const std::size_t length = utf8_length_at(text, offset);
    offset += length == 0 ? 1 : length;
  }
  return offset;
}

std::size_t display_cells(std::string_view text) {
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

}  // namespace meiguan::policy
