#pragma once

// How the naive twin matches one rule against one packet: selectors, groups, ports, and what an
// allow may open (policy.md section 3).

#include <cstdint>
#include <vector>

#include "controlplane/policy/model.h"
#include "tests/property/naive_decide.h"

namespace meiguan::property {

[[nodiscard]] bool matches(const policy::PortMatch& match, std::uint8_t protocol,
                           std::uint16_t value);

// A packet with the objects at its two ends.
struct Case {
  const policy::CheckedPolicy& policy;
  const Packet& packet;
  const Ends& ends;
  UnitId unit;
  UnitId to_unit;
  std::vector<ServiceId> services;

  [[nodiscard]] const policy::Unit* unit_of(UnitId id) const {
    return id.is_some() ? &policy.units[id.index()] : nullptr;
  }
  // The zones of the destination's objects.
  [[nodiscard]] std::vector<ZoneId> object_zones() const {
    std::vector<ZoneId> zones;
    if (to_unit.is_some()) zones.push_back(policy.units[to_unit.index()].zone);
    for (const auto s : services) zones.push_back(policy.services[s.index()].zone);
    return zones;
  }
};

// Whether a rule matches, and by which services it names the destination.
struct RuleMatch {
  bool matches{false};
  std::vector<ServiceId> named;
};

// Whether the source is one of a list of selectors.
[[nodiscard]] bool from_matches(const Case& c, const std::vector<policy::Selector>& list);
// Whether the source is one of the rule's.
[[nodiscard]] bool from_matches(const Case& c, const policy::Rule& rule);
[[nodiscard]] bool offers_to(const policy::CheckedPolicy& policy, const policy::Service& service,
                             const policy::Unit& unit);
// Whether `service`, of a node above the rule's, was offered to all that `rule` sends from: to
// units of the rule's own subtree, one at least.
[[nodiscard]] bool is_offered(const policy::CheckedPolicy& policy, const policy::Rule& rule,
                              ServiceId service);

[[nodiscard]] RuleMatch rule_matches(const Case& c, const policy::Rule& rule);

}  // namespace meiguan::property
