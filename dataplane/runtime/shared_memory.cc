#include "dataplane/runtime/shared_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace meiguan::runtime {

SharedMemory::SharedMemory(SharedMemory&& other) noexcept
    : descriptor_{std::move(other.descriptor_)},
      data_{std::exchange(other.data_, nullptr)},
      bytes_{other.bytes_} {}

SharedMemory& SharedMemory::operator=(SharedMemory&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

SharedMemory::~SharedMemory() {
  if (data_ != nullptr) ::munmap(data_, bytes_);
}

Outcome<SharedMemory> SharedMemory::make(const char* name, std::size_t bytes, Pages pages) {
  SharedMemory shared;
  shared.bytes_ = bytes;
  shared.descriptor_ = Descriptor{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  const int descriptor = shared.descriptor_.get();
  const auto size = static_cast<off_t>(bytes);
  if (shared.descriptor_ && ::ftruncate(descriptor, size) == 0 &&
      (pages == Pages::kWhenTouched || ::fallocate(descriptor, 0, 0, size) == 0) &&
      // The size is fixed, so that a control plane cannot pull the pages from under a worker.
      ::fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) == 0) {
    const int populate = pages == Pages::kAtOnce ? MAP_POPULATE : 0;
    void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | populate, descriptor, 0);
    if (p != MAP_FAILED) {
      shared.data_ = static_cast<std::byte*>(p);
      return shared;
    }
  }
  const char* why = std::strerror(errno);
  return environment(
      fmt::format("no {} bytes of shared memory for {}: {}; give the machine more memory", bytes,
                  name, why),
      fmt::format("无法取得 {} 字节共享内存（{}）：{}；请增加内存", bytes, name, why));
}

}  // namespace meiguan::runtime
