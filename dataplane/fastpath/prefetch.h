#pragma once

namespace meiguan::fastpath {

// Fetches a line that is about to be read (and written: all lines in the path have one owner).
// A function that does nothing but __builtin_prefetch is pure in the eyes of GCC 12, which removes
// calls to it; the empty asm makes it do something.
[[gnu::always_inline]] inline void prefetch(const void* line) noexcept {
  __builtin_prefetch(line, 1);
  asm volatile("" : : "r"(line));
}

}  // namespace meiguan::fastpath
