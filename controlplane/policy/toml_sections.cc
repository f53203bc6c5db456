#include "controlplane/policy/toml_sections.h"

#include <algorithm>
#include <array>

#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr bool is_blank(char c) { return c == ' ' || c == '\t'; }

constexpr bool is_bare(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-';
}

std::string_view line_at(std::string_view text, std::size_t position) {
  std::string_view line = text.substr(position, text.find('\n', position) - position);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

// Bare words and numbers may stand alone in brackets as a value does: `[true]`, `[[80]]`.
bool could_be_value(std::string_view word) {
  constexpr std::array<std::string_view, 4> kWords{"true", "false", "inf", "nan"};
  return word.front() == '-' || (word.front() >= '0' && word.front() <= '9') ||
         std::find(kWords.begin(), kWords.end(), word) != kWords.end();
}

}  // namespace

PlainHeader plain_header(std::string_view line) {
  std::size_t i = 0;
  const auto skip_blanks = [&] {
    while (i < line.size() && is_blank(line[i])) ++i;
  };
  skip_blanks();
  PlainHeader header;
  header.column = static_cast<std::uint32_t>(i + 1);
  const std::size_t brackets = line.substr(i).starts_with("[[") ? 2 : 1;
  header.is_array = brackets == 2;
  if (i >= line.size() || line[i] != '[') return {};
  i += brackets;
  skip_blanks();
  const std::size_t start = i;
  while (i < line.size() && is_bare(line[i])) ++i;
  const std::string_view name = line.substr(start, i - start);
  skip_blanks();
  if (!line.substr(i).starts_with(brackets == 2 ? "]]" : "]")) return {};
  i += brackets;
  skip_blanks();
  // A comment with a control character in it is left to the parser to refuse.
  const std::string_view rest = line.substr(i);
  if (!rest.empty() && (rest.front() != '#' || std::any_of(rest.begin(), rest.end(), [](char c) {
                          return (c >= 0 && c < 0x20 && c != '\t') || c == 0x7f;
                        }))) {
    return {};
  }
  header.name = name;
  return header;
}

bool SectionSplitter::at_header(std::size_t depth) const {
  std::size_t i = position_;
  while (i < text_.size() && is_blank(text_[i])) ++i;
  if (i >= text_.size() || text_[i] != '[') return false;
  if (depth == 0) return true;
  // Inside an array that was not closed: a line that no value could be begins the next section, so
  // that one missing bracket does not swallow the rest of the file.
  const PlainHeader header = plain_header(line_at(text_, position_));
  return !header.name.empty() && !could_be_value(header.name);
}

void SectionSplitter::end_line() {
  ++position_;
  ++line_;
  line_start_ = position_;
}

// At a byte that is not ASCII.
void SectionSplitter::note_foreign(TomlSection& section) {
  const std::size_t length = std::max<std::size_t>(1, utf8_length_at(text_, position_));
  if (section.foreign.text.empty()) {
    const std::size_t before = count_characters(text_.substr(line_start_, position_ - line_start_));
    section.foreign = {text_.substr(position_, length), line_,
                       static_cast<std::uint32_t>(before + 1)};
  }
  position_ += length;
}

void SectionSplitter::skip_string(char quote) {
  const std::array<char, 3> triple{quote, quote, quote};
  const std::string_view end{triple.data(), triple.size()};
  const bool multi_line = text_.substr(position_).starts_with(end);
  position_ += multi_line ? 3 : 1;
  while (position_ < text_.size()) {
    const char c = text_[position_];
    if (c == '\\' && quote == '"') {
      ++position_;
      if (position_ < text_.size() && text_[position_] != '\n') ++position_;
    } else if (c == '\n') {
      if (!multi_line) return;  // an error for the parser; the line ends here all the same
      end_line();
    } else if (c == quote && !multi_line) {
      ++position_;
      return;
    } else if (c == quote && text_.substr(position_).starts_with(end)) {
      position_ += 3;
      // Up to two more quotes belong to the string.
      while (position_ < text_.size() && text_[position_] == quote) ++position_;
      return;
    } else {
      ++position_;
    }
  }
}

void SectionSplitter::scan_line(TomlSection& section, std::size_t& depth) {
  while (position_ < text_.size()) {
    switch (text_[position_]) {
      case '\n': end_line(); return;
      case '#': position_ = std::min(text_.find('\n', position_), text_.size()); break;
      case '"':
      case '\'': skip_string(text_[position_]); break;
      case '[':
      case '{':
        ++depth;
        section.depth = std::max(section.depth, depth);
        ++position_;
        break;
      case ']':
      case '}':
        if (depth > 0) --depth;
        ++position_;
        break;
      case '.':
        ++section.dots;
        ++position_;
        break;
      default:
        if (static_cast<unsigned char>(text_[position_]) >= 0x80) {
          note_foreign(section);
        } else {
          ++position_;
        }
    }
  }
}

bool SectionSplitter::next(TomlSection& section) {
  if (position_ >= text_.size() && started_) return false;
  section = {};
  if (started_) {
    section.header = line_at(text_, position_);
    section.header_line = line_;
    position_ = std::min(text_.find('\n', position_), text_.size());
    if (position_ < text_.size()) end_line();
  }
  started_ = true;
  const std::size_t start = position_;
  section.body_line = line_;
  std::size_t depth = 0;
  while (position_ < text_.size() && !at_header(depth)) scan_line(section, depth);
  section.body = text_.substr(start, position_ - start);
  return true;
}

}  // namespace meiguan::policy
