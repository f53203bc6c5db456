#pragma once

// The address plan of a policy: every prefix that a unit, an endpoint or a selector names, cut into
// atoms, sets of addresses that nothing in the policy tells apart.

#include <cstdint>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/image/trie_builder.h"

namespace meiguan::policy {

struct EndpointRef {
  ServiceId service;          // index into CheckedPolicy::services
  std::uint32_t endpoint{0};  // index into its endpoints
  auto operator<=>(const EndpointRef&) const = default;
};

struct PlannedAtom {
  UnitId unit;                         // by the longest prefix; none for none
  std::vector<std::uint32_t> nets;     // net selectors that hold it, ascending indexes of `nets`
  std::vector<EndpointRef> endpoints;  // that listen there, ascending
  bool translated{false};              // a [[translate]] in force covers it
  auto operator<=>(const PlannedAtom&) const = default;
};

struct NetSelector {
  SpaceId space;
  net::Prefix prefix;
  auto operator<=>(const NetSelector&) const = default;
};

struct SpacePlan {
  std::vector<image::PrefixValue> v4;  // prefix -> atom
  std::vector<image::PrefixValue> v6;
};

struct AddressPlan {
  std::vector<PlannedAtom> atoms;  // atoms[0] is that of addresses which nothing names
  std::vector<NetSelector> nets;   // ascending, unique
  std::vector<SpacePlan> spaces;   // by SpaceId

  // The index of a net selector of the policy.
  [[nodiscard]] std::uint32_t net_index(SpaceId space, const net::Prefix& prefix) const;
};

// `gateway` may be null: then every [[translate]] is in force.
[[nodiscard]] AddressPlan plan_addresses(const CheckedPolicy& policy,
                                         const CheckedGateway* gateway);

}  // namespace meiguan::policy
