#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <map>
#include <mutex>
#include <string>
#include <vector>

#include "controlplane/lifecycle/revision.h"
#include "dataplane/base/result.h"

namespace meiguan::access {

// Users who are refused too often within a span of time are locked out for as long, over restarts
// of the program and of the machine, too. What they are allowed in between takes nothing back:
// whoever may ask one thing could else try all others for ever (NIST SP 800-53 AC-7, failures
// within a time period; GB/T 22239 8.1.4.1). Safe from several threads.
class Lockout {
 public:
  // `after` refusals within any `minutes` lock out for `minutes` from the last of them.
  // What is counted is kept in `file`; without one it ends with this object. `boot_id` tells this
  // run of the machine from others.
  Lockout(std::uint32_t after, std::uint32_t minutes, std::filesystem::path file = {},
          std::string boot_id = lifecycle::boot_id());

  // Seconds that `uid` stays locked out; 0: it is not.
  [[nodiscard]] std::int64_t seconds_left(uid_t uid, const lifecycle::Instant& now) const;
  // True where this refusal locks the user out.
  bool refused(uid_t uid, const lifecycle::Instant& now);
  // Why a restart would forget what is counted, or has forgotten it; empty: it does not.
  [[nodiscard]] Text problem() const;

 private:
  struct Count {
    // When each stops counting, the oldest first; the lock ends with the last of them.
    std::vector<lifecycle::Deadline> refusals;
    bool locked{false};
  };
  using Counts = std::map<uid_t, Count>;
  static constexpr std::size_t kMostUsers = 4096;

  [[nodiscard]] static std::string to_text(const Counts& counts);
  [[nodiscard]] static Result<Counts> read(const std::filesystem::path& file);
  [[nodiscard]] bool is_over(const lifecycle::Deadline& refusal,
                             const lifecycle::Instant& now) const;
  void keep();

  const std::uint32_t after_;
  const std::int64_t seconds_;
  const std::filesystem::path file_;
  const std::string boot_id_;
  mutable std::mutex mutex_;  // of all that follows
  Counts counts_;
  Text problem_;
};

}  // namespace meiguan::access
