#pragma once

#include <algorithm>
#include <cstdint>

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::runtime {

// Lets `per_second` things happen on average and `burst` at once.
class TokenBucket {
 public:
  TokenBucket(std::uint32_t per_second, std::uint32_t burst) noexcept
      : per_second_{per_second}, most_{std::uint64_t{burst} * 1000}, millitokens_{most_} {}

  // Takes a token; false where there is none.
  [[nodiscard]] bool take(fastpath::Tick now) noexcept {
    if (now > last_) {
      // A bucket of at most 2^32 thousand fills in well under 2^32 ms, hence no overflow.
      const std::uint64_t elapsed = std::min<std::uint64_t>(now - last_, 0xffff'ffffU);
      millitokens_ = std::min(most_, millitokens_ + elapsed * per_second_);
      last_ = now;
    }
    if (millitokens_ < 1000) return false;
    millitokens_ -= 1000;
    return true;
  }

 private:
  std::uint64_t per_second_;
  std::uint64_t most_;
  std::uint64_t millitokens_;
  fastpath::Tick last_{0};
};

}  // namespace meiguan::runtime
