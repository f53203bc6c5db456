#pragma once

// What must not be blocked by mistake: the gateway itself, what it stands on, and what the policy
// protects.

#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/base/text.h"

namespace meiguan::lifecycle {

// The label that protects a service's endpoints.
inline constexpr std::string_view kProtectedLabel = "protected";

struct ProtectedPrefix {
  std::string zone;  // of a private zone; empty: the shared address space
  net::Prefix prefix;
  Text what;  // "address 10.64.37.1 of port lan"
};

// The gateway's own addresses, the next hops of its routes, public addresses, pools and `outside`s
// that are in force at it, services with the label `protected`, and the management network: units
// of management zones and the subnets of ports in them.
[[nodiscard]] std::vector<ProtectedPrefix> protected_prefixes(
    const policy::CheckedPolicy& policy, const policy::CheckedGateway* gateway);

class ProtectedList {
 public:
  ProtectedList() = default;
  explicit ProtectedList(std::vector<ProtectedPrefix> prefixes);

  // What shares an address with the prefix, or null.
  [[nodiscard]] const ProtectedPrefix* meets(const std::string& zone,
                                             const net::Prefix& prefix) const;

 private:
  std::vector<ProtectedPrefix> prefixes_;  // ascending; none inside another
};

}  // namespace meiguan::lifecycle
