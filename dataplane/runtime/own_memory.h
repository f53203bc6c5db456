#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/base/text.h"

namespace meiguan::runtime {

// Anonymous pages of our own that hold a copy of a file or memfd, and that nobody can write any
// more: the bytes are copied first and judged afterwards, so that a writer who keeps the file open
// changes nothing. Huge pages where asked for and where there are some.
class OwnMemory {
 public:
  // `what` names it in messages: "the image". Errors: no regular file, empty or longer than `most`,
  // not readable, no memory.
  [[nodiscard]] static Result<OwnMemory> copy_of(int descriptor, std::size_t most, bool huge_pages,
                                                 const Text& what);
  OwnMemory(OwnMemory&& other) noexcept;
  OwnMemory& operator=(OwnMemory&&) = delete;
  ~OwnMemory();

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return {data_, bytes_}; }

 private:
  OwnMemory(std::byte* data, std::size_t mapped, std::size_t bytes) noexcept
      : data_{data}, mapped_{mapped}, bytes_{bytes} {}
  std::byte* data_;
  std::size_t mapped_;
  std::size_t bytes_;
};

// Replaces the file `name` in the state directory as a whole (temporary file, fsync, rename), or
// leaves the old one. With `before`, the old one is kept under that name.
[[nodiscard]] Result<void> save_last(const std::filesystem::path& state_dir, const char* name,
                                     std::span<const std::byte> bytes,
                                     const char* before = nullptr);

}  // namespace meiguan::runtime
