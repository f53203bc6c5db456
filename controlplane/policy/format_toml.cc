#include "controlplane/policy/format_toml.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/policy/format_lines.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/toml_tokens.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

using Lines = std::vector<FormatLine>;

constexpr std::size_t kMaxAligned = 60;
constexpr std::string_view kIndent = "  ";

// One line; nothing where a comment or a string of several lines stands in it.
std::optional<std::string> flat(const FormatValue& value) {
  switch (value.kind) {
    case FormatValue::Kind::kScalar:
      if (value.raw.find('\n') != value.raw.npos) return std::nullopt;
      return std::string{value.raw};
    case FormatValue::Kind::kArray: {
      if (!value.tail.empty()) return std::nullopt;
      std::string text = "[";
      for (const auto& item : value.items) {
        if (!item.comments.empty() || !item.behind.empty()) return std::nullopt;
        const auto one = flat(item.value);
        if (!one) return std::nullopt;
        if (text.size() > 1) text += ", ";
        text += *one;
      }
      return text + "]";
    }
    case FormatValue::Kind::kTable: {
      std::string text = "{";
      for (const auto& member : value.members) {
        const auto one = flat(member.value);
        if (!one) return std::nullopt;
        text += text.size() > 1 ? ", " : " ";
        text += member.key + " = " + *one;
      }
      return text + (value.members.empty() ? "}" : " }");
    }
  }
  return std::nullopt;
}

// Wider lines do not push the comments of their neighbours to the right.
bool aligns(std::string_view code) {
  return code.find('\n') == code.npos && display_cells(code) <= kMaxAligned;
}

struct CodeLine {
  std::string code;
  std::string_view behind;  // a comment
};

// The lines with the comments behind them in one column.
void append_aligned(std::span<const CodeLine> lines, std::string& out) {
  std::size_t column = 0;
  for (const auto& line : lines) {
    if (!line.behind.empty() && aligns(line.code)) {
      column = std::max(column, display_cells(line.code));
    }
  }
  for (const auto& line : lines) {
    out += line.code;
    if (!line.behind.empty()) {
      if (aligns(line.code)) out.append(column - display_cells(line.code), ' ');
      out.append("  ").append(line.behind);
    }
    out += '\n';
  }
}

std::string render(const FormatValue& value, const std::string& indent, std::size_t room);

bool has_comments(const FormatValue& array) {
  return !array.tail.empty() || std::ranges::any_of(array.items, [](const FormatItem& item) {
    return !item.comments.empty() || !item.behind.empty();
  });
}

// An array over several lines. One with comments keeps the author's lines: what a comment says is
// often about all that stands on its line.
std::string render_broken(const FormatValue& array, const std::string& indent) {
  const std::string inner = indent + std::string{kIndent};
  const std::size_t room = kLineCells - std::min(kLineCells, inner.size() + 1);
  const bool keeps_lines = has_comments(array);
  std::vector<CodeLine> lines;
  for (const auto& item : array.items) {
    for (const auto comment : item.comments) lines.push_back({inner + std::string{comment}, {}});
    const auto text = render(item.value, inner, room) + ",";
    if (keeps_lines && item.same_line && item.comments.empty()) {
      lines.back().code += " " + text;
      lines.back().behind = item.behind;
    } else {
      lines.push_back({inner + text, item.behind});
    }
  }
  for (const auto comment : array.tail) lines.push_back({inner + std::string{comment}, {}});
  std::string out = "[\n";
  append_aligned(lines, out);
  return out + indent + "]";
}

// `room`: the cells that the value may take to stay on one line. Each level of nesting tries to be
// flat once for itself and once for every level around it: the reader's limit of depth bounds that.
std::string render(const FormatValue& value, const std::string& indent, std::size_t room) {
  if (value.kind == FormatValue::Kind::kScalar) return std::string{value.raw};
  const auto one = flat(value);
  if (value.kind == FormatValue::Kind::kArray) {
    const bool fits = one && (value.items.empty() || display_cells(*one) <= room);
    return fits ? *one : render_broken(value, indent);
  }
  if (one) return *one;
  std::string text = "{";
  for (const auto& member : value.members) {
    text += text.size() > 1 ? ", " : " ";
    text += member.key + " = " + render(member.value, indent, 0);
  }
  return text + " }";
}

std::string code_of(const FormatLine& line) {
  if (line.kind != FormatLine::Kind::kMember) return line.text;
  const std::string head = line.member.key + " = ";
  const auto used = display_cells(head);
  return head + render(line.member.value, "", kLineCells - std::min(kLineCells, used));
}

// One blank line in front of every header and the comments right above it, none behind a header,
// nowhere two of them.
Lines spaced(Lines lines) {
  using Kind = FormatLine::Kind;
  Lines result;
  for (auto& line : lines) {
    const bool after_header = !result.empty() && result.back().kind == Kind::kHeader;
    const bool after_blank = result.empty() || result.back().kind == Kind::kBlank;
    if (line.kind == Kind::kBlank && (after_header || after_blank)) continue;
    if (line.kind == Kind::kHeader) {
      auto at = result.end();
      while (at != result.begin() && std::prev(at)->kind == Kind::kComment) --at;
      if (at != result.begin() && std::prev(at)->kind != Kind::kBlank)
        result.insert(at, FormatLine{});
    }
    result.push_back(std::move(line));
  }
  while (!result.empty() && result.back().kind == Kind::kBlank) result.pop_back();
  return result;
}

std::string print(const Lines& lines) {
  using Kind = FormatLine::Kind;
  std::string out;
  for (std::size_t i = 0; i < lines.size();) {
    if (lines[i].kind == Kind::kBlank) {
      out += '\n';
      ++i;
      continue;
    }
    std::size_t end = i + 1;
    while (end < lines.size() && lines[end].kind != Kind::kBlank &&
           lines[end].kind != Kind::kHeader) {
      ++end;
    }
    std::vector<CodeLine> group;
    for (; i < end; ++i) group.push_back({code_of(lines[i]), lines[i].behind});
    append_aligned(group, out);
  }
  return out;
}

// The first word of `before` that `after` does not say at the same place among its words. Line ends
// are no words, and whether commas are right the reader says.
std::optional<Place> first_difference(const std::vector<Token>& before,
                                      const std::vector<Token>& after) {
  const auto is_word = [](const Token& token) {
    return token.kind != TokenKind::kNewline && token.kind != TokenKind::kComma;
  };
  auto b = after.begin();
  for (const auto& a : before) {
    if (!is_word(a)) continue;
    while (b != after.end() && !is_word(*b)) ++b;
    if (b == after.end() || a.kind != b->kind || a.text != b->text) return a.place;
    ++b;
  }
  while (b != after.end() && !is_word(*b)) ++b;
  if (b != after.end()) return before.empty() ? Place{0, 1, 1} : before.back().place;
  return std::nullopt;
}

}  // namespace

std::expected<std::string, FormatError> format_toml(std::string_view text) {
  const auto tokens = scan_toml(text);
  if (!tokens) return std::unexpected{tokens.error()};
  auto lines = group_lines(*tokens);
  if (!lines) return std::unexpected{lines.error()};
  auto result = print(spaced(std::move(*lines)));
  const auto again = scan_toml(result);
  const auto changed = again ? first_difference(*tokens, *again) : std::optional{Place{0, 1, 1}};
  if (changed) {
    return std::unexpected{FormatError{*changed, say("the formatted text would not say the same",
                                                     "格式化后内容会改变")}};
  }
  return result;
}

}  // namespace meiguan::policy
