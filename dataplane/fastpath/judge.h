#pragma once

// The judgement of a packet that no flow speaks for, in the order of policy.md section 5: addresses
// and anti-spoof, then (behind the known flows) admission, route, isolation and rules. Pure
// functions of the image.

#include <cstdint>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/decide.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath {

// A packet as the rules see it: a flow's first one, or a later one turned to the initiator's view.
struct Opening {
  net::Family family{net::Family::kIpv4};
  Protocol protocol;
  net::Address source;
  net::Address destination;
  PortId in;
  const net::MacAddress* mac{nullptr};  // the frame's source; null: it is not the initiator's frame
  const net::Address* own_link_local{nullptr};  // the in-port's, made of its MAC; null: none
  bool translated{false};  // it was sent to a public address, and this is what stands behind that
  bool consumed{false};    // neighbour discovery or DHCP: for the gateway whatever its destination
};

// The routes to both ends, found on the way.
struct Routes {
  const image::RouteRecord* back{nullptr};   // to the source
  const image::RouteRecord* forth{nullptr};  // to the destination
  bool to_gateway{false};
};

struct Judgement {
  Reason reason{Reason::kDefaultDeny};
  PortId out;  // from the route on
  RuleId rule;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  std::uint16_t egress{image::kNoEgress};      // the one that covers the source
  std::span<const image::AuditRecord> audits;  // each where its condition holds
};

// What DHCP and DHCPv6 clients send to whoever serves (RFC 2131 section 4.1, RFC 8415 section 7).
[[nodiscard]] bool is_dhcp_request(const PacketInfo& info) noexcept;

// A source that may be, a destination that may be, anti-spoof: kAllowed where nothing speaks
// against the packet so far.
[[nodiscard]] Reason judge_addresses(const image::Image& image, const Opening& opening,
                                     Routes& routes) noexcept;

// Admission, route known, destination-private, isolation, rules.
[[nodiscard]] Judgement judge_access(const image::Image& image, const image::Moment& moment,
                                     const Opening& opening, const Routes& routes) noexcept;

// Whether admission would have asked for the MAC of a frame from the source.
[[nodiscard]] bool admission_asks_mac(const image::Image& image, const Opening& opening,
                                      const Routes& routes) noexcept;

[[nodiscard]] inline std::uint32_t route_number(const image::Image& image,
                                                const image::RouteRecord& route) noexcept {
  return static_cast<std::uint32_t>(&route - image.routes().data());
}

}  // namespace meiguan::fastpath
