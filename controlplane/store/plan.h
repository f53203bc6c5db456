#pragma once

// Which rows answer a question.

#include <cstdint>
#include <vector>

#include "controlplane/store/store.h"

namespace meiguan::store {

// Rows of one resolution of a time.
struct Part {
  std::size_t resolution{0};
  std::int64_t since{0};
  std::int64_t until{0};
  bool operator==(const Part&) const = default;
};

struct Plan {
  std::int64_t since{0};
  std::int64_t until{0};
  std::int64_t step{0};  // 0: one
  std::vector<Part> parts;
};

// `longest_since`: from when on rows of the longest resolution have all that days have.
[[nodiscard]] Plan plan_of(const Query& query, const Options& options, std::int64_t longest_since);
// That, for a store in which there is none so far: of one with nothing in it all, else what begins
// well behind the first batch that goes into it.
[[nodiscard]] std::int64_t longest_since(bool empty, std::int64_t minute, const Options& options);

}  // namespace meiguan::store
