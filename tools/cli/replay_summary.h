#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/replay.h"
#include "tools/cli/table.h"

namespace meiguan::cli {

// How many packets ended how, by verdict, reason, rule, unit and service.
class ReplaySummary {
 public:
  explicit ReplaySummary(const policy::Catalog& catalog);
  void add(std::span<const analysis::ReplayedPacket> packets) noexcept;
  // As `meiguan.replay-summary/v1`, or as lines under headings.
  void print(const Context& context, Format format, Out& out) const;
  // The same counts as rows: `of` verdict, reason, rule, unit or service; `name`; `packets`.
  [[nodiscard]] Table table() const;

 private:
  struct Part {
    const char* key;
    Text title;
    std::vector<std::pair<std::string, std::uint64_t>> counts;
  };
  [[nodiscard]] std::array<Part, 5> parts() const;

  const policy::Catalog& catalog_;
  std::array<std::uint64_t, fastpath::kReasonCodes> reasons_{};
  std::vector<std::uint64_t> rules_;
  std::vector<std::uint64_t> units_;
  std::vector<std::uint64_t> services_;
};

}  // namespace meiguan::cli
