#include "controlplane/uplink/spool.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <map>
#include <memory>
#include <system_error>

#include "controlplane/lifecycle/files.h"

namespace meiguan::uplink {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kEnding = ".spool";
constexpr const char* kDroppedFile = "dropped";
constexpr auto kFlows = static_cast<std::size_t>(store::Stream::kFlows);
// What goes first, and is dropped last.
constexpr std::array kUrgency{static_cast<std::size_t>(store::Stream::kAlarms),
                              static_cast<std::size_t>(store::Stream::kDenied),
                              static_cast<std::size_t>(store::Stream::kBulk), kFlows};
static_assert(kUrgency.size() == store::kStreams);
constexpr std::array<std::string_view, store::kStreams> kHeads{"bulk-", "denied-", "alarms-",
                                                               "flows-"};

class File {
 public:
  File(const fs::path& path, int flags)
      : descriptor_{::open(path.c_str(), flags | O_CLOEXEC, 0600)} {}
  ~File() {
    if (descriptor_ >= 0) ::close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  [[nodiscard]] int get() const { return descriptor_; }

 private:
  int descriptor_;
};

bool write_all(int file, std::string_view bytes, std::uint64_t at) {
  while (!bytes.empty()) {
    const auto n = ::pwrite(file, bytes.data(), bytes.size(), static_cast<off_t>(at));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
    at += static_cast<std::uint64_t>(n);
  }
  return true;
}

std::unexpected<Error> trouble(const fs::path& path, int number) {
  const std::string why = std::strerror(number);
  return fail(fmt::format("spool: {}: {}", path.string(), why),
              fmt::format("上报缓存：{}：{}", path.string(), why));
}

}  // namespace

Spool::~Spool() = default;

fs::path Spool::path_of(std::size_t stream, std::uint64_t number) const {
  return options_.directory / fmt::format("{}{:016}{}", kHeads[stream], number, kEnding);
}

Result<std::unique_ptr<Spool>> Spool::open(SpoolOptions options) {
  options.cap_bytes = std::max(options.cap_bytes, 4 * options.segment_bytes);
  std::unique_ptr<Spool> spool{new Spool{std::move(options)}};
  if (auto loaded = spool->load(); !loaded) return std::unexpected{loaded.error()};
  return spool;
}

Result<void> Spool::load() {
  std::error_code error;
  fs::create_directories(options_.directory, error);
  if (error) return trouble(options_.directory, error.value());
  std::array<std::vector<std::uint64_t>, store::kStreams> found;
  for (fs::directory_iterator at{options_.directory, error}, end; !error && at != end;
       at.increment(error)) {
    const auto name = at->path().filename().string();
    for (std::size_t stream = 0; stream < kHeads.size(); ++stream) {
      if (!name.starts_with(kHeads[stream]) || !name.ends_with(kEnding)) continue;
      std::uint64_t number = 0;
      const char* const begin = name.data() + kHeads[stream].size();
      const char* const stop = name.data() + name.size() - kEnding.size();
      if (std::from_chars(begin, stop, number).ptr == stop) found[stream].push_back(number);
    }
  }
  if (error) return trouble(options_.directory, error.value());
  if (const auto text = lifecycle::read_file(options_.directory / kDroppedFile, 64); text) {
    const char* const end = text->data() + text->size();
    const auto all = std::from_chars(text->data(), end, dropped_);
    if (all.ptr != end) std::from_chars(all.ptr + 1, end, dropped_flows_);
  }
  for (std::size_t stream = 0; stream < found.size(); ++stream) {
    std::ranges::sort(found[stream]);
    for (const auto number : found[stream]) {
      next_number_ = std::max(next_number_, number + 1);
      load_segment(stream, number, number == found[stream].back());
    }
  }
  return {};
}

void Spool::load_segment(std::size_t stream, std::uint64_t number, bool last) {
  const auto path = path_of(stream, number);
  Segment segment;
  segment.number = number;
  constexpr std::size_t kMostBytes = std::size_t{1} << 30;
  const auto bytes = lifecycle::read_file(path, kMostBytes);
  std::string_view rest = bytes ? std::string_view{*bytes} : std::string_view{};
  const auto size = rest.size();
  while (!rest.empty()) {
    if (!take_record(rest)) break;
    segment.ends.push_back(size - rest.size());
  }
  if (!rest.empty() && !last) ++dropped_;  // one at least
  std::error_code error;
  if (segment.ends.empty()) {
    fs::remove(path, error);
    return;
  }
  if (!rest.empty()) fs::resize_file(path, segment.bytes(), error);
  segments_[stream].push_back(std::move(segment));
}

std::string Spool::read(std::size_t stream, const Segment& segment, std::size_t from,
                        std::size_t until) const {
  const auto begin = from == 0 ? 0 : segment.ends[from - 1];
  std::string bytes(segment.ends[until - 1] - begin, '\0');
  const File file{path_of(stream, segment.number), O_RDONLY};
  std::size_t have = 0;
  while (file.get() >= 0 && have < bytes.size()) {
    const auto n = ::pread(file.get(), bytes.data() + have, bytes.size() - have,
                           static_cast<off_t>(begin + have));
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) break;
    have += static_cast<std::size_t>(n);
  }
  bytes.resize(have);
  return bytes;
}

// All into one segment: a new one where the last is full.
Result<void> Spool::put(std::size_t stream, std::span<const std::string* const> records) {
  auto& segments = segments_[stream];
  const bool is_new = segments.empty() || segments.back().bytes() >= options_.segment_bytes;
  const auto number = is_new ? next_number_++ : segments.back().number;
  const auto begin = is_new ? 0 : segments.back().bytes();
  const auto path = path_of(stream, number);
  std::string bytes;
  for (const auto* const record : records) bytes += *record;
  const File file{path, O_WRONLY | O_CREAT};
  if (file.get() < 0) return trouble(path, errno);
  if (!write_all(file.get(), bytes, begin) || ::fdatasync(file.get()) != 0) {
    const int number_of_error = errno;
    static_cast<void>(::ftruncate(file.get(), static_cast<off_t>(begin)));
    if (is_new) ::unlink(path.c_str());
    return trouble(path, number_of_error);
  }
  if (is_new) {
    lifecycle::sync_directory(options_.directory);
    segments.push_back({number, {}, 0});
  }
  auto at = begin;
  for (const auto* const record : records) segments.back().ends.push_back(at += record->size());
  return {};
}

// The last `records` of the segment were put there in vain.
void Spool::take_back(std::size_t stream, std::uint64_t segment, std::size_t records) {
  auto& last = segments_[stream].back();
  if (last.number != segment) return;
  last.ends.resize(last.ends.size() - records);
  std::error_code error;
  fs::resize_file(path_of(stream, segment), last.bytes(), error);
  if (!last.ends.empty()) return;
  fs::remove(path_of(stream, segment), error);
  segments_[stream].pop_back();
}

Result<void> Spool::append(std::span<const std::string> records) {
  std::array<std::vector<const std::string*>, store::kStreams> parts;
  for (const auto& record : records) {
    RecordHeader header;
    if (record.size() < sizeof(header)) continue;
    std::memcpy(&header, record.data(), sizeof(header));
    if (header.stream < parts.size()) parts[header.stream].push_back(&record);
  }
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < kUrgency.size(); ++i) {
    const auto stream = kUrgency[i];
    if (parts[stream].empty()) continue;
    if (auto done = put(stream, parts[stream]); !done) {
      for (std::size_t k = 0; k < i; ++k) {
        const auto before = kUrgency[k];
        if (!parts[before].empty()) {
          take_back(before, segments_[before].back().number, parts[before].size());
        }
      }
      return done;
    }
  }
  keep_cap();
  return {};
}

void Spool::remove_front(std::size_t stream) {
  std::error_code error;
  fs::remove(path_of(stream, segments_[stream].front().number), error);
  segments_[stream].pop_front();
}

void Spool::save_dropped() const {
  static_cast<void>(lifecycle::write_atomically(options_.directory / kDroppedFile,
                                                fmt::format("{} {}", dropped_, dropped_flows_)));
}

void Spool::keep_cap() {
  const auto total = [&] {
    std::uint64_t sum = 0;
    for (const auto& all : segments_) {
      for (const auto& segment : all) sum += segment.bytes();
    }
    return sum;
  };
  bool changed = false;
  while (total() > options_.cap_bytes) {
    // Never the one that is being written.
    const auto least = std::ranges::find_if(kUrgency.rbegin(), kUrgency.rend(), [&](auto stream) {
      return segments_[stream].size() > 1;
    });
    if (least == kUrgency.rend()) break;
    const auto stream = *least;
    const auto& oldest = segments_[stream].front();
    const auto waited = oldest.ends.size() - oldest.done;
    dropped_ += waited;
    if (stream == kFlows) dropped_flows_ += waited;
    remove_front(stream);
    changed = true;
  }
  if (changed) save_dropped();
}

std::vector<Spool::Entry> Spool::next(std::size_t bytes) const {
  const std::lock_guard lock{mutex_};
  std::vector<Entry> entries;
  std::size_t taken = 0;
  for (const auto stream : kUrgency) {
    for (const auto& segment : segments_[stream]) {
      for (std::size_t i = segment.done; i < segment.ends.size(); ++i) {
        const auto size = segment.ends[i] - (i == 0 ? 0 : segment.ends[i - 1]);
        if (!entries.empty() && taken + size > bytes) return entries;
        taken += size;
        entries.push_back({stream, segment.number, i, read(stream, segment, i, i + 1)});
      }
    }
  }
  return entries;
}

void Spool::done(const Entry& entry, bool refused) {
  const std::lock_guard lock{mutex_};
  if (refused) ++refused_;
  auto& segments = segments_[entry.stream];
  const auto found = std::ranges::find(segments, entry.segment, &Segment::number);
  if (found == segments.end()) return;  // dropped meanwhile
  found->done = std::max(found->done, entry.index + 1);
  while (!segments.empty() && segments.front().done == segments.front().ends.size()) {
    remove_front(entry.stream);
  }
}

void Spool::each(const std::function<bool(const Record&)>& take) const {
  const std::lock_guard lock{mutex_};
  for (const auto stream : kUrgency) {
    for (const auto& segment : segments_[stream]) {
      const auto bytes = read(stream, segment, 0, segment.ends.size());
      for (std::string_view rest = bytes; !rest.empty();) {
        const auto record = take_record(rest);
        if (!record) break;
        if (!take(*record)) return;
      }
    }
  }
}

Spool::Status Spool::status() const {
  const std::lock_guard lock{mutex_};
  Status status;
  status.dropped = dropped_;
  status.dropped_flows = dropped_flows_;
  status.refused = refused_;
  for (const auto& all : segments_) {
    for (const auto& segment : all) {
      status.batches += segment.ends.size() - segment.done;
      status.bytes += segment.bytes();
    }
  }
  return status;
}

}  // namespace meiguan::uplink
