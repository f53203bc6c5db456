#include "controlplane/lifecycle/block_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <optional>
#include <utility>

#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::lifecycle {
namespace {

using policy::say;

std::string_view trimmed(std::string_view text) {
  const auto blank = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && blank(text.back())) text.remove_suffix(1);
  return text;
}

std::unexpected<Error> wrong(Text text) { return std::unexpected{Error{std::move(text)}}; }

enum Column : std::size_t { kPrefix, kZone, kReason, kTicket, kBy, kSince, kEnds, kColumns };

std::optional<Column> column_of(std::string_view heading) {
  struct Heading {
    std::string_view text;
    Column column;
  };
  static constexpr std::array kHeadings{Heading{"prefix", kPrefix}, Heading{"address", kPrefix},
                                        Heading{"ip", kPrefix},     Heading{"地址", kPrefix},
                                        Heading{"网段", kPrefix},   Heading{"IP地址", kPrefix},
                                        Heading{"zone", kZone},     Heading{"区域", kZone},
                                        Heading{"reason", kReason}, Heading{"原因", kReason},
                                        Heading{"ticket", kTicket}, Heading{"工单", kTicket},
                                        Heading{"by", kBy},         Heading{"操作人", kBy},
                                        Heading{"since", kSince},   Heading{"开始", kSince},
                                        Heading{"ends", kEnds},     Heading{"until", kEnds},
                                        Heading{"到期", kEnds}};
  std::string lower{heading};
  // A-Z only: the rest of UTF-8 stays as it is.
  for (char& c : lower) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  for (const Heading& known : kHeadings) {
    if (known.text == lower || known.text == heading) return known.column;
  }
  return std::nullopt;
}

// The cells of one line (RFC 4180); false where a quote is not closed or text follows it.
bool split(std::string_view line, std::vector<std::string>& cells) {
  cells.clear();
  std::size_t i = 0;
  for (;;) {
    std::string cell;
    while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
    if (i < line.size() && line[i] == '"') {
      for (++i;; ++i) {
        if (i >= line.size()) return false;
        if (line[i] != '"') {
          cell += line[i];
        } else if (i + 1 < line.size() && line[i + 1] == '"') {
          cell += line[i++];
        } else {
          break;
        }
      }
      ++i;
      while (i < line.size() && (line[i] == ' ' || line[i] == '\t')) ++i;
      if (i < line.size() && line[i] != ',') return false;
    } else {
      const std::size_t end = std::min(line.find(',', i), line.size());
      cell = trimmed(line.substr(i, end - i));
      i = end;
    }
    cells.push_back(std::move(cell));
    if (i >= line.size()) return true;
    ++i;
  }
}

std::string quoted(const std::string& text) {
  const bool plain = text.find_first_of(",\"#") == text.npos && trimmed(text) == text;
  if (plain) return text;
  std::string result{'"'};
  for (const char c : text) {
    if (c == '"') result += '"';
    result += c;
  }
  return result + '"';
}

Text no_time(std::string_view text) {
  return say("`{}` is no time; write 2026-10-01 or 2026-10-01T08:30",
             "`{}` 不是时间，应写作 2026-10-01 或 2026-10-01T08:30",
             policy::one_line(text.substr(0, 80)));
}

// A date is that day's end, as `expires` of a rule.
Result<std::int64_t> end_of(std::span<const image::UtcOffset> offsets, std::string_view text) {
  constexpr std::size_t kDateLength = std::string_view{"2026-10-01"}.size();
  constexpr std::int64_t kLast = 253'370'764'800;  // 9999-01-01T00:00Z: years have four digits
  auto ends = policy::parse_instant(offsets, text);
  if (!ends) return wrong(no_time(text));
  if (text.size() == kDateLength) *ends += image::kSecondsOfDay;
  if (*ends >= kLast) {
    return wrong(say("`{}` is too far away; without an end it is for ever",
                     "`{}` 过于久远；不写到期时间即为长期", std::string{text}));
  }
  return *ends;
}

// Reads the lines of one file.
class LineReader {
 public:
  LineReader(const std::string& name, const BlockDefaults& defaults)
      : name_{name},
        defaults_{defaults},
        note_{std::make_shared<const BlockNote>(defaults.note)},
        default_note_{note_} {}

  void line(std::string_view text) {
    ++number_;
    if (text.size() > kMaxBlockLine) {
      return complain(text.substr(0, 80),
                      say("the line has {} bytes; it may have {}", "该行 {} 字节，最多 {} 字节",
                          text.size(), kMaxBlockLine));
    }
    if (policy::find_invalid_utf8(text)) {
      return complain({}, {"the line is not UTF-8", "该行不是 UTF-8"});
    }
    if (policy::has_control(trimmed(text))) {
      return complain({}, {"the line holds a control character", "该行含控制字符"});
    }
    const std::string_view content = trimmed(text);
    if (content.empty() || content.front() == '#') return;
    if (!std::exchange(begun_, true) && headings(content)) return;
    csv_ ? record(content) : plain(content);
  }

  std::expected<std::vector<BlockEntry>, policy::Diagnostics> finish(std::size_t& ended) {
    if (mistakes_ > kMostBlockMistakes) {
      policy::Diagnostic more;
      more.file = name_;
      more.message = say("{} more mistakes are not listed", "另有 {} 处错误未列出",
                         mistakes_ - kMostBlockMistakes);
      wrong_.push_back(std::move(more));
    }
    if (!wrong_.empty()) return std::unexpected{std::move(wrong_)};
    ended = ended_;
    return std::move(entries_);
  }

 private:
  void complain(std::string_view line, Text message) {
    if (++mistakes_ > kMostBlockMistakes) return;
    policy::Diagnostic diagnostic;
    diagnostic.file = name_;
    diagnostic.path = name_;
    diagnostic.line = number_;
    diagnostic.column = 1;
    diagnostic.source_line = policy::one_line(line);
    diagnostic.length = static_cast<std::uint32_t>(
        std::max<std::size_t>(policy::count_characters(line), 1));
    diagnostic.message = std::move(message);
    wrong_.push_back(std::move(diagnostic));
  }

  bool headings(std::string_view line) {
    std::vector<std::string> cells;
    if (!split(line, cells)) return false;
    std::array<std::optional<std::size_t>, kColumns> at;
    for (std::size_t i = 0; i < cells.size(); ++i) {
      const auto column = column_of(cells[i]);
      if (!column) continue;
      if (at[*column]) {
        complain(line, say("two columns say the same: `{}`", "有两列含义相同：`{}`", cells[i]));
      }
      at[*column] = i;
    }
    if (!at[kPrefix]) return false;
    at_ = at;
    csv_ = true;
    return true;
  }

  void plain(std::string_view line) {
    const std::string_view address = trimmed(line.substr(0, line.find('#')));
    auto entry = read_block(address, defaults_);
    if (!entry) return complain(line, std::move(entry.error().message));
    entry->note = default_note_;
    entries_.push_back(std::move(*entry));
  }

  void record(std::string_view line) {
    if (!split(line, cells_)) {
      return complain(line, {"a quote is not closed, or text follows it",
                             "引号没有闭合，或引号后还有文字"});
    }
    const auto cell = [&](Column column) -> const std::string& {
      static const std::string kNone;
      return at_[column] && *at_[column] < cells_.size() ? cells_[*at_[column]] : kNone;
    };
    BlockDefaults defaults;  // the note is put in below
    defaults.zone = cell(kZone).empty() ? defaults_.zone : cell(kZone);
    defaults.now = defaults_.now;
    defaults.ends = defaults_.ends;
    defaults.offsets = defaults_.offsets;
    auto entry = read_block(cell(kPrefix), defaults);
    if (!entry) return complain(line, std::move(entry.error().message));
    if (!cell(kEnds).empty()) {
      auto ends = end_of(defaults_.offsets, cell(kEnds));
      if (!ends) return complain(line, std::move(ends.error().message));
      entry->ends = *ends;
    }
    if (!cell(kSince).empty()) {
      const auto since = policy::parse_instant(defaults_.offsets, cell(kSince));
      if (!since) return complain(line, no_time(cell(kSince)));
      entry->since = std::min(std::max<std::int64_t>(*since, 0), defaults_.now);
    }
    if (entry->ends <= defaults_.now) {
      ++ended_;
      return;
    }
    const auto note = [&](Column column, const std::string& otherwise) {
      return cell(column).empty() ? otherwise : cell(column);
    };
    BlockNote own{note(kReason, defaults_.note.reason), note(kTicket, defaults_.note.ticket),
                  note(kBy, defaults_.note.by)};
    for (const std::string* text : {&own.reason, &own.ticket, &own.by}) {
      if (text->size() > kMaxBlockNote) {
        return complain(line, say("a note has {} bytes; it may have {}",
                                  "说明 {} 字节，最多 {} 字节", text->size(), kMaxBlockNote));
      }
    }
    if (own != *note_) note_ = std::make_shared<const BlockNote>(std::move(own));
    entry->note = note_;
    entries_.push_back(std::move(*entry));
  }

 private:
  const std::string& name_;
  const BlockDefaults& defaults_;
  std::shared_ptr<const BlockNote> note_;  // of the line before: neighbours often have the same
  std::shared_ptr<const BlockNote> default_note_;
  std::uint32_t number_{0};
  bool begun_{false};
  bool csv_{false};
  std::array<std::optional<std::size_t>, kColumns> at_;
  std::vector<std::string> cells_;
  std::vector<BlockEntry> entries_;
  std::size_t ended_{0};
  std::size_t mistakes_{0};
  policy::Diagnostics wrong_;
};

}  // namespace

Result<BlockEntry> read_block(std::string_view text, const BlockDefaults& defaults) {
  const auto bad = [&] {
    return wrong(
        say("`{}` is no address or prefix; write 198.51.100.7, 198.51.100.0/24, "
            "2001:db8::/48 or 10.1.1.0/24@ZONE",
            "`{}` 不是地址或前缀，应写作 198.51.100.7、198.51.100.0/24、2001:db8::/48 或 "
            "10.1.1.0/24@区域",
            policy::one_line(text.substr(0, 80))));
  };
  BlockEntry entry;
  entry.zone = defaults.zone;
  std::string_view prefix = text;
  if (const auto at = text.find('@'); at != text.npos) {
    entry.zone = text.substr(at + 1);
    prefix = text.substr(0, at);
    if (entry.zone.empty()) return bad();
  }
  std::string_view address = prefix.substr(0, prefix.find('/'));
  if (address.size() > 2 && address.front() == '[' && address.back() == ']') {
    address = address.substr(1, address.size() - 2);
  }
  const auto parsed = net::parse_address(address);
  if (!parsed) return bad();
  std::uint8_t length = net::address_bits(parsed->family());
  if (const auto slash = prefix.find('/'); slash != prefix.npos) {
    const std::string_view digits = prefix.substr(slash + 1);
    const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
    if (error != std::errc{} || end != digits.data() + digits.size() ||
        length > net::address_bits(parsed->family()) ||
        (digits.size() > 1 && digits.front() == '0')) {
      return bad();
    }
  }
  const auto made = net::Prefix::make(*parsed, length);
  if (!made) {
    return wrong(say("{} has host bits set; the prefix is {}", "{} 的主机位不为零，前缀应为 {}",
                     policy::one_line(prefix),
                     net::to_string(net::Prefix::around(*parsed, length))));
  }
  entry.prefix = *made;
  entry.since = defaults.now;
  entry.ends = defaults.ends;
  static const auto kNoNote = std::make_shared<const BlockNote>();
  entry.note = kNoNote;
  return entry;
}

Result<std::int64_t> read_block_end(std::string_view text, const BlockDefaults& defaults) {
  const auto ends = end_of(defaults.offsets, text);
  if (!ends) return ends;
  if (*ends <= defaults.now) {
    return wrong(say("{} has passed already", "{} 已经过去", std::string{text}));
  }
  return *ends;
}

Result<std::int64_t> read_block_span(std::string_view text, const BlockDefaults& defaults) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  const std::string_view unit = text.substr(static_cast<std::size_t>(end - text.data()));
  const std::int64_t seconds = unit == "s"   ? 1
                               : unit == "m" ? 60
                               : unit == "h" ? 3600
                               : unit == "d" ? 86'400
                                             : 0;
  constexpr std::int64_t kMost = 36'500;  // a hundred years of days
  if (error != std::errc{} || seconds == 0 || number < 1 || number > kMost * 86'400 / seconds) {
    return wrong(say("`{}` is no span of time; write 90s, 15m, 2h or 30d",
                     "`{}` 不是时长，应写作 90s、15m、2h 或 30d",
                     policy::one_line(text.substr(0, 80))));
  }
  return defaults.now + number * seconds;
}

std::expected<std::vector<BlockEntry>, policy::Diagnostics> read_block_file(
    std::string_view text, const std::string& name, const BlockDefaults& defaults,
    std::size_t& ended) {
  constexpr std::string_view kMark = "\xef\xbb\xbf";
  if (text.starts_with(kMark)) text.remove_prefix(kMark.size());
  LineReader reader{name, defaults};
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    reader.line(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return reader.finish(ended);
}

std::string write_block_file(const BlockEntries& entries,
                             std::span<const image::UtcOffset> offsets) {
  std::string text = "prefix,zone,reason,ticket,by,since,ends\n";
  for (const BlockEntry& entry : entries.all()) {
    text += net::to_string(entry.prefix);
    text += ',';
    text += quoted(entry.zone);
    for (const std::string* note : {&entry.note->reason, &entry.note->ticket, &entry.note->by}) {
      text += ',';
      text += quoted(*note);
    }
    text += ',';
    text += policy::instant_text(offsets, entry.since);
    text += ',';
    if (entry.ends != image::kBlockForEver) text += policy::instant_text(offsets, entry.ends);
    text += '\n';
  }
  return text;
}

}  // namespace meiguan::lifecycle
