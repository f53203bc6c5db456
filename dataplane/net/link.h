#pragma once

#include <cstdint>

#include "dataplane/net/address.h"

namespace meiguan::net {

// What an Ethernet header says but for the type: with an 802.1Q tag unless `vlan` is 0.
struct Link {
  MacAddress destination{};
  MacAddress source{};
  std::uint16_t vlan{0};
};

inline constexpr MacAddress kBroadcastMac{0xff, 0xff, 0xff, 0xff, 0xff, 0xff};

}  // namespace meiguan::net
