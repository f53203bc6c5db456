#include "tools/cli/line_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstddef>
#include <optional>
#include <vector>

namespace meiguan::cli {
namespace {

using Lines = std::vector<std::string_view>;

constexpr std::size_t kContext = 3;
// Steps of Myers' search; the memory for the way back grows with the square.
constexpr std::ptrdiff_t kMaxEdits = 1500;

Lines split(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size() - 1);
    lines.push_back(text.substr(0, end + 1));
    text.remove_prefix(end + 1);
  }
  return lines;
}

struct Edit {
  char kind;  // ' ', '-', '+'
  std::string_view line;
};

// E. W. Myers, "An O(ND) Difference Algorithm and Its Variations" (1986), the greedy one; nothing
// beyond kMaxEdits.
std::optional<std::vector<Edit>> shortest_edits(const Lines& a, const Lines& b) {
  const auto n = static_cast<std::ptrdiff_t>(a.size());
  const auto m = static_cast<std::ptrdiff_t>(b.size());
  const auto limit = std::min(n + m, kMaxEdits);
  std::vector<std::ptrdiff_t> reach(static_cast<std::size_t>(2 * limit + 3), 0);
  const auto at = [&](std::ptrdiff_t diagonal) -> std::ptrdiff_t& {
    return reach[static_cast<std::size_t>(diagonal + limit + 1)];
  };
  const auto line = [](const Lines& lines, std::ptrdiff_t i) {
    return lines[static_cast<std::size_t>(i)];
  };
  std::vector<std::vector<std::ptrdiff_t>> trace;  // [edits][diagonal + edits]
  std::ptrdiff_t edits = 0;
  for (bool found = false; !found; ++edits) {
    if (edits > limit) return std::nullopt;
    for (std::ptrdiff_t k = -edits; k <= edits; k += 2) {
      const bool down = k == -edits || (k != edits && at(k - 1) < at(k + 1));
      auto x = down ? at(k + 1) : at(k - 1) + 1;
      while (x < n && x - k < m && line(a, x) == line(b, x - k)) ++x;
      at(k) = x;
      if (x >= n && x - k >= m) {
        found = true;
        break;
      }
    }
    auto& row = trace.emplace_back(static_cast<std::size_t>(2 * edits + 1));
    for (std::ptrdiff_t k = -edits; k <= edits; ++k)
      row[static_cast<std::size_t>(k + edits)] = at(k);
  }
  std::vector<Edit> back;
  auto x = n;
  auto y = m;
  for (auto d = edits - 1; d > 0; --d) {
    const auto& row = trace[static_cast<std::size_t>(d - 1)];
    const auto before = [&](std::ptrdiff_t k) {
      return k < -(d - 1) || k > d - 1 ? std::ptrdiff_t{-1}
                                       : row[static_cast<std::size_t>(k + d - 1)];
    };
    const auto k = x - y;
    const bool down = k == -d || (k != d && before(k - 1) < before(k + 1));
    const auto start = down ? before(k + 1) : before(k - 1) + 1;
    while (x > start) {
      back.push_back({' ', line(a, --x)});
      --y;
    }
    if (down) {
      back.push_back({'+', line(b, --y)});
    } else {
      back.push_back({'-', line(a, --x)});
    }
  }
  while (x > 0) back.push_back({' ', line(a, --x)});
  std::reverse(back.begin(), back.end());
  return back;
}

std::vector<Edit> edits_between(const Lines& a, const Lines& b) {
  std::size_t head = 0;
  while (head < a.size() && head < b.size() && a[head] == b[head]) ++head;
  std::size_t tail = 0;
  while (tail < a.size() - head && tail < b.size() - head &&
         a[a.size() - 1 - tail] == b[b.size() - 1 - tail]) {
    ++tail;
  }
  const auto middle = [&](const Lines& lines) {
    return Lines(lines.begin() + static_cast<std::ptrdiff_t>(head),
                 lines.end() - static_cast<std::ptrdiff_t>(tail));
  };
  std::vector<Edit> result;
  for (std::size_t i = 0; i < head; ++i) result.push_back({' ', a[i]});
  const auto old_middle = middle(a);
  const auto new_middle = middle(b);
  if (const auto edits = shortest_edits(old_middle, new_middle)) {
    result.insert(result.end(), edits->begin(), edits->end());
  } else {
    for (const auto one : old_middle) result.push_back({'-', one});
    for (const auto one : new_middle) result.push_back({'+', one});
  }
  for (std::size_t i = a.size() - tail; i < a.size(); ++i) result.push_back({' ', a[i]});
  return result;
}

void append(std::string& text, const Edit& edit) {
  text += edit.kind;
  text += edit.line;
  if (!edit.line.ends_with('\n')) text += "\n\\ No newline at end of file\n";
}

}  // namespace

std::string unified_diff(std::string_view name, std::string_view before, std::string_view after) {
  if (before == after) return {};
  const auto edits = edits_between(split(before), split(after));
  std::string text = fmt::format("--- {0}\n+++ {0}\n", name);
  std::size_t old_line = 1;
  std::size_t new_line = 1;
  for (std::size_t i = 0; i < edits.size();) {
    if (edits[i].kind == ' ') {
      ++i;
      ++old_line;
      ++new_line;
      continue;
    }
    const std::size_t start = i - std::min(i, kContext);
    std::size_t last = i;  // the last edit that this hunk holds
    for (std::size_t j = i; j < edits.size() && j <= last + 2 * kContext; ++j) {
      if (edits[j].kind != ' ') last = j;
    }
    const std::size_t end = std::min(last + 1 + kContext, edits.size());
    std::size_t old_count = 0;
    std::size_t new_count = 0;
    std::string lines;
    for (std::size_t j = start; j < end; ++j) {
      append(lines, edits[j]);
      if (edits[j].kind != '+') ++old_count;
      if (edits[j].kind != '-') ++new_count;
    }
    const auto old_start = old_line - (i - start);
    const auto new_start = new_line - (i - start);
    text += fmt::format("@@ -{},{} +{},{} @@\n", old_count == 0 ? old_start - 1 : old_start,
                        old_count, new_count == 0 ? new_start - 1 : new_start, new_count);
    text += lines;
    old_line = old_start + old_count;
    new_line = new_start + new_count;
    i = end;
  }
  return text;
}

}  // namespace meiguan::cli
