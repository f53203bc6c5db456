#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>

namespace meiguan::net {

// Reads a frame from front to back. The one class that compares what is left with what is to be
// read: whoever holds a value has it from here, and nobody else compares lengths.
class Reader {
 public:
  constexpr explicit Reader(std::span<const std::uint8_t> bytes) noexcept
      : at_{bytes.data()}, end_{bytes.data() + bytes.size()} {}

  [[nodiscard]] constexpr std::size_t left() const noexcept {
    return static_cast<std::size_t>(end_ - at_);
  }
  [[nodiscard]] constexpr bool empty() const noexcept { return at_ == end_; }

  // Copies the next sizeof(T) bytes out and goes past them; false, and nothing moves, where there
  // are fewer.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool read(T& out) noexcept {
    if (left() < sizeof(T)) return false;
    std::memcpy(&out, at_, sizeof(T));
    at_ += sizeof(T);
    return true;
  }
  // As `read`, but stays where it is.
  template <typename T>
  requires std::is_trivially_copyable_v<T>
  [[nodiscard]] bool peek(T& out) const noexcept {
    Reader copy{*this};
    return copy.read(out);
  }
  [[nodiscard]] constexpr bool skip(std::size_t count) noexcept {
    if (left() < count) return false;
    at_ += count;
    return true;
  }
  // Forgets what lies beyond the next `count` bytes (padding); false where there are fewer.
  [[nodiscard]] constexpr bool limit(std::size_t count) noexcept {
    if (left() < count) return false;
    end_ = at_ + count;
    return true;
  }
  // A reader of the next `count` bytes, which this one goes past; false where there are fewer.
  [[nodiscard]] constexpr bool split(std::size_t count, Reader& part) noexcept {
    if (left() < count) return false;
    part = Reader{std::span{at_, count}};
    at_ += count;
    return true;
  }
  // All that is left.
  [[nodiscard]] constexpr std::span<const std::uint8_t> rest() const noexcept {
    return {at_, left()};
  }

 private:
  const std::uint8_t* at_;
  const std::uint8_t* end_;
};

}  // namespace meiguan::net
