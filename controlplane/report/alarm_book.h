#pragma once

// Which alarms stand at this node, and when that is news: made of what is seen every few seconds.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "controlplane/store/row.h"

namespace meiguan::report {

// One alarm of what is seen at an instant.
struct SeenAlarm {
  std::string name;
  std::string kind;
  std::string about;
  std::int64_t packets{0};
  bool adds{false};  // `packets` are those since it was seen last, not all of them
};

class AlarmBook {
 public:
  static constexpr std::size_t kMost = 100;  // that stand; one more says that there are more
  static constexpr std::int64_t kQuietSeconds = 60;    // not seen for so long, it is over
  static constexpr std::int64_t kReportSeconds = 10;   // between two reports, at least
  static constexpr std::int64_t kPacketsSeconds = 60;  // where only numbers of packets are new

  // Everything that is seen now, in seconds since 1970. All alarms that stand, where that is to be
  // reported: the first time, where one came or went, and from time to time where they count.
  [[nodiscard]] std::optional<std::vector<store::Alarm>> take(std::span<const SeenAlarm> seen,
                                                              std::int64_t now);

 private:
  // Kind and name; of attacks whom they are about, of others which one of that name it is: what is
  // said of those changes while they stand.
  using Key = std::tuple<std::string, std::string, std::string>;
  struct Standing {
    store::Alarm alarm;
    std::int64_t seen{0};
  };
  void see(Key key, const SeenAlarm& seen, std::int64_t now);
  [[nodiscard]] std::vector<store::Alarm> list(std::int64_t now) const;

  std::map<Key, Standing> standing_;
  std::optional<std::int64_t> reported_;
  bool changed_{false};
  bool counted_{false};
};

}  // namespace meiguan::report
