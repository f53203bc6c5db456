#include "dataplane/image/image_check.h"

#include <cstddef>
#include <cstdint>

namespace meiguan::image {
namespace {

bool is_percent(std::uint8_t value) { return value >= 1 && value <= 100; }

}  // namespace

const char* ImageCheck::limits() const {
  if (image_.limits().size() > kMaxLimits) return "number of limits";
  if (image_.timeouts().empty() || image_.timeouts().size() > kMaxTimeouts) {
    return "number of time-outs";
  }
  for (const TimeoutRecord& t : image_.timeouts()) {
    for (const std::uint32_t seconds : {t.tcp_established, t.tcp_transitory, t.tcp_half_open, t.udp,
                                        t.udp_answered, t.icmp, t.other}) {
      if (seconds == 0 || seconds > kMostTimeout) return "a time-out";
    }
  }
  const GatewayLimits& own = image_.gateway_limits();
  if (own.syn_cookies > 1 || own.fragment_datagrams == 0 || own.fragment_seconds_v4 == 0 ||
      own.fragment_datagrams > kMostFragmentDatagrams || own.fragment_seconds_v6 == 0 ||
      own.vertical_scan > kMostScan || own.horizontal_scan > kMostScan ||
      own.fan_out > kMostFanOut || !is_percent(own.fragment_source_percent) ||
      !is_percent(own.share_from_percent) || !is_percent(own.share_percent)) {
    return "the gateway's limits";
  }
  return nullptr;
}

}  // namespace meiguan::image
