#pragma once

// What one unit may reach and who may reach it, or who may reach one service: exact, over all
// packets at one instant, by the image's own decisions.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

enum class PartyKind : std::uint8_t { kUnit, kService, kZone };

struct Party {
  PartyKind kind{};
  std::uint32_t number{0};  // UnitId, ServiceId or ZoneId: addresses in that zone of no object
  auto operator<=>(const Party&) const = default;
};

// One rule lets `from` reach `to` on some ports.
struct Access {
  Party from;
  Party to;
  RuleId rule;
  std::vector<std::string> ports;  // "443/tcp", "8000-8100/udp", "icmp"; "any" for all
};

struct Focus {
  UnitId unit;  // one of the two
  ServiceId service;
};

// Ordered by direction (from the unit first), other party and rule. A destination in several
// services is told of by its most specific one.
[[nodiscard]] std::vector<Access> effective_access(const image::Image& image, const Focus& focus,
                                                   std::int64_t at);

}  // namespace meiguan::analysis
