#pragma once

// Cuts a TOML text into its sections: the lines before the first header, and then each header with
// the lines below it. Sections are parsed one by one, which gives three things: a syntax error
// costs its own section only and the others are still checked in the same run; the parser's
// quadratic and recursive paths see bounded input; a large file is never in memory as a tree.

#include <cstddef>
#include <cstdint>
#include <string_view>

namespace meiguan::policy {

// A character that stands where TOML has ASCII only: outside strings and comments.
struct ForeignCharacter {
  std::string_view text;  // empty: there is none
  std::uint32_t line{0};
  std::uint32_t column{0};
};

struct TomlSection {
  std::string_view header;       // the header's line without its end; empty before the first header
  std::uint32_t header_line{1};  // from 1
  std::string_view body;         // the lines below the header
  std::uint32_t body_line{1};    // the first of them
  std::size_t dots{0};           // outside strings and comments: at least the dots of dotted keys
  std::size_t depth{0};          // the deepest nesting of brackets and braces
  ForeignCharacter foreign;      // the first one
};

class SectionSplitter {
 public:
  // `text` is borrowed and valid UTF-8.
  explicit SectionSplitter(std::string_view text) : text_{text} {}

  // The next section; false at the end. The first is the text before any header, even if empty.
  [[nodiscard]] bool next(TomlSection& section);

 private:
  [[nodiscard]] bool at_header(std::size_t depth) const;
  void scan_line(TomlSection& section, std::size_t& depth);
  void skip_string(char quote);
  void end_line();
  void note_foreign(TomlSection& section);

  std::string_view text_;
  std::size_t position_{0};
  std::size_t line_start_{0};
  std::uint32_t line_{1};
  bool started_{false};
};

// For a header of the plain kind, `[name]` or `[[name]]` with a bare name: the name, and whether
// the brackets are double. An empty name otherwise.
struct PlainHeader {
  std::string_view name;
  bool is_array{false};
  std::uint32_t column{1};  // of the first bracket, from 1
};
[[nodiscard]] PlainHeader plain_header(std::string_view line);

}  // namespace meiguan::policy
