#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "dataplane/base/text.h"

namespace meiguan::policy {

// How many characters one must insert, delete, replace or swap with their neighbour to make `b` of
// `a` (optimal string alignment); `limit` + 1 where it is more than `limit`.
[[nodiscard]] std::size_t edit_distance(std::string_view a, std::string_view b, std::size_t limit);

// Finds the candidate next to `name`: offer all candidates, then ask for the hint.
class Nearest {
 public:
  explicit Nearest(std::string_view name);
  void offer(std::string_view candidate);
  // "did you mean `x`?", or an empty text where nothing is near.
  [[nodiscard]] Text hint() const;

 private:
  std::string_view name_;
  std::size_t limit_;
  std::optional<std::string> best_;
};

[[nodiscard]] Text near_hint(std::string_view name, std::span<const std::string_view> candidates);

}  // namespace meiguan::policy
