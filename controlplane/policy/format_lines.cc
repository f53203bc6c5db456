#include "controlplane/policy/format_lines.h"

#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/toml_reader.h"

namespace meiguan::policy {
namespace {

class Grouper {
 public:
  explicit Grouper(const std::vector<Token>& tokens) : tokens_{tokens} {}

  std::expected<std::vector<FormatLine>, FormatError> group() {
    while (at_ < tokens_.size() && !error_) read_line();
    if (error_) return std::unexpected{std::move(*error_)};
    return std::move(lines_);
  }

 private:
  [[nodiscard]] bool is(TokenKind kind) const {
    return at_ < tokens_.size() && tokens_[at_].kind == kind;
  }
  [[nodiscard]] bool is(TokenKind kind, std::string_view text) const {
    return is(kind) && tokens_[at_].text == text;
  }
  std::string_view take() { return tokens_[at_++].text; }

  void refuse() {
    if (error_) return;
    if (at_ < tokens_.size()) {
      const auto& token = tokens_[at_];
      error_ = FormatError{token.place, say("`{}` does not belong here", "此处不应出现 `{}`",
                                            printable(token.text))};
    } else {
      const Place end = tokens_.empty() ? Place{0, 1, 1} : tokens_.back().place;
      error_ = FormatError{end, say("the file ends too early", "文件不完整")};
    }
  }

  void expect(TokenKind kind, std::string_view text) {
    if (is(kind, text)) {
      ++at_;
    } else {
      refuse();
    }
  }

  void read_line() {
    FormatLine line;
    if (is(TokenKind::kNewline)) {
      ++at_;
    } else if (is(TokenKind::kComment)) {
      line.kind = FormatLine::Kind::kComment;
      line.text = take();
      end_line();
    } else if (is(TokenKind::kOpen, "[")) {
      line.kind = FormatLine::Kind::kHeader;
      line.text = read_header();
      end_line(&line);
    } else {
      line.kind = FormatLine::Kind::kMember;
      line.member = read_member(0);
      end_line(&line);
    }
    lines_.push_back(std::move(line));
  }

  void end_line(FormatLine* line = nullptr) {
    if (line != nullptr && is(TokenKind::kComment)) line->behind = take();
    if (at_ == tokens_.size()) return;
    expect(TokenKind::kNewline, "\n");
  }

  // Two brackets in a row are two tokens: the reader has seen that nothing stands between them.
  std::string read_header() {
    std::string text{take()};
    const bool is_array = is(TokenKind::kOpen, "[");
    if (is_array) text += take();
    text += read_key();
    expect(TokenKind::kClose, "]");
    if (is_array) expect(TokenKind::kClose, "]");
    return text + (is_array ? "]]" : "]");
  }

  std::string read_key() {
    std::string key;
    for (;;) {
      if (!is(TokenKind::kWord) && !is(TokenKind::kString)) {
        refuse();
        return key;
      }
      key += take();
      if (!is(TokenKind::kDot)) return key;
      key += take();
    }
  }

  FormatMember read_member(std::size_t depth) {
    FormatMember member;
    member.key = read_key();
    expect(TokenKind::kEquals, "=");
    member.value = read_value(depth);
    return member;
  }

  FormatValue read_value(std::size_t depth) {
    FormatValue value;
    if (error_ || depth > kMaxTomlDepth) {
      refuse();
    } else if (is(TokenKind::kOpen, "[")) {
      ++at_;
      read_array(value, depth + 1);
    } else if (is(TokenKind::kOpen, "{")) {
      ++at_;
      read_table(value, depth + 1);
    } else if (is(TokenKind::kWord) || is(TokenKind::kString)) {
      value.raw = take();
    } else {
      refuse();
    }
    return value;
  }

  // The comments up to the next word of an array. One that stands on the line of the item before
  // it goes to that item.
  std::vector<std::string_view> read_comments(FormatItem* before) {
    std::vector<std::string_view> comments;
    bool same_line = before != nullptr && before->behind.empty();
    while (is(TokenKind::kNewline) || is(TokenKind::kComment)) {
      if (is(TokenKind::kNewline)) {
        line_ended_ = true;
        same_line = false;
        ++at_;
      } else if (same_line) {
        before->behind = take();
        same_line = false;
      } else {
        comments.push_back(take());
      }
    }
    return comments;
  }

  void read_array(FormatValue& value, std::size_t depth) {
    value.kind = FormatValue::Kind::kArray;
    auto comments = read_comments(nullptr);
    while (!error_ && !is(TokenKind::kClose, "]")) {
      FormatItem item;
      item.comments = std::move(comments);
      item.same_line = !value.items.empty() && !line_ended_;
      item.value = read_value(depth);
      line_ended_ = false;
      comments = read_comments(&item);
      const bool more = is(TokenKind::kComma);
      if (more) {
        ++at_;
        // Behind the comma, on the item's line, when no comment has ended that line.
        auto rest = read_comments(comments.empty() ? &item : nullptr);
        comments.insert(comments.end(), rest.begin(), rest.end());
      }
      value.items.push_back(std::move(item));
      if (!more) break;
    }
    value.tail = std::move(comments);
    expect(TokenKind::kClose, "]");
  }

  void read_table(FormatValue& value, std::size_t depth) {
    value.kind = FormatValue::Kind::kTable;
    while (!error_ && !is(TokenKind::kClose, "}")) {
      value.members.push_back(read_member(depth));
      if (!is(TokenKind::kComma)) break;
      ++at_;
    }
    expect(TokenKind::kClose, "}");
  }

  const std::vector<Token>& tokens_;
  std::size_t at_{0};
  bool line_ended_{false};  // behind the last item of an array
  std::vector<FormatLine> lines_;
  std::optional<FormatError> error_;
};

}  // namespace

std::expected<std::vector<FormatLine>, FormatError> group_lines(const std::vector<Token>& tokens) {
  return Grouper{tokens}.group();
}

}  // namespace meiguan::policy
