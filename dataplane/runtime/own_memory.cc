#include "dataplane/runtime/own_memory.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <system_error>
#include <utility>

#include "dataplane/runtime/descriptor.h"

namespace meiguan::runtime {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::unexpected<Error> failed(const char* english, const char* chinese, const Text& name) {
  const char* why = std::strerror(errno);
  return fail(fmt::format("{} {}: {}", english, name.english, why),
              fmt::format("{} {}：{}", chinese, name.chinese, why));
}
std::unexpected<Error> failed(const char* english, const char* chinese,
                              const std::filesystem::path& file) {
  return failed(english, chinese, Text{file.native(), file.native()});
}

std::byte* map(std::size_t mapped, bool huge_pages) {
  void* p = MAP_FAILED;
  if (huge_pages) {
    p = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
  }
  if (p == MAP_FAILED) {
    p = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p != MAP_FAILED) ::madvise(p, mapped, MADV_HUGEPAGE);
  }
  return p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
}

}  // namespace

OwnMemory::OwnMemory(OwnMemory&& other) noexcept
    : data_{std::exchange(other.data_, nullptr)}, mapped_{other.mapped_}, bytes_{other.bytes_} {}

OwnMemory::~OwnMemory() {
  if (data_ != nullptr) ::munmap(data_, mapped_);
}

Result<OwnMemory> OwnMemory::copy_of(int descriptor, std::size_t most, bool huge_pages,
                                     const Text& what) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return failed("cannot read", "无法读取", what);
  if (!S_ISREG(status.st_mode)) {
    return fail(fmt::format("{} is not a regular file or memfd", what.english),
                fmt::format("{}不是普通文件或 memfd", what.chinese));
  }
  if (status.st_size <= 0 || static_cast<std::uint64_t>(status.st_size) > most) {
    return fail(fmt::format("{} has {} bytes; it should have 1 to {}", what.english, status.st_size,
                            most),
                fmt::format("{}为 {} 字节，应为 1 至 {} 字节", what.chinese, status.st_size, most));
  }
  const auto bytes = static_cast<std::size_t>(status.st_size);
  const std::size_t mapped = (bytes + kHugePage - 1) / kHugePage * kHugePage;
  OwnMemory memory{map(mapped, huge_pages), mapped, bytes};
  if (memory.data_ == nullptr) {
    return fail(fmt::format("no memory for {} of {} bytes", what.english, bytes),
                fmt::format("内存不足，无法装入 {} 字节的{}", bytes, what.chinese));
  }
  std::size_t at = 0;
  while (at < bytes) {
    const ssize_t got = ::pread(descriptor, memory.data_ + at, bytes - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read", "无法读取", what);
    if (got == 0) {
      return fail(fmt::format("{} shrank while it was read", what.english),
                  fmt::format("读取时{}被截短", what.chinese));
    }
    at += static_cast<std::size_t>(got);
  }
  ::mprotect(memory.data_, memory.mapped_, PROT_READ);
  return memory;
}

Result<void> save_last(const std::filesystem::path& state_dir, const char* name,
                       std::span<const std::byte> bytes, const char* before) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  const std::filesystem::path last = state_dir / name;
  std::filesystem::path temporary = last;
  temporary.replace_extension("tmp");
  {
    const Descriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640)};
    if (!file) return failed("cannot write", "无法写入", temporary);
    while (!bytes.empty()) {
      const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed("cannot write", "无法写入", temporary);
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    if (::fsync(file.get()) != 0) return failed("cannot write", "无法写入", temporary);
  }
  if (before != nullptr) {
    // By a second name, so that the file is there at every moment. Where a file system has no such
    // names, there is none of before.
    std::filesystem::remove(state_dir / before, error);
    std::filesystem::create_hard_link(last, state_dir / before, error);
  }
  if (::rename(temporary.c_str(), last.c_str()) != 0) {
    return failed("cannot replace", "无法替换", last);
  }
  const Descriptor directory{::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory) ::fsync(directory.get());
  return {};
}

}  // namespace meiguan::runtime
