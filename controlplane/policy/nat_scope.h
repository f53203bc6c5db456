#pragma once

// What a policy translates, and where it is in force: at a gateway what stands at its node and at
// the nodes above; without a gateway what stands anywhere in the tree.

#include <cstdint>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::policy {

// Public addresses of the shared space that mean something else to the gateway.
struct NatRange {
  net::Prefix prefix;
  image::NatKind kind{};
  std::uint32_t object{0};  // into publishes, egresses or translates
  NodeId node;
  Place place;  // of the object
};

// All of the tree: public addresses, pools, and outsides; in the order of the objects.
[[nodiscard]] std::vector<NatRange> nat_ranges(const CheckedPolicy& policy);

// "pool 203.0.113.32/28 of egress `unified-exit`"
[[nodiscard]] Text nat_range_text(const CheckedPolicy& policy, const NatRange& range);

// Whether what stands at `node` is in force at `gateway`; null: without a gateway.
[[nodiscard]] bool is_in_force(const CheckedPolicy& policy, NodeId node,
                               const CheckedGateway* gateway);

// The egresses in force, in the order in which they are tried: those of the gateway's node, then of
// the nodes above, the nearest first; of one node in the order of their lines.
[[nodiscard]] std::vector<std::uint32_t> egresses_in_force(const CheckedPolicy& policy,
                                                           const CheckedGateway* gateway);

// Whether `from` matches the unit through what it is (`net:` aside). Groups must have no cycle.
[[nodiscard]] bool names_unit(const CheckedPolicy& policy, const std::vector<Selector>& from,
                              const Unit& unit);

// The IPv6 prefixes of the `net:` selectors of an egress, in groups too.
[[nodiscard]] std::vector<net::Prefix> npt_nets(const CheckedPolicy& policy, const Egress& egress);

// The IPv6 prefixes whose addresses an egress can translate: of units that it names, and of `net:`
// selectors in it. Ascending, unique.
[[nodiscard]] std::vector<net::Prefix> npt_sources(const CheckedPolicy& policy,
                                                   const Egress& egress);

}  // namespace meiguan::policy
