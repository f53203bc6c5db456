#include "controlplane/policy/csv.h"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

struct CloseIconv {
  void operator()(void* handle) const { ::iconv_close(handle); }
};

// Nothing where the bytes are not GB18030.
std::optional<std::string> from_gb18030(std::string_view bytes) {
  // reinterpret_cast: iconv_open fails with a pointer of all ones, and iconv_close takes it.
  const std::unique_ptr<void, CloseIconv> handle{::iconv_open("UTF-8", "GB18030")};
  if (reinterpret_cast<std::intptr_t>(handle.get()) == -1) return std::nullopt;
  std::string in{bytes};
  std::string out(bytes.size() * 2 + 16, '\0');  // two bytes become three, four become four
  char* from = in.data();
  std::size_t left = in.size();
  char* to = out.data();
  std::size_t room = out.size();
  if (::iconv(handle.get(), &from, &left, &to, &room) == static_cast<std::size_t>(-1) ||
      left != 0) {
    return std::nullopt;
  }
  out.resize(out.size() - room);
  return out;
}

std::unexpected<CsvError> refuse(std::size_t row, Text message) {
  return std::unexpected{CsvError{static_cast<std::uint32_t>(row), std::move(message)}};
}

std::expected<std::string, CsvError> decode(std::string_view bytes) {
  if (bytes.size() > kMaxCsvBytes) {
    return refuse(0, say("the file is larger than {} MiB", "文件超过 {} MiB", kMaxCsvBytes >> 20));
  }
  if (bytes.starts_with("\xff\xfe") || bytes.starts_with("\xfe\xff")) {
    return refuse(0, say("the file is UTF-16, UTF-8 or GB18030 expected: save it as CSV UTF-8",
                         "文件是 UTF-16，应为 UTF-8 或 GB18030：请另存为“CSV UTF-8”"));
  }
  if (const auto nul = bytes.find('\0'); nul != bytes.npos) {
    return refuse(0, say("byte {} is a NUL: this is no CSV file; save the sheet as CSV",
                         "第 {} 字节为 NUL：不是 CSV 文件，请把表格另存为 CSV", nul + 1));
  }
  if (bytes.starts_with(kByteOrderMark)) bytes.remove_prefix(kByteOrderMark.size());
  if (!find_invalid_utf8(bytes)) return std::string{bytes};
  auto text = from_gb18030(bytes);
  if (!text) {
    return refuse(0, say("the file is neither UTF-8 nor GB18030: save it as CSV UTF-8",
                         "文件既不是 UTF-8 也不是 GB18030：请另存为“CSV UTF-8”"));
  }
  return std::move(*text);
}

char find_separator(std::string_view text) {
  std::array<std::size_t, 3> counts{};
  constexpr std::string_view kSeparators = ",;\t";
  bool quoted = false;
  for (const char c : text) {
    if (c == '"') quoted = !quoted;
    if (quoted) continue;
    if (c == '\n' || c == '\r') break;
    if (const auto i = kSeparators.find(c); i != kSeparators.npos) ++counts[i];
  }
  const auto most = std::max_element(counts.begin(), counts.end());
  return kSeparators[static_cast<std::size_t>(most - counts.begin())];
}

// U+3000 is the blank of Chinese keyboards.
std::string trimmed(std::string_view text) {
  constexpr std::array<std::string_view, 6> kBlanks{" ", "\t", "\n", "\r", "\u3000", "\u00a0"};
  for (bool again = true; again;) {
    again = false;
    for (const auto blank : kBlanks) {
      if (text.starts_with(blank)) {
        text.remove_prefix(blank.size());
        again = true;
      }
      if (text.ends_with(blank)) {
        text.remove_suffix(blank.size());
        again = true;
      }
    }
  }
  return std::string{text};
}

class Parser {
 public:
  Parser(std::string_view text, char separator) : text_{text}, separator_{separator} {}

  std::expected<std::vector<CsvRow>, CsvError> parse() {
    while (at_ < text_.size()) {
      ++row_;
      if (rows_.size() >= kMaxCsvRows) {
        return refuse(row_, say("the file has more than {} rows", "文件超过 {} 行", kMaxCsvRows));
      }
      CsvRow row{row_, {}};
      if (auto wrong = read_row(row)) return refuse(row_, std::move(*wrong));
      const bool empty = std::ranges::all_of(row.cells, [](const auto& c) { return c.empty(); });
      if (!empty) rows_.push_back(std::move(row));
    }
    return std::move(rows_);
  }

 private:
  bool at_line_end() const { return text_[at_] == '\n' || text_[at_] == '\r'; }

  void end_line() {
    if (text_.substr(at_).starts_with("\r\n")) ++at_;
    ++at_;
  }

  std::optional<Text> read_row(CsvRow& row) {
    for (;;) {
      std::string cell;
      if (at_ < text_.size() && text_[at_] == '"') {
        if (auto wrong = read_quoted(cell)) return wrong;
      } else {
        const auto start = at_;
        while (at_ < text_.size() && text_[at_] != separator_ && !at_line_end()) ++at_;
        cell = text_.substr(start, at_ - start);
      }
      if (cell.size() > kMaxCsvCell) {
        return say("column {} has more than {} bytes", "第 {} 列超过 {} 字节", row.cells.size() + 1,
                   kMaxCsvCell);
      }
      if (row.cells.size() >= kMaxCsvColumns) {
        return say("the row has more than {} columns", "该行超过 {} 列", kMaxCsvColumns);
      }
      row.cells.push_back(trimmed(cell));
      if (at_ == text_.size()) return std::nullopt;
      if (at_line_end()) {
        end_line();
        return std::nullopt;
      }
      if (text_[at_] != separator_) {
        return say("text stands behind the closing quote in column {}",
                   "第 {} 列的结束引号之后还有文字", row.cells.size());
      }
      ++at_;
    }
  }

  std::optional<Text> read_quoted(std::string& cell) {
    ++at_;
    for (;;) {
      const auto end = text_.find('"', at_);
      if (end == text_.npos) return say("a quoted cell has no end", "引号没有结束");
      cell.append(text_.substr(at_, end - at_));
      at_ = end + 1;
      if (at_ == text_.size() || text_[at_] != '"') return std::nullopt;
      cell += '"';
      ++at_;
    }
  }

  std::string_view text_;
  char separator_;
  std::size_t at_{0};
  std::uint32_t row_{0};
  std::vector<CsvRow> rows_;
};

}  // namespace

std::expected<std::vector<CsvRow>, CsvError> read_csv(std::string_view bytes) {
  const auto text = decode(bytes);
  if (!text) return std::unexpected{text.error()};
  constexpr std::string_view kNamed = "sep=";
  const bool named = text->starts_with(kNamed) && text->size() > kNamed.size();
  auto rows = Parser{*text, named ? (*text)[kNamed.size()] : find_separator(*text)}.parse();
  // The row that names the separator is no row of the table, but the spreadsheet counts it.
  if (rows && named) rows->erase(rows->begin());
  return rows;
}

}  // namespace meiguan::policy
