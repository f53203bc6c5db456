#pragma once

// How long flows may be silent, by the image in force.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/fastpath/flow_record.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

// A worker's copy of the image's time-outs, in the unit of the flows' records. Flows outlive
// images, and expiry has none at hand.
class FlowTimeouts {
 public:
  FlowTimeouts() noexcept { all_.fill(times_of(image::TimeoutRecord{})); }

  // A number that the image does not have means what number 0 says.
  void take(const image::Image& image) noexcept {
    const auto records = image.timeouts();
    shortest_ = ~FlowTime{0};
    for (std::size_t i = 0; i < all_.size(); ++i) {
      all_[i] = times_of(records[i < records.size() ? i : 0]);
      shortest_ = std::min(shortest_, *std::ranges::min_element(all_[i]));
    }
  }

  // How long the flow may be silent as it stands now.
  [[nodiscard]] FlowTime of(const FlowRecord& flow) const noexcept {
    return all_[flow.timeouts][kind_of(flow)];
  }
  [[nodiscard]] bool is_idle(const FlowRecord& flow, FlowTime now) const noexcept {
    const FlowTime age = now - flow.last_seen;
    return age > shortest_ && age > of(flow);
  }

 private:
  enum Kind : std::size_t {
    kTcpEstablished,
    kTcpTransitory,
    kTcpHalfOpen,
    kUdp,
    kUdpAnswered,
    kIcmp,
    kOther,
    kKinds
  };
  using Times = std::array<FlowTime, kKinds>;

  [[nodiscard]] static Kind kind_of(const FlowRecord& flow) noexcept {
    switch (flow.key.protocol) {
      case net::protocol::kTcp:
        return flow.tcp.is_established() ? kTcpEstablished
               : flow.tcp.is_half_open() ? kTcpHalfOpen
                                         : kTcpTransitory;
      case net::protocol::kUdp: return flow.sides[1].packets() != 0 ? kUdpAnswered : kUdp;
      case net::protocol::kIcmp:
      case net::protocol::kIcmp6: return kIcmp;
      default: return kOther;
    }
  }
  [[nodiscard]] static Times times_of(const image::TimeoutRecord& r) noexcept {
    return {flow_seconds(r.tcp_established),
            flow_seconds(r.tcp_transitory),
            flow_seconds(r.tcp_half_open),
            flow_seconds(r.udp),
            flow_seconds(r.udp_answered),
            flow_seconds(r.icmp),
            flow_seconds(r.other)};
  }

  std::array<Times, image::kMaxTimeouts> all_;
  FlowTime shortest_{0};
};

}  // namespace meiguan::fastpath
