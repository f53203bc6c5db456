#pragma once

#include <cstddef>

#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/failure.h"

namespace meiguan::runtime {

// Memory of ours that another process can map: a memfd of fixed size, zero at first. Unmapped and
// closed on destruction; whoever else has mapped it keeps it.
class SharedMemory {
 public:
  enum class Pages {
    kWhenTouched,
    kAtOnce,  // all are there and mapped: touching them never waits
  };
  // Errors: the machine has not so much.
  [[nodiscard]] static Outcome<SharedMemory> make(const char* name, std::size_t bytes,
                                                  Pages pages = Pages::kWhenTouched);
  SharedMemory() = default;
  SharedMemory(SharedMemory&& other) noexcept;
  SharedMemory& operator=(SharedMemory&& other) noexcept;
  SharedMemory(const SharedMemory&) = delete;
  SharedMemory& operator=(const SharedMemory&) = delete;
  ~SharedMemory();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }
  [[nodiscard]] std::size_t bytes() const noexcept { return bytes_; }
  [[nodiscard]] int descriptor() const noexcept { return descriptor_.get(); }

 private:
  Descriptor descriptor_;
  std::byte* data_{};
  std::size_t bytes_{0};
};

}  // namespace meiguan::runtime
