#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <utility>

#include "dataplane/fastpath/counters.h"
#include "dataplane/image/reader.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/own_memory.h"

namespace meiguan::runtime {

// A validated image in memory of our own that nobody can write any more: the bytes are copied out
// of the file or memfd first and judged afterwards, so that a writer who keeps the file open
// changes nothing. Huge pages where there are some.
class LoadedImage {
 public:
  // Errors: unreadable, larger than an image may be, and whatever Image::open says.
  [[nodiscard]] static Result<std::unique_ptr<LoadedImage>> from_descriptor(int descriptor,
                                                                            bool huge_pages);
  [[nodiscard]] static Result<std::unique_ptr<LoadedImage>> from_file(
      const std::filesystem::path& file, bool huge_pages);
  LoadedImage(const LoadedImage&) = delete;
  LoadedImage& operator=(const LoadedImage&) = delete;

  [[nodiscard]] const image::Image& image() const noexcept { return image_; }

 private:
  LoadedImage(OwnMemory memory, const image::Image& image) noexcept
      : memory_{std::move(memory)}, image_{image} {}

  OwnMemory memory_;
  image::Image image_;
};

// Whether an image may be taken at all: it has a gateway, and its ids fit the counters.
[[nodiscard]] Outcome<void> check_capacity(const image::Image& image,
                                           const fastpath::CounterCapacity& capacity);

// The last good image on disk: `image.last` in the state directory.
[[nodiscard]] std::filesystem::path last_image_file(const std::filesystem::path& state_dir);
// The one before it: `image.before`, for the case that image.last is damaged.
[[nodiscard]] std::filesystem::path image_before_file(const std::filesystem::path& state_dir);
// Replaces it as a whole (temporary file, fsync, rename), or leaves the old one; where that is good
// it becomes image.before.
[[nodiscard]] Result<void> save_last_image(const std::filesystem::path& state_dir,
                                           std::span<const std::byte> bytes, bool last_is_good);

}  // namespace meiguan::runtime
