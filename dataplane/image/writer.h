#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>
#include <type_traits>
#include <vector>

#include "dataplane/image/bytes.h"
#include "dataplane/image/format.h"

namespace meiguan::image {

// Puts the sections of an image together, each to be put, be it empty. It checks nothing:
// Image::open does.
class Writer {
 public:
  template <typename T>
  void put(Section section, std::span<const T> elements) {
    static_assert(std::is_trivially_copyable_v<T>);
    Part& part = parts_[static_cast<std::size_t>(section)];
    part.count = elements.size();
    part.size = sizeof(T);
    part.bytes.resize(elements.size_bytes());
    if (!elements.empty()) {
      std::memcpy(part.bytes.data(), elements.data(), elements.size_bytes());
    }
  }
  template <typename T>
  void put(Section section, const std::vector<T>& elements) {
    put(section, std::span<const T>{elements});
  }

  // XXH3-64 over the sections so far: equal content, equal digest.
  [[nodiscard]] std::uint64_t digest() const noexcept;

  // The whole file.
  [[nodiscard]] AlignedBytes finish() const;

 private:
  struct Part {
    std::size_t count{0};
    std::size_t size{0};
    std::vector<std::byte> bytes;
  };
  std::array<Part, kSections> parts_;
};

}  // namespace meiguan::image
