#include "controlplane/policy/diagnostic.h"

#include <fmt/format.h>
#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr std::string_view kBold = "\x1b[1m";
constexpr std::string_view kRed = "\x1b[1;31m";
constexpr std::string_view kGreen = "\x1b[1;32m";
constexpr std::string_view kPlain = "\x1b[0m";

constexpr std::size_t kTabWidth = 8;

// The cells that the character at `offset`, which may be shown, takes on a terminal, given the
// cells before it.
std::size_t cells_at(std::string_view text, std::size_t offset, std::size_t length,
                     std::size_t cells_before) {
  if (text[offset] == '\t') return kTabWidth - cells_before % kTabWidth;
  utf8proc_int32_t character = 0;
  utf8proc_iterate(reinterpret_cast<const utf8proc_uint8_t*>(text.data()) + offset,
                   static_cast<utf8proc_ssize_t>(length), &character);
  return static_cast<std::size_t>(std::max(0, utf8proc_charwidth(character)));
}

struct ShownLine {
  std::string text;  // tabs are blanks, '?' what steers a terminal, turns text or is not UTF-8
  std::size_t caret_start{0};  // in cells
  std::size_t caret_cells{1};
};

ShownLine shown_line(const Diagnostic& diagnostic) {
  ShownLine shown;
  const std::string_view line = diagnostic.source_line;
  const std::size_t first = std::max<std::uint32_t>(1, diagnostic.column) - 1;
  const std::size_t end = first + std::max<std::uint32_t>(1, diagnostic.length);
  std::size_t cells = 0;
  std::size_t caret_end = 0;
  std::size_t index = 0;
  shown.caret_start = std::string::npos;
  for (std::size_t i = 0; i < line.size(); ++index) {
    const std::size_t length = utf8_length_at(line, i);
    const bool hidden = length == 0 || control_length_at(line, i) != 0;
    const std::size_t width = hidden ? 1 : cells_at(line, i, length, cells);
    if (index == first) shown.caret_start = cells;
    if (hidden) {
      shown.text += '?';
    } else if (line[i] == '\t') {
      shown.text.append(width, ' ');
    } else {
      shown.text.append(line.substr(i, length));
    }
    cells += width;
    if (index < end) caret_end = cells;
    i += length == 0 ? 1 : length;
  }
  // Beyond the end of the line: where something is missing.
  if (shown.caret_start == std::string::npos) shown.caret_start = cells;
  if (caret_end > shown.caret_start) shown.caret_cells = caret_end - shown.caret_start;
  return shown;
}

}  // namespace

std::string openable(const std::filesystem::path& policy, const std::string& file) {
  std::error_code error;
  const auto path = std::filesystem::is_directory(policy, error) ? policy / file : policy;
  return path.lexically_normal().string();
}

std::string render(const Diagnostic& diagnostic, Language language, bool colour,
                   Severity severity) {
  const auto paint = [&](std::string_view code, std::string_view text) {
    return colour ? fmt::format("{}{}{}", code, text, kPlain) : std::string(text);
  };
  const bool is_chinese = language == Language::kChinese;
  std::string place = one_line(diagnostic.path.empty() ? diagnostic.file : diagnostic.path);
  if (diagnostic.line > 0) {
    place += fmt::format(":{}:{}", diagnostic.line, std::max<std::uint32_t>(1, diagnostic.column));
  }
  // A full-width colon needs no blank behind it.
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 3> kWords{
      {{"error: ", "错误："}, {"warning: ", "警告："}, {"note: ", "注意："}}};
  const auto& word = kWords[static_cast<std::size_t>(severity)];
  std::string result = fmt::format("{} {}{}\n", paint(kBold, place + ":"),
                                   paint(kRed, is_chinese ? word.second : word.first),
                                   diagnostic.message.in(language));
  if (!diagnostic.source_line.empty()) {
    const ShownLine shown = shown_line(diagnostic);
    const std::string number = std::to_string(diagnostic.line);
    const std::string margin(number.size(), ' ');
    const std::string carets = "^" + std::string(shown.caret_cells - 1, '~');
    result += fmt::format(" {} | {}\n {} | {}{}\n", number, shown.text, margin,
                          std::string(shown.caret_start, ' '), paint(kGreen, carets));
  }
  const std::string& hint = diagnostic.hint.in(language);
  if (!hint.empty()) {
    result += fmt::format("  {}{}\n", paint(kBold, is_chinese ? "提示：" : "hint: "), hint);
  }
  return result;
}

}  // namespace meiguan::policy
