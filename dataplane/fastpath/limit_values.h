#pragma once

// What an image says of limits.

#include "dataplane/fastpath/allowance.h"
#include "dataplane/fastpath/attack_detector.h"
#include "dataplane/image/reader.h"

namespace meiguan::fastpath {

// An object without limits has none; a number of one is checked when an image is opened.
[[nodiscard]] inline LimitValues limits_numbered(const image::Image& image,
                                                 std::uint16_t number) noexcept {
  if (number == image::kNoLimits) return {};
  const image::LimitRecord& record = image.limits()[number];
  return {record.flows, record.new_per_second, record.half_open, record.bandwidth};
}
[[nodiscard]] inline LimitValues limit_values(const image::Image& image, UnitId id) noexcept {
  return limits_numbered(image, image.units()[id.index()].limits);
}
[[nodiscard]] inline LimitValues limit_values(const image::Image& image, ServiceId id) noexcept {
  return limits_numbered(image, image.services()[id.index()].limits);
}
[[nodiscard]] inline LimitValues limit_values(const image::Image& image, RuleId id) noexcept {
  return limits_numbered(image, image.rules()[id.index()].limits);
}

[[nodiscard]] inline bool any_bandwidth(const image::Image& image) noexcept {
  for (const image::LimitRecord& record : image.limits()) {
    if (record.bandwidth != 0) return true;
  }
  return false;
}

[[nodiscard]] inline AttackThresholds attack_thresholds(const image::Image& image) noexcept {
  const image::GatewayLimits& own = image.gateway_limits();
  return {own.syn_flood,     own.udp_flood,       own.icmp_flood,
          own.vertical_scan, own.horizontal_scan, own.fan_out};
}

}  // namespace meiguan::fastpath
