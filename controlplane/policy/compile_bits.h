#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meiguan::policy {

// A set of small numbers, for the algebra of selectors.
class Bits {
 public:
  Bits() = default;
  explicit Bits(std::size_t size, bool value = false)
      : size_{size}, words_((size + 63) / 64, value ? ~std::uint64_t{0} : 0) {
    if (value && size % 64 != 0) words_.back() >>= 64 - size % 64;
  }

  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool test(std::size_t i) const noexcept {
    return (words_[i / 64] >> (i % 64) & 1) != 0;
  }
  void set(std::size_t i) noexcept { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void reset(std::size_t i) noexcept { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }
  void set_range(std::size_t first, std::size_t count) noexcept {
    for (std::size_t i = first; i < first + count; ++i) set(i);
  }
  Bits& operator|=(const Bits& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] |= other.words_[i];
    return *this;
  }
  Bits& remove(const Bits& other) noexcept {
    for (std::size_t i = 0; i < words_.size(); ++i) words_[i] &= ~other.words_[i];
    return *this;
  }

  template <typename F>
  void for_each(F&& visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        visit(w * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
      }
    }
  }

  // The members, ascending.
  [[nodiscard]] std::vector<std::uint32_t> list() const {
    std::vector<std::uint32_t> members;
    std::size_t count = 0;
    for (const std::uint64_t word : words_) count += static_cast<std::size_t>(std::popcount(word));
    members.reserve(count);
    for_each([&](std::size_t i) { members.push_back(static_cast<std::uint32_t>(i)); });
    return members;
  }

 private:
  std::size_t size_{0};
  std::vector<std::uint64_t> words_;
};

}  // namespace meiguan::policy
