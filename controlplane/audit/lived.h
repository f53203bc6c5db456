#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string_view>

namespace meiguan::audit {

// Milliseconds of CLOCK_BOOTTIME, which only goes forward.
[[nodiscard]] std::int64_t boot_milliseconds();

// How long a log has been kept, by a clock of its own: the time that its writer ran, by a clock
// that only goes forward, and what lay between two runs by the wall's, but a day at most each time.
// So a wall clock that jumps makes nothing old. What it said is in the log, as `lived_seconds` of
// the first record of each file and of every signature.
class Lived {
 public:
  using Clock = std::function<std::int64_t()>;  // milliseconds, only going forward
  static constexpr std::int64_t kMostBetweenSeconds = 86'400;
  static constexpr std::string_view kKey = "lived_seconds";

  explicit Lived(Clock steady);

  // Goes on where `file`, the bytes of the last one, ends. `wall` in milliseconds since 1970.
  void resume(std::string_view file, std::int64_t wall);
  [[nodiscard]] std::int64_t seconds() const;

  // What it said when a file began; nothing where the file does not say.
  [[nodiscard]] static std::optional<std::int64_t> at_start_of(const std::filesystem::path& file);

 private:
  Clock steady_;
  std::int64_t began_;              // by steady_
  std::int64_t before_seconds_{0};  // of the runs before
};

}  // namespace meiguan::audit
