#pragma once

// How a block list's parts lie in its file, and the check that makes a BlockList of bytes.

#include <cstddef>
#include <cstdint>
#include <span>

#include "dataplane/image/block_list.h"

namespace meiguan::image {

// Offsets of the parts, and the length of the file.
struct BlockLayout {
  std::size_t spaces;
  std::size_t records;
  std::size_t slots;
  std::size_t bytes;
};
[[nodiscard]] BlockLayout block_layout(std::uint64_t spaces, std::uint64_t records,
                                       std::uint64_t slots) noexcept;

// Over the file with the header's field zero; `bytes` holds a header at least.
[[nodiscard]] std::uint64_t block_checksum(std::span<const std::byte> bytes) noexcept;

class BlockCheck {
 public:
  [[nodiscard]] static Result<BlockList> open(std::span<const std::byte> bytes);

 private:
  // Each answers what is wrong, or null.
  [[nodiscard]] static const char* spaces(const BlockList& list);
  [[nodiscard]] static const char* slots(const BlockList& list);
  [[nodiscard]] static const char* records(const BlockList& list);
};

}  // namespace meiguan::image
