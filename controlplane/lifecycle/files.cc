#include "controlplane/lifecycle/files.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace meiguan::lifecycle {
namespace {

std::unexpected<Error> failure(const char* english, const char* chinese, const std::string& what) {
  const int error = errno;
  return fail(fmt::format("{} {}: {}", english, what, std::strerror(error)),
              fmt::format("{} {}：{}", chinese, what, std::strerror(error)));
}

class Descriptor {
 public:
  explicit Descriptor(int descriptor) noexcept : descriptor_{descriptor} {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  [[nodiscard]] int get() const noexcept { return descriptor_; }
  [[nodiscard]] int release() noexcept { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

bool write_all(int descriptor, std::span<const std::byte> bytes) noexcept {
  while (!bytes.empty()) {
    const auto n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes = bytes.subspan(static_cast<std::size_t>(n));
  }
  return true;
}

Result<std::string> read_all(const Descriptor& file, const std::filesystem::path& path,
                             std::size_t limit) {
  std::string text;
  std::size_t used = 0;
  for (;;) {
    if (used == text.size()) text.resize(std::max<std::size_t>(65536, 2 * used));
    const auto n = ::read(file.get(), text.data() + used, text.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return failure("cannot read", "无法读取", path.string());
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > limit) {
      return fail(fmt::format("{} has more than the {} bytes that it may have", path.string(),
                              limit),
                  fmt::format("{} 超过允许的 {} 字节", path.string(), limit));
    }
  }
  text.resize(used);
  return text;
}

}  // namespace

Result<void> write_atomically(const std::filesystem::path& path, std::span<const std::byte> bytes,
                              unsigned mode) {
  // A link leads to the file that is replaced; what is no file, such as a device or a pipe, is
  // written to and stays what it is.
  std::error_code ignored;
  const auto kind = std::filesystem::status(path, ignored).type();
  if (kind != std::filesystem::file_type::not_found &&
      kind != std::filesystem::file_type::regular) {
    const Descriptor there{::open(path.c_str(), O_WRONLY | O_CLOEXEC)};
    if (there.get() < 0 || !write_all(there.get(), bytes)) {
      return failure("cannot write", "无法写入", path.string());
    }
    return {};
  }
  if (std::filesystem::is_symlink(path, ignored)) {
    const auto target = std::filesystem::canonical(path, ignored);
    if (ignored) return failure("cannot write", "无法写入", path.string());
    return write_atomically(target, bytes, mode);
  }
  const auto directory = path.has_parent_path() ? path.parent_path() : std::filesystem::path{"."};
  std::string temporary = (directory / ("." + path.filename().string() + ".XXXXXX")).string();
  const Descriptor file{::mkostemp(temporary.data(), O_CLOEXEC)};
  if (file.get() < 0) return failure("cannot write in", "无法写入目录", directory.string());
  const auto give_up = [&] {
    auto error = failure("cannot write", "无法写入", path.string());
    ::unlink(temporary.c_str());
    return error;
  };
  if (!write_all(file.get(), bytes) || ::fchmod(file.get(), mode) != 0 ||
      ::fsync(file.get()) != 0 || ::rename(temporary.c_str(), path.c_str()) != 0) {
    return give_up();
  }
  // So that the rename itself survives a power cut; a directory that cannot be synced is as it is.
  sync_directory(directory);
  return {};
}

void sync_directory(const std::filesystem::path& directory) {
  const Descriptor opened{::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
  if (opened.get() >= 0) static_cast<void>(::fsync(opened.get()));
}

Result<void> write_atomically(const std::filesystem::path& path, std::string_view text,
                              unsigned mode) {
  return write_atomically(path, std::as_bytes(std::span{text}), mode);
}

Result<std::string> read_file(const std::filesystem::path& path, std::size_t limit) {
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};
  if (file.get() < 0) return failure("cannot open", "无法打开", path.string());
  return read_all(file, path, limit);
}

Result<std::string> read_regular_file(const std::filesystem::path& path, std::size_t limit) {
  // O_NONBLOCK: to open a pipe would wait for its writer.
  const Descriptor file{::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY)};
  struct stat status {};
  if (file.get() < 0 || ::fstat(file.get(), &status) != 0) {
    return failure("cannot open", "无法打开", path.string());
  }
  if (!S_ISREG(status.st_mode)) {
    return fail(path.string() + " is not a regular file", path.string() + " 不是普通文件");
  }
  return read_all(file, path, limit);
}

Result<int> sealed_memfd(std::span<const std::byte> bytes) {
  Descriptor file{::memfd_create("meiguan-image", MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (file.get() < 0) return failure("cannot create", "无法创建", "memfd");
  if (!write_all(file.get(), bytes) ||
      ::fcntl(file.get(), F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE) !=
          0) {
    return failure("cannot fill", "无法写入", "memfd");
  }
  return file.release();
}

}  // namespace meiguan::lifecycle
