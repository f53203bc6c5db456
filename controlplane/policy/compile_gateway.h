#pragma once

// The gateway's part of an image: ports, their addresses, routes of every space, static neighbours.

#include <vector>

#include "controlplane/policy/compile_nat.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/format.h"
#include "dataplane/image/trie_builder.h"

namespace meiguan::policy {

struct GatewayPlan {
  std::vector<image::PortRecord> ports;
  std::vector<image::PortAddress> addresses;
  std::vector<image::RouteRecord> routes;
  std::vector<image::NeighbourRecord> neighbours;
  struct Space {
    std::vector<image::PrefixValue> v4;  // prefix -> route
    std::vector<image::PrefixValue> v6;
  };
  std::vector<Space> spaces;  // by SpaceId
  std::vector<image::LocalService> locals;
};

// Connected subnets, own addresses (the first of a connected IPv6 subnet too, RFC 4291 section
// 2.6.1, but RFC 6164), directed broadcasts (RFC 2644) and the routes as written.
// `nat` are the public prefixes that lead to translations.
[[nodiscard]] GatewayPlan plan_gateway(const CheckedPolicy& policy, const CheckedGateway& gateway,
                                       const std::vector<NatRoute>& nat);

}  // namespace meiguan::policy
