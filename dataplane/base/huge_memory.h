#pragma once

// Memory for tables that packets touch at random places: in huge pages where the kernel gives
// them, so that a look-up waits for one line and not for the pages' tables, too.

#include <sys/mman.h>

#include <cstddef>
#include <memory>
#include <new>
#include <vector>

namespace meiguan {

inline constexpr std::size_t kHugePage = std::size_t{2} << 20;

// A std::allocator whose memory begins at a huge page where it is as large as one, and is there
// when `allocate` returns: no packet waits for the kernel to find a page. Throws std::bad_alloc.
template <typename T>
struct HugeAllocator {
  using value_type = T;

  HugeAllocator() noexcept = default;
  template <typename U>
  HugeAllocator(const HugeAllocator<U>& /*other*/) noexcept {}

  [[nodiscard]] T* allocate(std::size_t count) {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kHugePage) return std::allocator<T>{}.allocate(count);
    constexpr std::size_t kSmallPage = 4096;
    // A huge page more, so that the start can be aligned; what lies beside is given back.
    const std::size_t mapped = rounded(bytes) + kHugePage;
    void* const all = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                             -1, 0);
    if (all == MAP_FAILED) throw std::bad_alloc{};
    std::size_t space = mapped;
    void* aligned = all;
    std::align(kHugePage, rounded(bytes), aligned, space);
    auto* const first = static_cast<std::byte*>(aligned);
    const std::size_t before = mapped - space;
    if (before != 0) ::munmap(all, before);
    const std::size_t behind = space - rounded(bytes);
    if (behind != 0) ::munmap(first + rounded(bytes), behind);
    // Advice only: without huge pages all works, with more TLB misses.
    (void)::madvise(first, rounded(bytes), MADV_HUGEPAGE);
    for (std::size_t at = 0; at < bytes; at += kSmallPage) {
      const_cast<volatile std::byte*>(first)[at] = std::byte{0};
    }
    return reinterpret_cast<T*>(first);
  }
  void deallocate(T* memory, std::size_t count) noexcept {
    const std::size_t bytes = count * sizeof(T);
    if (bytes < kHugePage) return std::allocator<T>{}.deallocate(memory, count);
    ::munmap(memory, rounded(bytes));
  }
  bool operator==(const HugeAllocator&) const noexcept = default;

 private:
  [[nodiscard]] static constexpr std::size_t rounded(std::size_t bytes) noexcept {
    return (bytes + kHugePage - 1) & ~(kHugePage - 1);
  }
};

template <typename T>
using HugeVector = std::vector<T, HugeAllocator<T>>;

}  // namespace meiguan
