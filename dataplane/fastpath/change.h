#pragma once

#include <array>
#include <bit>
#include <concepts>
#include <cstdint>
#include <cstring>
#include <type_traits>

#include "dataplane/net/byte_order.h"
#include "dataplane/net/checksum.h"

namespace meiguan::fastpath {

// The one's complement sum of what has changed: of each word its new value and the complement of
// the old one, in the order of the machine (RFC 1071 section 2.B). 64 bits hold any packet's.
class Change {
 public:
  // Writes `value` over what stands at `at`. The complement of a 32-bit word is as good as that of
  // its halves: both differ from the negative by a multiple of 0xffff, which a sum does not see.
  template <typename T>
  void put(std::uint8_t* at, const T& value) noexcept {
    static_assert(sizeof(T) % 2 == 0);
    using Word = std::conditional_t<sizeof(T) % 4 == 0, std::uint32_t, std::uint16_t>;
    std::array<Word, sizeof(T) / sizeof(Word)> before;
    std::array<Word, sizeof(T) / sizeof(Word)> after;
    std::memcpy(before.data(), at, sizeof before);
    std::memcpy(after.data(), &value, sizeof after);
    for (std::size_t i = 0; i < before.size(); ++i) see(before[i], after[i]);
    std::memcpy(at, after.data(), sizeof after);
  }
  // The same for a word that somebody else writes.
  template <std::unsigned_integral Word>
  void see(Word before, Word after) noexcept {
    sum_ += static_cast<Word>(~before);
    sum_ += after;
  }
  void add(const Change& other) noexcept { sum_ += other.sum_; }
  // The checksum that covers what has changed.
  [[nodiscard]] net::Be16 applied_to(net::Be16 checksum) const noexcept {
    const auto complement = static_cast<std::uint16_t>(~std::bit_cast<std::uint16_t>(checksum));
    return net::finish_checksum(sum_ + complement);
  }

 private:
  std::uint64_t sum_{0};
};

}  // namespace meiguan::fastpath
