#include "dataplane/runtime/loaded_image.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <system_error>
#include <utility>

#include "dataplane/runtime/descriptor.h"

namespace meiguan::runtime {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

std::unexpected<Error> failed(const char* english, const char* chinese, const std::string& name) {
  const char* why = std::strerror(errno);
  return fail(fmt::format("{} {}: {}", english, name, why),
              fmt::format("{} {}：{}", chinese, name, why));
}

}  // namespace

// Anonymous pages; unmapped unless taken over.
struct LoadedImage::Memory {
  std::byte* data{};
  std::size_t mapped{0};

  Memory(std::size_t bytes, bool huge_pages) {
    mapped = (bytes + kHugePage - 1) / kHugePage * kHugePage;
    void* p = MAP_FAILED;
    if (huge_pages) {
      p = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | MAP_POPULATE, -1, 0);
    }
    if (p == MAP_FAILED) {
      p = ::mmap(nullptr, mapped, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
      if (p != MAP_FAILED) ::madvise(p, mapped, MADV_HUGEPAGE);
    }
    data = p == MAP_FAILED ? nullptr : static_cast<std::byte*>(p);
  }
  Memory(Memory&& other) noexcept
      : data{std::exchange(other.data, nullptr)}, mapped{other.mapped} {}
  Memory& operator=(Memory&&) = delete;
  ~Memory() {
    if (data != nullptr) ::munmap(data, mapped);
  }
};

LoadedImage::LoadedImage(Memory&& memory, const image::Image& image) noexcept
    : memory_{std::exchange(memory.data, nullptr)}, mapped_{memory.mapped}, image_{image} {}

LoadedImage::~LoadedImage() { ::munmap(memory_, mapped_); }

Result<std::unique_ptr<LoadedImage>> LoadedImage::from_descriptor(int descriptor, bool huge_pages) {
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) return failed("cannot read", "无法读取", "the image");
  if (!S_ISREG(status.st_mode)) {
    return fail("the image is not a regular file or memfd", "映像不是普通文件或 memfd");
  }
  if (status.st_size <= 0 || static_cast<std::uint64_t>(status.st_size) > image::kMaxImageBytes) {
    return fail(fmt::format("the image has {} bytes; it should have 1 to {}", status.st_size,
                            image::kMaxImageBytes),
                fmt::format("映像为 {} 字节，应为 1 至 {} 字节", status.st_size,
                            image::kMaxImageBytes));
  }
  const auto bytes = static_cast<std::size_t>(status.st_size);
  Memory memory{bytes, huge_pages};
  if (memory.data == nullptr) {
    return fail(fmt::format("no memory for an image of {} bytes", bytes),
                fmt::format("内存不足，无法装入 {} 字节的映像", bytes));
  }
  std::size_t at = 0;
  while (at < bytes) {
    const ssize_t got = ::pread(descriptor, memory.data + at, bytes - at, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return failed("cannot read", "无法读取", "the image");
    if (got == 0) return fail("the image shrank while it was read", "读取时映像被截短");
    at += static_cast<std::size_t>(got);
  }
  ::mprotect(memory.data, memory.mapped, PROT_READ);
  auto image = image::Image::open({memory.data, bytes});
  if (!image) return std::unexpected{image.error()};
  return std::unique_ptr<LoadedImage>{new LoadedImage{std::move(memory), *image}};
}

Result<std::unique_ptr<LoadedImage>> LoadedImage::from_file(const std::filesystem::path& file,
                                                            bool huge_pages) {
  const Descriptor descriptor{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  if (!descriptor) return failed("cannot open", "无法打开", file.native());
  auto loaded = from_descriptor(descriptor.get(), huge_pages);
  if (loaded) return loaded;
  const Text& why = loaded.error().message;
  return fail(fmt::format("{}: {}", file.native(), why.english),
              fmt::format("{}：{}", file.native(), why.chinese));
}

Outcome<void> check_capacity(const image::Image& image, const fastpath::CounterCapacity& capacity) {
  if (image.meta().has_gateway == 0) {
    return configuration(
        "the image holds no gateway, so there are no ports: compile it with --gateway FILE",
        "映像不含网关（没有端口）：请用 --gateway 文件 重新编译");
  }
  struct Limit {
    const char* english;
    const char* chinese;
    std::size_t is;
    std::uint32_t most;
  };
  const Limit limits[] = {
      {"ports", "端口", image.ports().size(), capacity.ports},
      {"units", "单位", image.units().size(), capacity.units},
      {"services", "业务系统", image.services().size(), capacity.services},
      {"rules", "规则", image.rules().size(), capacity.rules},
  };
  for (const Limit& limit : limits) {
    if (limit.is <= limit.most) continue;
    return configuration(
        fmt::format("the image numbers {} {}, but this data plane counts at most {}", limit.is,
                    limit.english, limit.most),
        fmt::format("映像含 {} 个{}，超出本数据面计数上限 {}", limit.is, limit.chinese,
                    limit.most));
  }
  return {};
}

std::filesystem::path last_image_file(const std::filesystem::path& state_dir) {
  return state_dir / "image.last";
}

Result<void> save_last_image(const std::filesystem::path& state_dir,
                             std::span<const std::byte> bytes) {
  std::error_code error;
  std::filesystem::create_directories(state_dir, error);
  const std::filesystem::path temporary = state_dir / "image.tmp";
  {
    const Descriptor file{
        ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640)};
    if (!file) return failed("cannot write", "无法写入", temporary.native());
    while (!bytes.empty()) {
      const ssize_t put = ::write(file.get(), bytes.data(), bytes.size());
      if (put < 0 && errno == EINTR) continue;
      if (put <= 0) return failed("cannot write", "无法写入", temporary.native());
      bytes = bytes.subspan(static_cast<std::size_t>(put));
    }
    if (::fsync(file.get()) != 0) return failed("cannot write", "无法写入", temporary.native());
  }
  const std::filesystem::path last = last_image_file(state_dir);
  if (::rename(temporary.c_str(), last.c_str()) != 0) {
    return failed("cannot replace", "无法替换", last.native());
  }
  const Descriptor directory{::open(state_dir.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (directory) ::fsync(directory.get());
  return {};
}

}  // namespace meiguan::runtime
