#pragma once

// What two policies let by differently: exactly, over all packets and every instant from a given
// one on. Both matrices are walked at once by their classes (joint.h); packets that neither policy
// tells apart are one case, and a pair of blocks that many sources share is compared once.

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/analysis/joint.h"
#include "controlplane/analysis/probe.h"
#include "dataplane/fastpath/decision.h"

namespace meiguan::analysis {

// One end of a change, as people know it.
struct ChangeEnd {
  enum class Kind : std::uint8_t { kUnit, kService, kZone };
  Kind kind{};
  std::string id;    // of the unit or service; of the zone where there is neither
  std::string name;  // empty for a zone
  std::string node;  // code of its node; empty for a zone
  std::string node_name;
  auto operator<=>(const ChangeEnd&) const = default;
};

// A packet that only one of the policies lets by.
struct ChangeExample {
  net::Address from;
  Destination to;
  std::string from_zone;
  std::string to_zone;
  std::int64_t at{0};
  bool timed{false};  // at other instants it may not be so, or by other rules
  // By side. Where a zone does not exist, the reason is kZoneIsolated.
  Sides<fastpath::Decision> decisions;
};

// `from` gains or loses access to `to`. Objects are those of the policy that lets the packet by:
// the source's unit, else its zone; the most specific service, else the unit, else the zone.
struct AccessChange {
  bool gains{false};
  ChangeEnd from;
  ChangeEnd to;
  ChangeExample example;
};

struct AccessChanges {
  std::vector<AccessChange> changes;  // by from's node, from, to, gains before losses
  bool all{true};                     // false: there are more than were asked for
};

// At most `most` changes; every instant at or after `from` counts.
[[nodiscard]] AccessChanges diff_access(const Sides<PolicySide>& sides, std::int64_t from,
                                        std::size_t most);

}  // namespace meiguan::analysis
