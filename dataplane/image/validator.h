#pragma once

#include <cstddef>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/image/reader.h"

namespace meiguan::image {

// Checks everything that Image's accessors rely on; see Image::open.
class Validator {
 public:
  [[nodiscard]] static Result<Image> validate(std::span<const std::byte> bytes);
};

// XXH3-64 over the file with FileHeader::checksum taken as zero.
[[nodiscard]] std::uint64_t checksum_of(std::span<const std::byte> bytes) noexcept;

}  // namespace meiguan::image
