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

[[nodiscard]] Plan plan_of(const Query& query, const Options& options);

}  // namespace meiguan::store
