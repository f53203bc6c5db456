#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meiguan::policy {

// A set of small numbers, for the algebra of selectors. It keeps the words between its least and
// its greatest member only: most selectors match little, and little that lies together, so a
// policy's sets cost what they hold and not what there is.
class Bits {
 public:
  Bits() = default;
  explicit Bits(std::size_t size, bool value = false) : size_{size} {
    if (!value || size == 0) return;
    words_.assign((size + 63) / 64, ~std::uint64_t{0});
    if (size % 64 != 0) words_.back() >>= 64 - size % 64;
  }

  // Members are below this.
  [[nodiscard]] std::size_t size() const noexcept { return size_; }
  [[nodiscard]] bool test(std::size_t i) const noexcept {
    return has(i / 64) && (words_[i / 64 - first_] >> (i % 64) & 1) != 0;
  }
  void set(std::size_t i) {
    cover(i / 64, i / 64 + 1);
    words_[i / 64 - first_] |= std::uint64_t{1} << (i % 64);
  }
  void reset(std::size_t i) noexcept {
    if (has(i / 64)) words_[i / 64 - first_] &= ~(std::uint64_t{1} << (i % 64));
  }
  void set_range(std::size_t first, std::size_t count) {
    if (count == 0) return;
    cover(first / 64, (first + count - 1) / 64 + 1);
    for (std::size_t i = first; i < first + count; ++i) {
      words_[i / 64 - first_] |= std::uint64_t{1} << (i % 64);
    }
  }
  Bits& operator|=(const Bits& other) {
    if (other.words_.empty()) return *this;
    cover(other.first_, other.end());
    for (std::size_t w = other.first_; w < other.end(); ++w) {
      words_[w - first_] |= other.words_[w - other.first_];
    }
    return *this;
  }
  Bits& remove(const Bits& other) noexcept {
    const std::size_t until = std::min(end(), other.end());
    for (std::size_t w = std::max(first_, other.first_); w < until; ++w) {
      words_[w - first_] &= ~other.words_[w - other.first_];
    }
    return *this;
  }

  template <typename F>
  void for_each(F&& visit) const {
    for (std::size_t w = 0; w < words_.size(); ++w) {
      for (std::uint64_t bits = words_[w]; bits != 0; bits &= bits - 1) {
        visit((first_ + w) * 64 + static_cast<std::size_t>(std::countr_zero(bits)));
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
  [[nodiscard]] std::size_t end() const noexcept { return first_ + words_.size(); }
  [[nodiscard]] bool has(std::size_t word) const noexcept { return word >= first_ && word < end(); }
  // Makes the window hold words [from, until).
  void cover(std::size_t from, std::size_t until) {
    if (words_.empty()) {
      first_ = from;
      words_.resize(until - from, 0);
      return;
    }
    if (from < first_) {
      // Twice as far down as it must, so that growing downwards word by word is not quadratic.
      const std::size_t more = std::min(first_, std::max(first_ - from, words_.size()));
      words_.insert(words_.begin(), more, 0);
      first_ -= more;
    }
    if (until > end()) words_.resize(until - first_, 0);
  }

  std::size_t size_{0};
  std::size_t first_{0};  // the word that words_ begins with
  std::vector<std::uint64_t> words_;
};

}  // namespace meiguan::policy
