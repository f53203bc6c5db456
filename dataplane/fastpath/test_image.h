#pragma once

// A small gateway for tests, fuzz targets and benchmarks, put together by hand because the compiler
// stands above this layer:
//
//   port       zone      addresses                                      behind it
//   0 lan      extranet  10.64.37.1/24 10.64.38.1/24 2001:db8:1::1/64   unit 0 (.37), unit 1 (.38,
//   bound) 1 core     extranet  10.0.0.1/30 2001:db8:f::1/64                   unit
//   2: 59.205.16.0/24, 2001:db8:2::/64;
//                                                                       172.20.0.0/16 of no unit
//   2 wan      internet  203.0.113.1/24 2001:db8:ffff::1/64             default routes
//   3 dmz      dmz       59.205.17.1/24                                 unit 4
//   4 lan.100  private   10.1.1.1/24 (space 1)                          unit 3; 10.9.0.0/16 by core
//   5 lan.200  extranet  10.64.40.1/24                                  unit 0
//
//   rule 0 allows tcp/443, udp/53, sctp/3868, echo, gre; rule 1 denies udp/54; rule 2 audits and
//   rule 3 allows tcp/8080; service 0 is tcp/443 at 59.205.16.10, 59.205.17.10 and 2001:db8:2::10
//   and is the only one that rule 0 names. Unit 1 has the terminals .5 (with MAC) and .6 (without).

#include <optional>
#include <string_view>

#include "dataplane/image/bytes.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath::test {

struct WorldOptions {
  bool allow{true};  // false: rule 0 denies
  image::AntiSpoof lan_anti_spoof{image::AntiSpoof::kStrict};
  image::AntiSpoof wan_anti_spoof{image::AntiSpoof::kStrict};
  bool core_routes{true};                             // the routes by core
  bool publish{false};                                // service 0 is published
  std::vector<image::LocalService> local_services{};  // of the machine itself
  // Translations, and what they are for:
  //   egress 0 of lan, core, dmz: pool 203.0.113.32/28; 2001:db8:1::/64 <-> 2001:db8:ffff:1::/64
  //   publish 203.0.113.10:443/tcp -> 59.205.17.10:443; 203.0.113.11:8000-8001/tcp -> one of
  //   59.205.17.10:443, 59.205.17.11:443
  //   translate 10.1.1.0/24 of space 1 <-> 10.200.1.0/24; port 6, zone exchange, 10.70.0.1/24, with
  //   service 0 at 10.70.0.10
  bool nat{false};
  image::EgressRecord egress{0, 1, 0, 1, 1024, 65535, 512, 4, {}, {}};
  std::string_view pool{"203.0.113.32/28"};
  bool second_endpoint{true};
  bool dmz_by_publish{true};  // false: 59.205.17.11 is reached by its own address
  // Rule 0 is there, and rule 2 audits, only while this holds; its schedule is kNone.
  std::optional<image::ConditionRecord> when{};
  net::MacAddress bound_mac{2, 0, 0, 0, 0, 0x55};
  std::optional<image::LimitRecord> unit_limits{};     // of units 0 and 1
  std::optional<image::LimitRecord> service_limits{};  // of service 0
  std::optional<image::LimitRecord> rule_limits{};     // of rule 0
  image::GatewayLimits gateway_limits{};
  std::optional<image::TimeoutRecord> service_timeouts{};  // of service 0
  // Of service 0, which with `nat` is at 198.51.100.21 and 2001:db8:77::21, too; kSip: udp/53 of it
  // is published at 203.0.113.10, too.
  image::Helper helper{image::Helper::kOff};
  unsigned extra_units{0};  // for benchmarks: as many /24 of 20.0.0.0/8 by lan, units 5 and on
};

inline constexpr PortId kLan{0}, kCore{1}, kWan{2}, kDmz{3}, kVpn{4}, kTagged{5}, kExchange{6};

class World {
 public:
  explicit World(const WorldOptions& options = {});
  [[nodiscard]] const image::Image& image() const noexcept { return image_; }

 private:
  image::AlignedBytes bytes_;
  image::Image image_;
};

}  // namespace meiguan::fastpath::test
