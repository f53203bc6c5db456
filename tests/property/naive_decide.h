#pragma once

// The naive twin of the decision: what policy.md says, rule by rule, over the checked policy. It
// shares nothing with the compiler, the image or fastpath/decide.cc, so that they can be compared.

#include <optional>
#include <string>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/net/address.h"

namespace meiguan::property {

struct Packet {
  net::Address source;
  net::Address destination;
  std::uint8_t protocol{6};
  std::uint16_t value{0};  // destination port or ICMP type; 0 for other protocols
};

// The two ends as they are to be judged. With a gateway the zones are those of the ports; without
// one `by_objects` is set, and they are the zones of ends that have no object.
struct Ends {
  SpaceId from_space;
  SpaceId to_space;
  ZoneId from_zone;
  ZoneId to_zone;
  bool by_objects{false};
  std::int64_t at{0};  // when: seconds since 1970-01-01T00:00Z
  // At which gateway; null: without one, when all of the tree is in force.
  const policy::CheckedGateway* gateway{nullptr};
};

struct Answer {
  fastpath::Reason reason{};
  std::string rule;  // full name; empty for none
  std::string unit;
  std::string to_unit;
  std::string service;
  std::vector<std::string> audits;  // sorted
  // The text does not say which of two reasons holds (objects of several zones): either will do.
  bool either_isolation{false};
};

// The unit with the longest prefix at an address, or none.
[[nodiscard]] UnitId unit_at(const policy::CheckedPolicy& policy, SpaceId space,
                             const net::Address& address);
// Every service that a packet is in, in the order of the policy.
[[nodiscard]] std::vector<ServiceId> services_at(const policy::CheckedPolicy& policy, SpaceId space,
                                                 const Packet& packet);

// Whether a rule is there at an instant: its dates and its schedule (naive_time.cc).
[[nodiscard]] bool is_there(const policy::CheckedPolicy& policy, const policy::Rule& rule,
                            std::int64_t at);

// Whether an [[egress]] in force covers the source of a packet: policy.md section 6 (naive_nat.cc).
[[nodiscard]] bool has_egress(const policy::CheckedPolicy& policy, const Packet& packet,
                              const Ends& ends);
// Whether a [[translate]] in force covers an address.
[[nodiscard]] bool has_translate(const policy::CheckedPolicy& policy, SpaceId space,
                                 const net::Address& address, const Ends& ends);

// Isolation and rules: policy.md sections 3 and 4.
[[nodiscard]] Answer decide(const policy::CheckedPolicy& policy, const Packet& packet,
                            const Ends& ends);

// Everything from the source's kind on: policy.md section 5, for a first packet that is
// well-formed, carries the registered MAC, and came in by `in` at an instant.
[[nodiscard]] Answer judge(const policy::CheckedPolicy& policy,
                           const policy::CheckedGateway& gateway, PortId in, const Packet& packet,
                           std::int64_t at);

}  // namespace meiguan::property
