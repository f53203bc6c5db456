#pragma once

// What an image says of limits and time-outs: a part of format.h.

#include <cstdint>

namespace meiguan::image {

// Of a unit (as a source), a service or a rule. 0: no limit.
struct LimitRecord {
  std::uint32_t flows;           // at the same time
  std::uint32_t new_per_second;  // new flows
  std::uint32_t half_open;       // TCP connections that are not established yet
  std::uint32_t reserved;
  std::uint64_t bandwidth;  // bits of a second, both directions together
};
static_assert(sizeof(LimitRecord) == 24);

// Seconds without a packet after which a flow is forgotten; never 0, at most kMostTimeout.
struct TimeoutRecord {
  std::uint32_t tcp_established{7440};  // RFC 5382 REQ-5
  std::uint32_t tcp_transitory{240};    // RFC 5382 REQ-5: closing
  std::uint32_t tcp_half_open{240};     // RFC 5382 REQ-5: partially open
  std::uint32_t udp{120};               // RFC 4787 REQ-5; nothing came back yet
  std::uint32_t udp_answered{300};      // RFC 4787 REQ-5
  std::uint32_t icmp{60};               // RFC 5508 REQ-2
  std::uint32_t other{300};             // any other protocol
};
static_assert(sizeof(TimeoutRecord) == 28);
inline constexpr std::uint32_t kMostTimeout = 7 * 86'400;

// The gateway's own limits, for all its workers together. 0: no limit, but where it says otherwise.
struct GatewayLimits {
  std::uint32_t source_flows{65'536};  // of one source address, at the same time
  std::uint32_t source_new_per_second{10'000};
  std::uint32_t new_per_second{0};  // in all
  // Half-open TCP connections towards one destination address; beyond it the gateway answers with
  // cookies, or drops where it must not.
  std::uint32_t half_open_per_destination{1'024};
  std::uint32_t fragment_datagrams{1'024};  // held at the same time by a worker; never 0
  std::uint16_t fragment_seconds_v4{30};    // never 0
  std::uint16_t fragment_seconds_v6{60};    // never 0; RFC 8200 section 4.5
  // Of the fragment store, for one network of sources (IPv4 /27, IPv6 /64), and a quarter of that
  // for one address; 1 to 100.
  std::uint8_t fragment_source_percent{25};
  std::uint8_t syn_cookies{1};  // 0 or 1
  // While the flow table is fuller than `share_from_percent`, a unit (or what comes in by one port
  // from sources of no unit) may have no more than `share_percent` of it, or than an equal part
  // where that is more. 1 to 100; from 100: never asked.
  std::uint8_t share_from_percent{90};
  std::uint8_t share_percent{10};
  // From how many on an attack is told of; it stops nothing. 0: never.
  std::uint32_t syn_flood{1000};       // SYNs in vain towards one destination in a second
  std::uint32_t udp_flood{50'000};     // new UDP flows towards one destination in a second
  std::uint32_t icmp_flood{2000};      // echo requests and replies of one destination in a second
  std::uint32_t vertical_scan{100};    // ports that one source tries in vain in a minute
  std::uint32_t horizontal_scan{200};  // targets that one source tries in vain in a minute
  std::uint32_t fan_out{32};  // targets whose tcp/445 or tcp/3389 one source turns to in a minute
};
static_assert(sizeof(GatewayLimits) == 52);
// Thresholds beyond these are none: more than a detector can tell apart.
inline constexpr std::uint32_t kMostScan = 1000;
inline constexpr std::uint32_t kMostFanOut = 200;
inline constexpr std::uint32_t kMostFragmentDatagrams = 65'536;

}  // namespace meiguan::image
