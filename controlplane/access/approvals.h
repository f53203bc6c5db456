#pragma once

// What one security administrator has approved, so that another may put it in force.

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "dataplane/base/result.h"

namespace meiguan::access {

// Approvals of contents by their hash, each for one day and for one change; kept in a file, so that
// they outlast the program. Times are seconds since 1970. Not for several threads at once.
class Approvals {
 public:
  // Without a file nothing is kept.
  explicit Approvals(std::filesystem::path file);

  // Errors: not a hash (64 hexadecimal digits); too many of this user's wait; the disk.
  [[nodiscard]] Result<void> add(const std::string& content, uid_t uid, std::int64_t now);
  // Whether somebody else than `uid` approves of it.
  [[nodiscard]] bool has(const std::string& content, uid_t uid, std::int64_t now);
  // It is in force: to put it in force once more is another change. Errors: the disk.
  [[nodiscard]] Result<void> use(const std::string& content);
  // Why what was kept was not read; empty: it was.
  [[nodiscard]] const Text& problem() const noexcept { return problem_; }

 private:
  static constexpr std::int64_t kSeconds = 86'400;
  static constexpr std::int64_t kMostOfOne = 100;
  struct Approval {
    uid_t uid{0};
    std::string content;
    std::int64_t until{0};
  };

  [[nodiscard]] static std::string to_text(const std::vector<Approval>& approvals);
  [[nodiscard]] static Result<std::vector<Approval>> read(const std::filesystem::path& file);
  [[nodiscard]] Result<void> keep() const;
  void forget_old(std::int64_t now);

  std::filesystem::path file_;
  std::vector<Approval> approvals_;
  Text problem_;
};

}  // namespace meiguan::access
