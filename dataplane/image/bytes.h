#pragma once

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <span>

namespace meiguan::image {

// Bytes at an address that Image::open accepts (64-byte aligned). Owns them; cannot grow.
class AlignedBytes {
 public:
  AlignedBytes() = default;
  // All zero.
  explicit AlignedBytes(std::size_t size)
      : data_{static_cast<std::byte*>(::operator new(size, kAlign))}, size_{size} {
    std::memset(data_.get(), 0, size);
  }
  [[nodiscard]] static AlignedBytes copy_of(std::span<const std::byte> bytes) {
    AlignedBytes result{bytes.size()};
    if (!bytes.empty()) std::memcpy(result.data_.get(), bytes.data(), bytes.size());
    return result;
  }

  [[nodiscard]] std::span<std::byte> span() noexcept { return {data_.get(), size_}; }
  [[nodiscard]] std::span<const std::byte> span() const noexcept { return {data_.get(), size_}; }
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr std::align_val_t kAlign{64};
  struct Free {
    void operator()(std::byte* p) const noexcept { ::operator delete(p, kAlign); }
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_{0};
};

}  // namespace meiguan::image
