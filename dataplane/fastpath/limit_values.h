#pragma once

// What an image says of limits. An image that says nothing sets none.

#include <cstdint>

#include "dataplane/fastpath/allowance.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath {

// The gateway's own limits; 0: no limit.
struct GatewayLimits {
  std::uint32_t source_flows{0};
  std::uint32_t source_new_per_second{0};
  std::uint32_t new_per_second{0};
  std::uint32_t half_open_per_destination{0};
  std::uint32_t share_percent{80};  // of the flow table: how full it is when shares begin to hold
};

[[nodiscard]] inline GatewayLimits gateway_limits(const image::Image& /*image*/) noexcept {
  return {};
}
[[nodiscard]] inline bool any_bandwidth(const image::Image& /*image*/) noexcept { return false; }
template <typename Id>
[[nodiscard]] LimitValues limit_values(const image::Image& /*image*/, Id /*id*/) noexcept {
  return {};
}

}  // namespace meiguan::fastpath
