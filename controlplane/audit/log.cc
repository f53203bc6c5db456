#include "controlplane/audit/log.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <boost/json.hpp>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iterator>
#include <utility>

#include "controlplane/audit/verify.h"

namespace meiguan::audit {
namespace {

constexpr std::int64_t kDaySeconds = 86'400;
constexpr std::int64_t kDayMilliseconds = kDaySeconds * 1000;
constexpr off_t kReservedBytes = 4 * static_cast<off_t>(kMaxLineBytes);
constexpr const char* kDaemon = "meiguan-controld";

std::unexpected<Error> failure(const std::filesystem::path& path) {
  const int error = errno;
  return fail(fmt::format("{}: the audit log cannot be written: {}", path.string(),
                          std::strerror(error)),
              fmt::format("{}：审计日志无法写入：{}", path.string(), std::strerror(error)));
}

bool write_all(int file, std::string_view bytes) {
  while (!bytes.empty()) {
    const auto n = ::write(file, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

void sync_directory(const std::filesystem::path& directory) {
  const int opened = ::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (opened < 0) return;
  static_cast<void>(::fsync(opened));
  ::close(opened);
}

std::optional<std::string> bytes_of(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary};
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>{file}, {}};
}

Event own_event(std::string event, boost::json::object detail) {
  return {kDaemon,          static_cast<std::uint32_t>(::geteuid()), "", std::move(event), "noted",
          std::move(detail)};
}

// When the last record of a file was written; nothing where it cannot be told.
std::optional<std::int64_t> last_time(const std::filesystem::path& path) {
  std::ifstream file{path, std::ios::binary | std::ios::ate};
  if (!file) return std::nullopt;
  const auto size = static_cast<std::streamoff>(file.tellg());
  const auto from = std::max<std::streamoff>(0, size - static_cast<std::streamoff>(kMaxLineBytes));
  file.seekg(from);
  const std::string tail{std::istreambuf_iterator<char>{file}, {}};
  constexpr std::string_view kTime = "\"time\":\"";
  const auto at = tail.rfind(kTime);
  if (at == tail.npos) return std::nullopt;
  return time_of(std::string_view{tail}.substr(at + kTime.size(), 24));
}

}  // namespace

Log::Log(Settings settings, std::optional<crypto::PrivateKey> key, Clock clock, Watch watch)
    : settings_{std::move(settings)},
      key_{std::move(key)},
      clock_{std::move(clock)},
      watch_{std::move(watch)},
      lived_{settings_.steady} {}

Log::~Log() {
  if (file_ >= 0) ::close(file_);
  if (head_file_ >= 0) ::close(head_file_);
}

Result<std::unique_ptr<Log>> Log::open(Settings settings, std::optional<crypto::PrivateKey> key,
                                       Clock clock, Watch watch) {
  std::unique_ptr<Log> log{
      new Log{std::move(settings), std::move(key), std::move(clock), std::move(watch)}};
  auto resumed = log->resume();
  if (!resumed) return std::unexpected{std::move(resumed.error())};
  return log;
}

Result<void> Log::resume() {
  const auto& directory = settings_.directory;
  std::error_code error;
  std::filesystem::create_directories(directory, error);
  static_cast<void>(::chmod(directory.c_str(), 0750));
  const auto head_path = directory / kHeadName;
  const auto head_bytes = bytes_of(head_path);
  head_file_ = ::open(head_path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0640);
  if (head_file_ < 0) return failure(head_path);
  // Two writers would break the chain: the second daemon by mistake gets no log.
  if (::flock(head_file_, LOCK_EX | LOCK_NB) != 0) return failure(head_path);
  if (key_) {
    std::ofstream own{directory / kKeyName, std::ios::binary};
    own << key_->public_key().to_pem();
    if (!own.flush()) return failure(directory / kKeyName);
  }
  const auto files = files_of(directory);
  if (files.empty()) {
    if (head_bytes && !head_bytes->empty()) {
      problem_ = {"the files of the audit log are gone", "审计日志文件不在了"};
      if (const auto head = head_from_text(*head_bytes)) head_ = *head;
      return begin_file(1, problem_);
    }
    return begin_file(1, {});
  }
  // The files before the last are `audit verify`'s to look at: they are closed by its chain.
  const auto& last = files.back();
  const auto bytes = bytes_of(last.path);
  if (!bytes) return failure(last.path);
  lived_.resume(*bytes, clock_());
  Verifier verifier{key_ ? std::optional{key_->public_key()} : std::nullopt};
  verifier.add_file(last.path.filename().string(), last.number, *bytes, true);
  const auto verdict = verifier.finish(head_bytes);
  const auto head = head_bytes ? head_from_text(*head_bytes) : std::optional<Head>{};
  head_ = {std::max(verdict.last, head ? head->number : 0), verdict.last_hash};
  const auto real = std::ranges::find_if(verdict.flaws, [](const Flaw& flaw) {
    // That files before are missing is seen by looking at all of them.
    return flaw.kind != FlawKind::kTorn &&
           !(flaw.kind == FlawKind::kCut && flaw.text.english.starts_with("files before"));
  });
  if (real != verdict.flaws.end()) {
    problem_ = {fmt::format("{}: {}", real->file, real->text.english),
                fmt::format("{}：{}", real->file, real->text.chinese)};
    return begin_file(last.number + 1, problem_);
  }
  if (auto opened = open_file(last.number); !opened) return opened;
  file_bytes_ = bytes->size() - verdict.torn_bytes;
  unsigned_records_ = static_cast<std::uint32_t>(
      std::min<std::uint64_t>(verdict.unsigned_records, settings_.sign_every));
  if (verdict.torn_bytes == 0) return {};
  must_cut_ = true;
  return write_event(own_event("torn", {{"bytes", verdict.torn_bytes}}));
}

Result<void> Log::open_file(std::uint64_t number) {
  const auto path = settings_.directory / file_name(number);
  const int file = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW,
                          0640);
  if (file < 0) return failure(path);
  if (file_ >= 0) ::close(file_);
  file_ = file;
  file_number_ = number;
  sync_directory(settings_.directory);
  return {};
}

Result<void> Log::begin_file(std::uint64_t number, const Text& why) {
  if (auto opened = open_file(number); !opened) return opened;
  file_bytes_ = 0;
  boost::json::object detail{{"format", kFormat},
                             {"file", number},
                             {"hash", crypto::name_of(settings_.hash)},
                             {"before", head_.hash},
                             {Lived::kKey, lived_.seconds()}};
  if (!why.english.empty()) detail.emplace("problem", why.english);
  return write_event(own_event("file", std::move(detail)));
}

Result<void> Log::write_line(std::string_view line) {
  const auto path = settings_.directory / file_name(file_number_);
  if (must_cut_ && ::ftruncate(file_, static_cast<off_t>(file_bytes_)) != 0) return failure(path);
  must_cut_ = false;
  if (!write_all(file_, line) || ::fdatasync(file_) != 0) {
    auto error = failure(path);
    // What was written of it goes away again, now or before the next record.
    must_cut_ = ::ftruncate(file_, static_cast<off_t>(file_bytes_)) != 0;
    return error;
  }
  file_bytes_ += line.size();
  return {};
}

Result<void> Log::write_head(const Head& head) {
  const auto text = head_text(head);
  // Within one sector: written whole or not at all.
  if (::pwrite(head_file_, text.data(), text.size(), 0) != static_cast<ssize_t>(text.size()) ||
      ::fdatasync(head_file_) != 0) {
    return failure(settings_.directory / kHeadName);
  }
  return {};
}

Result<void> Log::write_event(const Event& event) {
  const auto number = head_.number + 1;
  auto line = line_of(event, number, time_text(clock_()), settings_.hash, head_.hash);
  const auto split = split_line(line);
  const Head head{number, std::string{split->hash}};
  line += '\n';
  if (auto written = write_line(line); !written) return written;
  head_ = head;
  ++unsigned_records_;
  // The record is there; a head that lags behind is told of by `audit verify`.
  static_cast<void>(write_head(head));
  if (watch_) watch_(event, std::string_view{line}.substr(0, line.size() - 1));
  return {};
}

void Log::sign_locked() {
  if (!key_ || unsigned_records_ == 0) return;
  const auto signature = key_->sign(signed_text(head_.number, head_.hash));
  if (!signature) return;
  const auto done = write_event(own_event("signature", {{"kind", crypto::name_of(key_->kind())},
                                                        {"key", key_->public_key().id()},
                                                        {"signature", crypto::base64(*signature)},
                                                        {Lived::kKey, lived_.seconds()}}));
  if (done) unsigned_records_ = 0;
}

void Log::rotate() {
  sign_locked();
  // Where no file can be begun, the old one goes on.
  if (begin_file(file_number_ + 1, {})) remove_old();
}

void Log::remove_old() {
  auto files = files_of(settings_.directory);
  std::uint64_t total = 0;
  for (const auto& file : files) {
    std::error_code ignored;
    const auto size = std::filesystem::file_size(file.path, ignored);
    if (!ignored) total += size;
  }
  const auto days = std::max(settings_.keep_days, kLeastDays);
  const auto oldest = clock_() - kDayMilliseconds * static_cast<std::int64_t>(days);
  const auto lived_before = lived_.seconds() - kDaySeconds * static_cast<std::int64_t>(days);
  for (std::size_t i = 0; i + 1 < files.size(); ++i) {
    const auto& file = files[i];
    const auto time = last_time(file.path);
    // Its last record is no younger than the first one of the next file.
    const auto lived = Lived::at_start_of(files[i + 1].path);
    if (total <= settings_.total_bytes || file.number == file_number_ || !time || *time > oldest ||
        !lived || *lived > lived_before) {
      return;
    }
    std::error_code error;
    const auto size = std::filesystem::file_size(file.path, error);
    if (!write_event(own_event("expired", {{"file", file.number}, {"keep_days", days}}))) return;
    std::filesystem::remove(file.path, error);
    total -= std::min(total, static_cast<std::uint64_t>(size));
  }
}

Result<void> Log::append(const Event& event) {
  const std::lock_guard lock{mutex_};
  if (file_bytes_ >= settings_.file_bytes) rotate();
  auto written = write_event(event);
  if (written && unsigned_records_ >= settings_.sign_every) sign_locked();
  return written;
}

Result<void> Log::reserve() {
  const std::lock_guard lock{mutex_};
  if (::fallocate(file_, FALLOC_FL_KEEP_SIZE, static_cast<off_t>(file_bytes_), kReservedBytes) ==
          0 ||
      errno == EOPNOTSUPP) {
    return {};
  }
  return failure(settings_.directory / file_name(file_number_));
}

void Log::sign_now() {
  const std::lock_guard lock{mutex_};
  sign_locked();
}

}  // namespace meiguan::audit
