#include "tools/cli/replay_expect.h"

#include <algorithm>
#include <filesystem>
#include <map>
#include <utility>

#include "controlplane/lifecycle/files.h"

namespace meiguan::cli {
namespace {

constexpr std::size_t kMaxGoldenBytes = std::size_t{1} << 30;

// `FILE INDEX`: what a line is about. Three words follow it.
std::string_view key_of(std::string_view line) {
  for (int word = 0; word < 3; ++word) {
    const auto space = line.find_last_of(' ');
    if (space == std::string_view::npos) return line;
    line = line.substr(0, space);
  }
  return line;
}

// Word for word; `?` stands for any verdict, reason or rule.
bool agrees(std::string_view expected, std::string_view got) {
  if (expected == got) return true;
  if (expected.find('?') == expected.npos || key_of(expected) != key_of(got)) return false;
  const auto tail = [](std::string_view line) { return line.substr(key_of(line).size()); };
  auto want = tail(expected);
  auto have = tail(got);
  while (!want.empty() && !have.empty()) {
    want.remove_prefix(1);
    have.remove_prefix(1);
    const auto word = want.substr(0, want.find(' '));
    const auto said = have.substr(0, have.find(' '));
    if (word != "?" && word != said) return false;
    want.remove_prefix(word.size());
    have.remove_prefix(said.size());
  }
  return want.empty() && have.empty();
}

}  // namespace

Result<Expected> Expected::read(const std::string& path, bool missing_is_empty) {
  Expected result;
  if (missing_is_empty && !std::filesystem::exists(path)) return result;
  const auto text = lifecycle::read_file(path, kMaxGoldenBytes);
  if (!text) return std::unexpected{text.error()};
  std::string_view rest{*text};
  std::string comments;
  while (!rest.empty()) {
    const auto end = rest.find('\n');
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty() || line.starts_with('#')) {
      comments.append(line).append("\n");
    } else {
      result.expected_.push_back({std::exchange(comments, {}), std::string{line}});
    }
  }
  result.last_comments_ = std::move(comments);
  return result;
}

bool Expected::compare(Out& out) const {
  bool same = true;
  differences([&](const std::string& line) {
    out.line(line);
    same = false;
  });
  return same;
}

void Expected::differences(const std::function<void(std::string)>& tell) const {
  std::size_t i = 0;
  std::size_t j = 0;
  const auto minus = [&] { tell("-" + expected_[i++].text); };
  const auto plus = [&] { tell("+" + got_[j++]); };
  while (i < expected_.size() && j < got_.size()) {
    if (agrees(expected_[i].text, got_[j])) {
      ++i;
      ++j;
    } else if (key_of(expected_[i].text) == key_of(got_[j])) {
      minus();
      plus();
    } else {
      // One of the two lacks a line: which, the next few tell.
      const auto wanted = key_of(expected_[i].text);
      const auto window = std::min(got_.size(), j + 64);
      bool comes = false;
      for (std::size_t k = j; k < window && !comes; ++k) comes = key_of(got_[k]) == wanted;
      if (comes) {
        plus();
      } else {
        minus();
      }
    }
  }
  while (i < expected_.size()) minus();
  while (j < got_.size()) plus();
}

Result<void> Expected::update(const std::string& path) const {
  std::map<std::string_view, std::string_view> comments;
  for (const auto& line : expected_) comments.emplace(key_of(line.text), line.comments);
  std::string text;
  for (const auto& line : got_) {
    if (const auto found = comments.find(key_of(line)); found != comments.end()) {
      text += found->second;
    }
    text += line + "\n";
  }
  text += last_comments_;
  return lifecycle::write_atomically(path, text);
}

}  // namespace meiguan::cli
