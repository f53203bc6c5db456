#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/analysis/capture.h"

namespace meiguan::analysis {

// A capture on disk, mapped, with the pages behind the reader given back: memory stays the same
// for a file of any size. A pipe, which cannot be mapped, is read whole.
class CaptureFile {
 public:
  // Errors: it cannot be opened or read, or is not a capture (CaptureReader::open).
  [[nodiscard]] static Result<CaptureFile> open(const std::filesystem::path& path);
  CaptureFile(CaptureFile&& other) noexcept;
  CaptureFile& operator=(CaptureFile&&) = delete;
  CaptureFile(const CaptureFile&) = delete;
  CaptureFile& operator=(const CaptureFile&) = delete;
  ~CaptureFile();

  // The next frame; its bytes stay valid as long as this file does; those far behind the
  // newest are read from disk again.
  [[nodiscard]] std::optional<CapturedFrame> next();
  [[nodiscard]] const std::optional<Error>& fault() const noexcept { return reader_->fault(); }
  [[nodiscard]] const CaptureCounts& counts() const noexcept { return reader_->counts(); }
  [[nodiscard]] std::size_t bytes() const noexcept { return size_; }
  [[nodiscard]] std::size_t position() const noexcept { return reader_->position(); }

 private:
  CaptureFile() = default;

  std::uint8_t* mapped_{nullptr};  // null where the bytes are in `read_`
  std::size_t size_{0};
  std::size_t released_{0};
  std::vector<std::uint8_t> read_;
  std::optional<CaptureReader> reader_;
};

}  // namespace meiguan::analysis
