#pragma once

// A TOML file as a formatter sees it: lines, and on them values with the comments in them.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/toml_tokens.h"

namespace meiguan::policy {

struct FormatMember;

struct FormatItem;

struct FormatValue {
  enum class Kind : std::uint8_t { kScalar, kArray, kTable };
  Kind kind{Kind::kScalar};
  std::string_view raw;                // kScalar
  std::vector<FormatItem> items;       // kArray
  std::vector<std::string_view> tail;  // kArray: comments behind the last item
  std::vector<FormatMember> members;   // kTable
};

struct FormatItem {
  std::vector<std::string_view> comments;  // on lines of their own above it
  FormatValue value;
  std::string_view behind;  // a comment on its line
  bool same_line{false};    // as the item before it
};

struct FormatMember {
  std::string key;
  FormatValue value;
};

struct FormatLine {
  enum class Kind : std::uint8_t { kBlank, kComment, kHeader, kMember };
  Kind kind{Kind::kBlank};
  std::string text;         // kHeader, kComment
  FormatMember member;      // kMember
  std::string_view behind;  // a comment behind a header or a member
};

// Errors: what no TOML text has at that place, or nesting beyond the reader's limit.
[[nodiscard]] std::expected<std::vector<FormatLine>, FormatError> group_lines(
    const std::vector<Token>& tokens);

}  // namespace meiguan::policy
