#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/audit/lived.h"
#include "controlplane/audit/record.h"
#include "controlplane/crypto/keys.h"
#include "dataplane/base/result.h"

namespace meiguan::audit {

struct Settings {
  std::filesystem::path directory;
  crypto::HashKind hash{crypto::HashKind::kSha256};
  std::uint64_t file_bytes{std::uint64_t{16}
                           << 20};  // a file that is larger is followed by another
  // Files are removed only while all of them together are larger than this, and only those whose
  // last record is older than `keep_days` by the wall's clock and by the log's own; see Lived.
  std::uint64_t total_bytes{std::uint64_t{4} << 30};
  std::uint32_t keep_days{400};
  std::uint32_t sign_every{64};  // records
  Lived::Clock steady{boot_milliseconds};
};
inline constexpr std::uint32_t kLeastDays = 180;

// The audit log of a running program. Only ever appended to; each record is on disk (fsync) when
// append() returns. Safe from several threads.
class Log {
 public:
  using Clock = std::function<std::int64_t()>;  // milliseconds since 1970
  // What goes elsewhere too (syslog): each line that was written, as it stands in the file.
  using Watch = std::function<void(const Event&, std::string_view line)>;

  // Goes on with the log in the directory, which is made where there is none. A torn last record is
  // taken away and told of. A log that was tampered with is left as it is: a new file begins, whose
  // first record says what was wrong, and problem() says so too. `key` signs; its public part is
  // left in `key.pem`. Errors: the directory cannot be written.
  [[nodiscard]] static Result<std::unique_ptr<Log>> open(Settings settings,
                                                         std::optional<crypto::PrivateKey> key,
                                                         Clock clock, Watch watch = {});
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  // Errors: it could not be written; then nothing of it is in the log, and what it was to record
  // must not be done.
  [[nodiscard]] Result<void> append(const Event& event);
  // Room on disk for a few more records, so that what begins can also be recorded to its end.
  // Errors: there is none.
  [[nodiscard]] Result<void> reserve();
  // Signs what has not been signed yet.
  void sign_now();

  // What was wrong with the log when it was opened; empty texts: nothing.
  [[nodiscard]] const Text& problem() const noexcept { return problem_; }

 private:
  Log(Settings settings, std::optional<crypto::PrivateKey> key, Clock clock, Watch watch);

  [[nodiscard]] Result<void> resume();
  [[nodiscard]] Result<void> begin_file(std::uint64_t number, const Text& why);
  [[nodiscard]] Result<void> open_file(std::uint64_t number);
  [[nodiscard]] Result<void> write_event(const Event& event);
  [[nodiscard]] Result<void> write_line(std::string_view line);
  [[nodiscard]] Result<void> write_head(const Head& head);
  void sign_locked();
  void rotate();
  void remove_old();

  Settings settings_;
  std::optional<crypto::PrivateKey> key_;
  Clock clock_;
  Watch watch_;
  std::mutex mutex_;
  int file_{-1};
  int head_file_{-1};
  std::uint64_t file_number_{0};
  std::uint64_t file_bytes_{0};  // that are whole records
  bool must_cut_{false};         // bytes of a failed record may lie behind them
  Lived lived_;
  Head head_{0, std::string{kNoHash}};
  std::uint32_t unsigned_records_{0};
  Text problem_;
};

}  // namespace meiguan::audit
