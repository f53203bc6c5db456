#include "controlplane/policy/suggest.h"

#include <algorithm>
#include <array>
#include <utility>

#include "controlplane/policy/message.h"

namespace meiguan::policy {
namespace {

// Names that are longer are not compared: no id may be, and the table below is of fixed size.
constexpr std::size_t kLongestName = 80;

}  // namespace

std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit) {
  if (a.size() > kLongestName || b.size() > kLongestName) return limit + 1;
  const std::size_t difference = a.size() > b.size() ? a.size() - b.size() : b.size() - a.size();
  if (difference > limit) return limit + 1;
  using Row = std::array<std::size_t, kLongestName + 1>;
  Row older{};
  Row old{};
  Row now{};
  for (std::size_t j = 0; j <= b.size(); ++j) old[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    now[0] = i;
    std::size_t least = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t replaced = old[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      now[j] = std::min({replaced, old[j] + 1, now[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        now[j] = std::min(now[j], older[j - 2] + 1);
      }
      least = std::min(least, now[j]);
    }
    if (least > limit) return limit + 1;
    older = old;
    old = now;
  }
  return std::min(old[b.size()], limit + 1);
}

// A third of the name may be wrong, one character at least: more is another name.
Nearest::Nearest(std::string_view name)
    : name_{name}, limit_{std::max<std::size_t>(1, std::min<std::size_t>(4, name.size() / 3))} {}

void Nearest::offer(std::string_view candidate) {
  const std::size_t distance = edit_distance(name_, candidate, limit_);
  if (distance > limit_ || distance == 0) return;
  // The first of equals stays: candidates come in the order written.
  if (best_ && distance == limit_) return;
  best_ = std::string(candidate);
  limit_ = distance;
}

Text Nearest::hint() const {
  if (!best_) return {};
  return say("did you mean `{}`?", "是否想写 `{}`？", *best_);
}

Text near_hint(std::string_view name, std::span<const std::string_view> candidates) {
  Nearest nearest(name);
  for (const std::string_view candidate : candidates) nearest.offer(candidate);
  return nearest.hint();
}

}  // namespace meiguan::policy
