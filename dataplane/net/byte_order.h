#pragma once

#include <bit>
#include <concepts>
#include <cstdint>

namespace meiguan::net {

// An integer as it stands on the wire. It has no arithmetic: `host()` is the only way out and
// `from_host()` the only way in, so that a swap can be neither forgotten nor done twice.
template <std::unsigned_integral T>
class BigEndian {
 public:
  constexpr BigEndian() noexcept = default;

  [[nodiscard]] static constexpr BigEndian from_host(T value) noexcept {
    BigEndian result;
    result.wire_ = swap(value);
    return result;
  }
  [[nodiscard]] constexpr T host() const noexcept { return swap(wire_); }

  constexpr bool operator==(const BigEndian&) const noexcept = default;

 private:
  // std::byteswap is C++23 library that GCC 12 has.
  [[nodiscard]] static constexpr T swap(T value) noexcept {
    if constexpr (std::endian::native == std::endian::little) {
      return std::byteswap(value);
    }
    return value;
  }

  T wire_{};
};

using Be16 = BigEndian<std::uint16_t>;
using Be32 = BigEndian<std::uint32_t>;
using Be64 = BigEndian<std::uint64_t>;

}  // namespace meiguan::net
