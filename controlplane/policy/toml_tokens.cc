#include "controlplane/policy/toml_tokens.h"

#include <algorithm>

#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr std::size_t kMaxTokens = 20'000'000;

constexpr bool is_word(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '-' || c == '+' || c == ':';
}

class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_{text} {}

  std::expected<std::vector<Token>, FormatError> scan() {
    while (at_ < text_.size()) {
      if (tokens_.size() >= kMaxTokens) return refuse(say("the file is too large", "文件过大"));
      const char c = text_[at_];
      if (c == ' ' || c == '\t') {
        ++at_;
      } else if (c == '\r' && text_.substr(at_).starts_with("\r\n")) {
        ++at_;
      } else if (c == '\n') {
        take(TokenKind::kNewline, 1);
      } else if (c == '#') {
        take_comment();
      } else if (c == '"' || c == '\'') {
        if (!take_string(c)) {
          return refuse(say("this string has no end", "该字符串没有结束"));
        }
      } else if (const auto kind = punctuation(c)) {
        take(*kind, 1);
      } else if (is_word(c)) {
        take_word();
      } else {
        const auto length = std::max<std::size_t>(1, utf8_length_at(text_, at_));
        return refuse(say("`{}` stands outside a string", "`{}` 位于字符串之外",
                          printable(text_.substr(at_, length))));
      }
    }
    return std::move(tokens_);
  }

 private:
  static std::optional<TokenKind> punctuation(char c) {
    switch (c) {
      case '[':
      case '{': return TokenKind::kOpen;
      case ']':
      case '}': return TokenKind::kClose;
      case '=': return TokenKind::kEquals;
      case ',': return TokenKind::kComma;
      case '.': return TokenKind::kDot;
      default: return std::nullopt;
    }
  }

  Place here() const {
    const auto column = count_characters(text_.substr(line_start_, at_ - line_start_)) + 1;
    return {0, line_, static_cast<std::uint32_t>(column)};
  }

  std::unexpected<FormatError> refuse(Text message) const {
    return std::unexpected{FormatError{here(), std::move(message)}};
  }

  void take(TokenKind kind, std::size_t length) {
    // Columns are counted for errors only: of a long line each would cost the whole line.
    tokens_.push_back({kind, text_.substr(at_, length), Place{0, line_, 1}});
    note_position(kind);
    const auto piece = text_.substr(at_, length);
    line_ += static_cast<std::uint32_t>(std::ranges::count(piece, '\n'));
    at_ += length;
    if (const auto last = piece.rfind('\n'); last != piece.npos) {
      line_start_ = at_ - piece.size() + last + 1;
    }
  }

  // Whether what comes next is a value: in one a dot is no token of its own.
  void note_position(TokenKind kind) {
    switch (kind) {
      case TokenKind::kOpen:
        if (text_[at_] == '{') is_value_ = false;
        nesting_.push_back(text_[at_] == '[' && is_value_ ? '[' : '{');
        break;
      case TokenKind::kClose:
        if (!nesting_.empty()) nesting_.pop_back();
        [[fallthrough]];
      case TokenKind::kComma: is_value_ = !nesting_.empty() && nesting_.back() == '['; break;
      case TokenKind::kEquals: is_value_ = true; break;
      case TokenKind::kNewline: is_value_ = is_value_ && !nesting_.empty(); break;
      default: break;
    }
  }

  void take_comment() {
    auto comment = text_.substr(at_, text_.find('\n', at_) - at_);
    comment = comment.substr(0, comment.find_last_not_of(" \t\r") + 1);
    take(TokenKind::kComment, comment.size());
  }

  // The number of a fraction and the time behind a date and a blank are one word.
  void take_word() {
    std::size_t end = at_;
    const auto skip = [&] {
      while (end < text_.size() && is_word(text_[end])) ++end;
    };
    skip();
    const auto digit = [&](std::size_t i) {
      return i < text_.size() && text_[i] >= '0' && text_[i] <= '9';
    };
    if (is_value_) {
      if (end - at_ == 10 && text_[at_ + 4] == '-' && end < text_.size() && text_[end] == ' ' &&
          digit(end + 1) && digit(end + 2) && end + 3 < text_.size() && text_[end + 3] == ':') {
        ++end;
        skip();
      }
      if (end < text_.size() && text_[end] == '.') {
        ++end;
        skip();
      }
    }
    take(TokenKind::kWord, end - at_);
  }

  bool take_string(char quote) {
    const char triple[] = {quote, quote, quote};
    const std::string_view three{triple, 3};
    const bool many = text_.substr(at_).starts_with(three);
    std::size_t end = at_ + (many ? 3 : 1);
    while (end < text_.size()) {
      const char c = text_[end];
      if (c == '\\' && quote == '"') {
        end += 2;
      } else if (c == '\n' && !many) {
        return false;
      } else if (c == quote && !many) {
        take(TokenKind::kString, end + 1 - at_);
        return true;
      } else if (c == quote && text_.substr(end).starts_with(three)) {
        end += 3;
        // Up to two more quotes belong to the string.
        for (int more = 0; more < 2 && end < text_.size() && text_[end] == quote; ++more) ++end;
        take(TokenKind::kString, end - at_);
        return true;
      } else {
        ++end;
      }
    }
    return false;
  }

  std::string_view text_;
  std::size_t at_{0};
  std::size_t line_start_{0};
  std::uint32_t line_{1};
  bool is_value_{false};
  std::string nesting_;  // [ an array; { an inline table or a header
  std::vector<Token> tokens_;
};

}  // namespace

std::expected<std::vector<Token>, FormatError> scan_toml(std::string_view text) {
  return Scanner{text}.scan();
}

}  // namespace meiguan::policy
