#include "controlplane/analysis/capture_file.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

namespace meiguan::analysis {
namespace {

constexpr std::size_t kKeepBehind = std::size_t{32} << 20;
constexpr std::size_t kMaxPipeBytes = std::size_t{1} << 30;

std::unexpected<Error> system_failure(const char* english, const char* chinese, int error) {
  return fail(fmt::format("{}: {}", english, std::strerror(error)),
              fmt::format("{}：{}", chinese, std::strerror(error)));
}

Result<std::vector<std::uint8_t>> read_whole(int file) {
  std::vector<std::uint8_t> bytes;
  std::size_t used = 0;
  for (;;) {
    if (used == bytes.size()) bytes.resize(used + (std::size_t{1} << 20));
    const auto n = ::read(file, bytes.data() + used, bytes.size() - used);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return system_failure("cannot be read", "无法读取", errno);
    if (n == 0) break;
    used += static_cast<std::size_t>(n);
    if (used > kMaxPipeBytes) {
      return fail("a capture from a pipe may have 1 GiB; give a file instead",
                  "管道中的抓包最多 1 GiB，请改用文件");
    }
  }
  bytes.resize(used);
  return bytes;
}

}  // namespace

Result<CaptureFile> CaptureFile::open(const std::filesystem::path& path) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return system_failure("cannot be opened", "无法打开", errno);
  struct Closer {
    int descriptor;
    ~Closer() { ::close(descriptor); }
  } closer{descriptor};
  struct stat status {};
  if (::fstat(descriptor, &status) != 0) {
    return system_failure("cannot be read", "无法读取", errno);
  }
  CaptureFile file;
  if (S_ISDIR(status.st_mode)) return fail("is a directory", "是目录");
  if (S_ISREG(status.st_mode)) {
    file.size_ = static_cast<std::size_t>(status.st_size);
    if (file.size_ > 0) {
      void* const mapped = ::mmap(nullptr, file.size_, PROT_READ, MAP_PRIVATE, descriptor, 0);
      if (mapped == MAP_FAILED) return system_failure("cannot be mapped", "无法映射", errno);
      file.mapped_ = static_cast<std::uint8_t*>(mapped);
      ::madvise(mapped, file.size_, MADV_SEQUENTIAL);
    }
  } else {
    auto bytes = read_whole(descriptor);
    if (!bytes) return std::unexpected{bytes.error()};
    file.read_ = std::move(*bytes);
    file.size_ = file.read_.size();
  }
  auto reader = CaptureReader::open(
      {file.mapped_ != nullptr ? file.mapped_ : file.read_.data(), file.size_});
  if (!reader) return std::unexpected{reader.error()};
  file.reader_ = std::move(*reader);
  return file;
}

// Moving a vector keeps its elements where they are, so the reader's view stays valid.
CaptureFile::CaptureFile(CaptureFile&& other) noexcept
    : mapped_{std::exchange(other.mapped_, nullptr)},
      size_{std::exchange(other.size_, 0)},
      released_{other.released_},
      read_{std::move(other.read_)},
      reader_{std::move(other.reader_)} {}

CaptureFile::~CaptureFile() {
  if (mapped_ != nullptr) ::munmap(mapped_, size_);
}

std::optional<CapturedFrame> CaptureFile::next() {
  auto frame = reader_->next();
  while (mapped_ != nullptr && reader_->position() - released_ > 2 * kKeepBehind) {
    // kKeepBehind is a multiple of any page size.
    ::madvise(mapped_ + released_, kKeepBehind, MADV_DONTNEED);
    released_ += kKeepBehind;
  }
  return frame;
}

}  // namespace meiguan::analysis
