#pragma once

#include <array>
#include <cstdint>
#include <span>
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

 private:
  const policy::Catalog& catalog_;
  std::array<std::uint64_t, fastpath::kReasonCodes> reasons_{};
  std::vector<std::uint64_t> rules_;
  std::vector<std::uint64_t> units_;
  std::vector<std::uint64_t> services_;
};

}  // namespace meiguan::cli
