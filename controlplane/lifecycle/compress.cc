#include "controlplane/lifecycle/compress.h"

#include <zstd.h>

#include <new>

namespace meiguan::lifecycle {
namespace {

constexpr int kLevel = 1;                   // an apply waits for it
constexpr std::size_t kMostPacked = 32768;  // a block of 128 KiB of one byte takes four

}  // namespace

std::string compressed(std::string_view bytes) {
  std::string frame(::ZSTD_compressBound(bytes.size()), '\0');
  const auto used = ::ZSTD_compress(frame.data(), frame.size(), bytes.data(), bytes.size(), kLevel);
  // With room for the worst case, only memory can be lacking.
  if (::ZSTD_isError(used) != 0) throw std::bad_alloc{};
  frame.resize(used);
  return frame;
}

Result<std::string> decompressed(std::string_view frame, std::size_t limit) {
  const auto damaged = [] { return fail("the compressed bytes are damaged", "压缩数据已损坏"); };
  const auto size = ::ZSTD_getFrameContentSize(frame.data(), frame.size());
  if (size == ZSTD_CONTENTSIZE_ERROR || size == ZSTD_CONTENTSIZE_UNKNOWN || size > limit) {
    return damaged();
  }
  // A frame that promises much more than its bytes could hold would take the memory first.
  if (size / kMostPacked > frame.size()) return damaged();
  std::string bytes(size, '\0');
  const auto got = ::ZSTD_decompress(bytes.data(), bytes.size(), frame.data(), frame.size());
  if (::ZSTD_isError(got) != 0 || got != size) return damaged();
  return bytes;
}

}  // namespace meiguan::lifecycle
