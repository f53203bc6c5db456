#include "controlplane/policy/reporter.h"

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::policy {
namespace {

// Longer lines are not shown: ten thousand errors in one line of a megabyte would fill the memory.
constexpr std::size_t kLongestShownLine = 4096;

// Where the lines of one file begin.
class Lines {
 public:
  explicit Lines(std::string_view text) : text_{text}, starts_{0} {
    for (std::size_t i = text.find('\n'); i != text.npos; i = text.find('\n', i + 1)) {
      starts_.push_back(i + 1);
    }
  }

  // Line `number`, from 1, without its end; empty where there is none.
  [[nodiscard]] std::string_view line(std::uint32_t number) const {
    if (number == 0 || number > starts_.size()) return {};
    const std::size_t start = starts_[number - 1];
    const std::size_t end = number < starts_.size() ? starts_[number] - 1 : text_.size();
    std::string_view line = text_.substr(start, end - start);
    if (line.ends_with('\r')) line.remove_suffix(1);
    return line;
  }

 private:
  std::string_view text_;
  std::vector<std::size_t> starts_;
};

// How many bytes of `rest` one would underline: a quoted string, a header, a bracketed list or a
// bare word.
std::size_t token_bytes(std::string_view rest) {
  if (rest.empty()) return 1;
  const char first = rest.front();
  if (first == '"' || first == '\'') {
    for (std::size_t i = 1; i < rest.size(); ++i) {
      if (rest[i] == '\\' && first == '"') {
        ++i;
      } else if (rest[i] == first) {
        return i + 1;
      }
    }
    return rest.size();
  }
  if (first == '[' || first == '{') {
    const char last = first == '[' ? ']' : '}';
    std::size_t end = rest.find(last);
    if (end == rest.npos) return 1;
    while (end + 1 < rest.size() && rest[end + 1] == last && rest.starts_with("[[")) ++end;
    return end + 1;
  }
  const std::size_t end = rest.find_first_of(" \t=,]}[{#\"'\r\n");
  return std::max<std::size_t>(1, std::min(end, rest.size()));
}

}  // namespace

void Reporter::error(const Place& place, Text message, Text hint) {
  if (is_full()) {
    ++left_out_;
    return;
  }
  found_.push_back({place, found_.size(), std::move(message), std::move(hint)});
}

void Reporter::add_damage(std::string_view text) {
  // Every quoted word on a line counts; strings over several lines name nothing.
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '"' && text[i] != '\'') continue;
    const std::size_t end = text.find_first_of(text[i] == '"' ? "\"\n" : "'\n", i + 1);
    if (end == text.npos) return;
    if (text[end] != '\n' && end - i <= 128) {
      damaged_words_.emplace(text.substr(i + 1, end - i - 1));
    }
    i = end;
  }
}

bool Reporter::may_exist(std::string_view name) const {
  return unreadable_ || damaged_words_.contains(std::string(name));
}

std::string Reporter::where(const Place& place) const {
  return fmt::format("{}:{}", files_[place.file].path, place.line);
}

Diagnostics Reporter::take() {
  const auto position = [&](const Found& f) {
    return std::tie(files_[f.place.file].path, f.place.line, f.place.column);
  };
  std::sort(found_.begin(), found_.end(), [&](const Found& a, const Found& b) {
    return std::tuple_cat(position(a), std::tie(a.number)) <
           std::tuple_cat(position(b), std::tie(b.number));
  });
  const auto same = [&](const Found& a, const Found& b) {
    return position(a) == position(b) && a.message == b.message;
  };
  found_.erase(std::unique(found_.begin(), found_.end(), same), found_.end());

  std::map<std::uint32_t, Lines> lines;
  Diagnostics diagnostics;
  diagnostics.reserve(found_.size() + 1);
  for (Found& f : found_) {
    const SourceFile& file = files_[f.place.file];
    const auto entry = lines.try_emplace(f.place.file, file.text).first;
    const std::string_view line = entry->second.line(f.place.line);
    Diagnostic d;
    d.file = file.path;
    d.path = file.opened;
    d.line = f.place.line;
    d.column = f.place.column;
    d.message = std::move(f.message);
    d.hint = std::move(f.hint);
    if (line.size() <= kLongestShownLine) {
      const std::size_t offset = character_offset(line, f.place.column - 1);
      const std::string_view rest = line.substr(offset);
      d.source_line = line;
      d.length = static_cast<std::uint32_t>(
          std::max<std::size_t>(1, count_characters(rest.substr(0, token_bytes(rest)))));
    }
    diagnostics.push_back(std::move(d));
  }
  if (left_out_ > 0) {
    Diagnostic d = diagnostics.back();
    d.source_line.clear();
    d.hint = {};
    d.message = say("{} more errors are not shown", "另有 {} 个错误未列出", left_out_);
    diagnostics.push_back(std::move(d));
  }
  found_.clear();
  return diagnostics;
}

}  // namespace meiguan::policy
