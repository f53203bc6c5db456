#pragma once

// What an image says of limits.

#include <algorithm>

#include "dataplane/fastpath/allowance.h"
#include "dataplane/fastpath/attack_detector.h"
#include "dataplane/fastpath/pipeline.h"
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

// What an image asks of a worker's store of fragments: four fragments for each datagram, a share of
// them for each network of sources, and a quarter of that for each address, but no less than what
// the longest datagram has.
[[nodiscard]] inline FragmentOptions fragment_options(const image::Image& image) noexcept {
  const image::GatewayLimits& own = image.gateway_limits();
  FragmentOptions options;
  options.datagrams = own.fragment_datagrams;
  options.fragments = std::max(own.fragment_datagrams * 4, options.per_datagram * 8);
  const auto part = [&](std::uint32_t of, std::uint32_t parts, std::uint32_t least) {
    const std::uint64_t share = std::uint64_t{of} * own.fragment_source_percent / (100U * parts);
    return std::max(static_cast<std::uint32_t>(share), least);
  };
  options.source_fragments = part(options.fragments, 4, options.per_datagram);
  options.source_datagrams = part(options.datagrams, 4, 1);
  options.network_fragments = part(options.fragments, 1, options.per_datagram);
  options.network_datagrams = part(options.datagrams, 1, 1);
  options.ipv4_ms = Tick{own.fragment_seconds_v4} * 1000;
  options.ipv6_ms = Tick{own.fragment_seconds_v6} * 1000;
  return options;
}
// The memory for it, which a pipeline takes once: images that follow are held to it.
[[nodiscard]] inline FragmentOptions fragment_room(const image::Image& image) noexcept {
  const FragmentOptions wanted = fragment_options(image);
  return FragmentOptions::room(wanted.fragments, wanted.datagrams);
}

}  // namespace meiguan::fastpath
