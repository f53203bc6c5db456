#pragma once

// Every packet of a small policy, counted out from the policy alone: of addresses, protocols and
// ports that nothing in it tells apart, one. For comparing what prove and diff say of all packets.

#include <cstdint>
#include <vector>

#include "controlplane/policy/model.h"
#include "dataplane/image/moment.h"
#include "dataplane/image/reader.h"
#include "tests/property/naive_match.h"

namespace meiguan::property {

// policy.md section 7: an address of a unit in its unit's zone; of no unit and no service in any
// zone of its space; of a service alone, in its services' zones.
struct UniverseSource {
  net::Address address;
  SpaceId space;
  ZoneId zone;
};

// An address, protocol and port; the zone where no object is there, else that of one of them.
struct UniverseTarget {
  net::Address address;
  std::uint8_t protocol{0};
  std::uint16_t value{0};
  SpaceId space;
  ZoneId zone;
};

struct Universe {
  std::vector<UniverseSource> sources;
  std::vector<UniverseTarget> targets;
};

// What tells addresses and ports apart in a policy.
struct Cuts {
  std::vector<std::vector<net::Prefix>> prefixes;  // by space
  std::vector<policy::PortMatch> ports;
};

void add_cuts(const policy::CheckedPolicy& policy, Cuts& cuts);
[[nodiscard]] Universe count_out(const policy::CheckedPolicy& policy, const Cuts& cuts);

// One instant, at `from` or later, for each way in which the conditions of an image can hold.
[[nodiscard]] std::vector<image::Moment> all_moments(const image::Image& image, std::int64_t from);

// Whether the image lets a first packet by, asked without a gateway.
[[nodiscard]] bool lets_by(const image::Image& image, const image::Moment& moment,
                           const UniverseSource& from, const UniverseTarget& to);

// The packet as the naive twin knows it.
[[nodiscard]] Packet packet_of(const UniverseSource& from, const UniverseTarget& to);
[[nodiscard]] Ends ends_of(const UniverseSource& from, const UniverseTarget& to);

// Whether an assertion speaks of a packet: its source side and its destination side.
[[nodiscard]] bool speaks_of(const policy::CheckedPolicy& policy,
                             const policy::Assertion& assertion, const UniverseSource& from);
[[nodiscard]] bool speaks_of(const policy::CheckedPolicy& policy,
                             const policy::Assertion& assertion, const UniverseTarget& to);

}  // namespace meiguan::property
