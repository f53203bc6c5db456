#include "controlplane/report/flow_ring.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <limits>
#include <memory>
#include <system_error>
#include <utility>
#include <vector>

namespace meiguan::report {
namespace {

constexpr std::size_t kBlockBytes = std::size_t{256} << 10;
constexpr std::size_t kMaxLineBytes = std::size_t{64} << 10;
constexpr std::uint64_t kFilesInAll = 16;
constexpr std::string_view kHead = "flows-";
constexpr std::string_view kEnd = ".mgf";

std::optional<std::uint64_t> number_of(std::string_view name) {
  if (!name.starts_with(kHead) || !name.ends_with(kEnd)) return std::nullopt;
  name = name.substr(kHead.size(), name.size() - kHead.size() - kEnd.size());
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), number);
  if (error != std::errc{} || end != name.data() + name.size()) return std::nullopt;
  return number;
}

bool write_all(int descriptor, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::write(descriptor, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

// A file as it is now; a file that goes away meanwhile stays readable.
FlowFileRead read_mapped(const std::filesystem::path& path, std::int64_t since_ms,
                         std::int64_t until_ms, const FlowLineSink& sink,
                         const FlowBlockChoice& wanted) {
  const int descriptor = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return {};
  struct stat status {};
  FlowFileRead result;
  if (::fstat(descriptor, &status) == 0 && status.st_size > 0) {
    const auto bytes = static_cast<std::size_t>(status.st_size);
    void* const data = ::mmap(nullptr, bytes, PROT_READ, MAP_SHARED, descriptor, 0);
    if (data != MAP_FAILED) {
      result = read_flow_file({static_cast<const std::byte*>(data), bytes}, since_ms, until_ms,
                              sink, wanted);
      ::munmap(data, bytes);
    }
  }
  ::close(descriptor);
  return result;
}

}  // namespace

FlowRing::FlowRing(std::filesystem::path directory, std::uint64_t cap_bytes)
    : directory_{std::move(directory)}, cap_{cap_bytes} {}

Result<std::unique_ptr<FlowRing>> FlowRing::open(const std::filesystem::path& directory,
                                                 std::uint64_t cap_bytes) {
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  std::unique_ptr<FlowRing> ring{new FlowRing{directory, cap_bytes}};
  std::vector<std::pair<std::uint64_t, File>> found;
  std::filesystem::directory_iterator at{directory, error};
  for (; !error && at != std::filesystem::directory_iterator{}; at.increment(error)) {
    const auto number = number_of(at->path().filename().string());
    if (!number) continue;
    std::error_code unknown;
    const auto bytes = std::filesystem::file_size(at->path(), unknown);
    found.push_back({*number, {at->path(), unknown ? 0 : bytes}});
  }
  if (error) {
    return fail(fmt::format("flow records: {}: {}", directory.string(), error.message()),
                fmt::format("流记录：{}：{}", directory.string(), error.message()));
  }
  std::ranges::sort(found, {}, &std::pair<std::uint64_t, File>::first);
  for (auto& [number, file] : found) {
    ring->next_ = number + 1;
    ring->files_.push_back(std::move(file));
  }
  ring->load_marks();
  return ring;
}

// A batch whose node was not yet told that it is here came last: the latest files know of it.
void FlowRing::load_marks() {
  constexpr std::size_t kFiles = 2;
  const auto from = files_.size() - std::min(files_.size(), kFiles);
  for (auto i = from; i < files_.size(); ++i) {
    FlowBlockOrigin latest;
    static_cast<void>(read_mapped(
        files_[i].path, std::numeric_limits<std::int64_t>::min(),
        std::numeric_limits<std::int64_t>::max(),
        [&](std::string_view) {  // a line: its block is whole
          marks_[std::string{latest.code()}] = {latest.epoch, latest.sequence};
          return true;
        },
        [&](const FlowBlockOrigin& origin) {
          latest = origin;
          return !origin.code().empty();
        }));
  }
}

bool FlowRing::append(const FlowBlockOrigin& origin, const store::FlowLines& lines) {
  const std::lock_guard lock{mutex_};
  const std::pair mark{origin.epoch, origin.sequence};
  const auto found = marks_.find(origin.code());
  if (found != marks_.end() && found->second >= mark) return true;
  write_block();
  const auto block = pack_flow_block(lines.text, lines.count, lines.first_ms, lines.last_ms,
                                     origin);
  if (!put(block, lines.count)) return false;
  if (descriptor_ >= 0 && ::fdatasync(descriptor_) != 0) return false;
  marks_[std::string{origin.code()}] = mark;
  return true;
}

FlowRing::~FlowRing() {
  flush();
  end_file();
}

void FlowRing::append(std::int64_t time_ms, std::string_view line) {
  const std::lock_guard lock{mutex_};
  if (line.size() > kMaxLineBytes) {
    ++lost_;
    return;
  }
  if (lines_.size() + line.size() + 1 > kBlockBytes) write_block();
  first_ms_ = count_ == 0 ? time_ms : std::min(first_ms_, time_ms);
  last_ms_ = count_ == 0 ? time_ms : std::max(last_ms_, time_ms);
  ++count_;
  lines_ += line;
  lines_ += '\n';
}

void FlowRing::flush() {
  const std::lock_guard lock{mutex_};
  write_block();
}

bool FlowRing::begin_file() {
  const auto path = directory_ / fmt::format("{}{:010}{}", kHead, next_, kEnd);
  descriptor_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0640);
  if (descriptor_ < 0) return false;
  ++next_;
  files_.push_back({path, 0});
  if (!write_all(descriptor_, kFlowFileMagic)) return false;
  files_.back().bytes = kFlowFileMagic.size();
  return true;
}

void FlowRing::end_file() {
  if (descriptor_ < 0) return;
  ::fdatasync(descriptor_);
  ::close(descriptor_);
  descriptor_ = -1;
}

void FlowRing::write_block() {
  if (count_ == 0) return;
  const std::string block = pack_flow_block(lines_, count_, first_ms_, last_ms_);
  const std::uint32_t count = std::exchange(count_, 0);
  lines_.clear();
  static_cast<void>(put(block, count));
}

bool FlowRing::put(const std::string& block, std::uint32_t lines) {
  std::uint64_t all = block.size();
  for (const auto& file : files_) all += file.bytes;
  while (all > cap_ && files_.size() > (descriptor_ >= 0 ? 1U : 0U)) {
    std::error_code error;
    std::filesystem::remove(files_.front().path, error);
    all -= files_.front().bytes;
    files_.pop_front();
  }
  const bool begun = descriptor_ >= 0 || begin_file();
  if (!begun || block.empty() || !write_all(descriptor_, block)) {
    // Half a block is the end of a file: what comes goes to another.
    lost_ += lines;
    end_file();
    return false;
  }
  files_.back().bytes += block.size();
  if (files_.back().bytes >= std::max<std::uint64_t>(cap_ / kFilesInAll, 1)) end_file();
  return true;
}

FlowFileRead FlowRing::read(std::int64_t since_ms, std::int64_t until_ms, const FlowLineSink& sink,
                            const FlowBlockChoice& wanted) {
  std::vector<std::filesystem::path> paths;
  {
    const std::lock_guard lock{mutex_};
    write_block();
    for (const auto& file : files_) paths.push_back(file.path);
  }
  FlowFileRead all;
  for (const auto& path : paths) {
    const auto one = read_mapped(path, since_ms, until_ms, sink, wanted);
    all.blocks += one.blocks;
    all.damaged += one.damaged;
    all.enough = one.enough;
    if (one.enough) break;
  }
  return all;
}

std::uint64_t FlowRing::lost() const {
  const std::lock_guard lock{mutex_};
  return lost_;
}

std::uint64_t FlowRing::bytes() const {
  const std::lock_guard lock{mutex_};
  std::uint64_t all = 0;
  for (const auto& file : files_) all += file.bytes;
  return all;
}

}  // namespace meiguan::report
