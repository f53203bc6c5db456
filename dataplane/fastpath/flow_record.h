#pragma once

#include <array>
#include <cstdint>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/tcp_state.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

// Time in a flow's record: units of 16 ms, modulo 2^32 (2.2 years). Ages are differences of two.
using FlowTime = std::uint32_t;

[[nodiscard]] constexpr FlowTime flow_time(std::uint64_t milliseconds) noexcept {
  return static_cast<FlowTime>(milliseconds >> 4);
}
[[nodiscard]] constexpr FlowTime flow_seconds(std::uint32_t seconds) noexcept {
  return flow_time(std::uint64_t{seconds} * 1000);
}

// How long a flow may be silent.
namespace idle {
inline constexpr FlowTime kTcpEstablished = flow_seconds(2 * 3600 + 4 * 60);  // RFC 5382 REQ-5
inline constexpr FlowTime kTcpTransitory = flow_seconds(4 * 60);
inline constexpr FlowTime kUnanswered = flow_seconds(120);  // RFC 4787 REQ-5: at least 2 minutes
inline constexpr FlowTime kAnswered = flow_seconds(300);
inline constexpr FlowTime kIcmp = flow_seconds(60);  // RFC 5508 REQ-2
inline constexpr FlowTime kShortest = kIcmp;
}  // namespace idle

// One flow: two cache lines of plain data. The first says which flow it is and how it stands, the
// second what it is counted to. Index 0 of a pair is the initiator, 1 the responder.
struct alignas(64) FlowRecord {
  static constexpr std::uint16_t kFree = 0xffff;  // in key.space: no flow

  FlowKey key;                  // as the initiator's packets have it
  std::uint32_t generation{0};  // of the image that admitted it
  FlowTime last_seen{0};
  TcpProgress tcp;
  std::array<PortId, 2> in;  // the port that each side's packets were last found to belong to

  std::array<std::uint64_t, 2> packets{};
  std::array<std::uint64_t, 2> bytes{};
  RuleId rule;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  std::array<std::uint32_t, 2> route{};  // of each side's packets, in the image of `generation`
  std::uint64_t start{0};                // milliseconds

  [[nodiscard]] bool live() const noexcept { return key.space != kFree; }

  // How long it may be silent as it stands now.
  [[nodiscard]] FlowTime patience() const noexcept {
    switch (key.protocol) {
      case net::protocol::kTcp:
        return tcp.state == TcpState::kEstablished &&
                       (tcp.fins & TcpProgress::kBothSent) != TcpProgress::kBothSent
                   ? idle::kTcpEstablished
                   : idle::kTcpTransitory;
      case net::protocol::kIcmp:
      case net::protocol::kIcmp6: return idle::kIcmp;
      default: return packets[1] != 0 ? idle::kAnswered : idle::kUnanswered;
    }
  }
  [[nodiscard]] bool is_idle(FlowTime now) const noexcept {
    const FlowTime age = now - last_seen;
    return age > idle::kShortest && age > patience();
  }
};
static_assert(sizeof(FlowRecord) == 128 && offsetof(FlowRecord, packets) == 64);

}  // namespace meiguan::fastpath
