#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/tcp_standing.h"
#include "dataplane/image/format.h"

namespace meiguan::fastpath {

// Time in a flow's record: units of 16 ms, modulo 2^32 (2.2 years). Ages are differences of two.
using FlowTime = std::uint32_t;

[[nodiscard]] constexpr FlowTime flow_time(std::uint64_t milliseconds) noexcept {
  return static_cast<FlowTime>(milliseconds >> 4);
}
[[nodiscard]] constexpr FlowTime flow_seconds(std::uint32_t seconds) noexcept {
  return flow_time(std::uint64_t{seconds} * 1000);
}
// The milliseconds, rounded down to a multiple of 16, of a time that is not after `now`.
[[nodiscard]] constexpr std::uint64_t milliseconds_of(FlowTime time, std::uint64_t now) noexcept {
  return ((now >> 4) - (flow_time(now) - time)) << 4;
}

// What one end of a flow has sent: how much, and for TCP up to where. Two words hold a count above
// a small number, so that counting is one addition and never reaches into the other.
struct FlowSide {
  std::uint64_t packets_window{0};  // packets << 16 | window
  std::uint64_t bytes_scale{0};     // bytes << 8 | scale and whether all is acknowledged
  std::uint32_t end{0};   // the sequence number behind the last byte, SYN or FIN that it has sent
  std::uint32_t edge{0};  // the one that the other side's offers let it send up to

  [[nodiscard]] std::uint64_t packets() const noexcept { return packets_window >> 16; }
  [[nodiscard]] std::uint64_t bytes() const noexcept { return bytes_scale >> 8; }
  void count(std::uint64_t more_bytes) noexcept { count(1, more_bytes); }
  void count(std::uint64_t more_packets, std::uint64_t more_bytes) noexcept {
    packets_window += more_packets << 16;
    bytes_scale += more_bytes << 8;
  }

  // The largest window that it has offered, as in the header of a segment without SYN; `shift` bits
  // fewer than the number of bytes (RFC 7323 section 2).
  [[nodiscard]] std::uint16_t window() const noexcept {
    return static_cast<std::uint16_t>(packets_window);
  }
  void set_window(std::uint16_t window) noexcept {
    packets_window = (packets_window & ~std::uint64_t{0xffff}) | window;
  }
  [[nodiscard]] std::uint32_t largest_window() const noexcept {
    return std::uint32_t{window()} << shift();
  }
  [[nodiscard]] unsigned shift() const noexcept { return bytes_scale & kShift; }
  // Whether its SYN had the option, and no other has taken that back.
  [[nodiscard]] bool offers_scale() const noexcept { return (bytes_scale & kOffers) != 0; }
  // From 0 to 14, or more where there is none.
  void set_scale(std::uint8_t scale) noexcept {
    bytes_scale &= ~std::uint64_t{kShift | kOffers};
    if (scale <= kMostShift) bytes_scale |= scale | kOffers;
  }
  // Whether the other side has acknowledged everything up to `end`.
  [[nodiscard]] bool acknowledged() const noexcept { return (bytes_scale & kAcknowledged) != 0; }
  void set_acknowledged(bool all) noexcept {
    bytes_scale = (bytes_scale & ~std::uint64_t{kAcknowledged}) | (all ? kAcknowledged : 0U);
  }

  static constexpr unsigned kMostShift = 14;  // RFC 7323 section 2.3

 private:
  static constexpr unsigned kShift = 0xf;
  static constexpr unsigned kOffers = 0x10;
  static constexpr unsigned kAcknowledged = 0x80;
};
static_assert(sizeof(FlowSide) == 24);

// One flow: two cache lines of plain data. The first says which flow it is and where its packets
// go, the second what it is counted to and how it stands. Index 0 of a pair is the initiator, 1 the
// responder.
struct alignas(64) FlowRecord {
  static constexpr std::uint16_t kFree = 0xffff;  // in key.space: no flow
  static constexpr std::uint32_t kNoTranslation = 0xffff'ffff;
  static constexpr std::uint16_t kNoId = 0xffff;

  FlowKey key;                  // as the initiator's packets have it when they come in
  std::uint32_t generation{0};  // of the image that admitted it
  FlowTime last_seen{0};
  FlowTime start{0};
  std::uint32_t translation{kNoTranslation};  // number of its Translation
  std::array<std::uint32_t, 2> route{};  // of each side's packets, in the image of `generation`

  std::array<FlowSide, 2> sides{};
  RuleId rule;
  std::uint16_t unit_number{kNoId};  // read by the functions below
  std::uint16_t to_unit_number{kNoId};
  std::uint16_t service_number{kNoId};
  std::array<std::uint8_t, 2> in_number{};
  std::array<std::uint8_t, 2> tcp_flags{};  // all that each side has sent
  TcpStanding tcp;
  std::uint8_t timeouts{0};  // number of the image's time-outs that it lives by

  [[nodiscard]] bool live() const noexcept { return key.space != kFree; }
  [[nodiscard]] bool translated() const noexcept { return translation != kNoTranslation; }

  // Ids of more than 16 bits are refused when an image is loaded (image::kMaxUnits, kMaxServices).
  [[nodiscard]] UnitId unit() const noexcept { return wide<UnitId>(unit_number); }
  [[nodiscard]] UnitId to_unit() const noexcept { return wide<UnitId>(to_unit_number); }
  [[nodiscard]] ServiceId service() const noexcept { return wide<ServiceId>(service_number); }
  void set_unit(UnitId id) noexcept { unit_number = static_cast<std::uint16_t>(id.value()); }
  void set_to_unit(UnitId id) noexcept { to_unit_number = static_cast<std::uint16_t>(id.value()); }
  void set_service(ServiceId id) noexcept {
    service_number = static_cast<std::uint16_t>(id.value());
  }

  // The port that each side's packets were last found to belong to (image::kMaxPorts is 256).
  [[nodiscard]] PortId in(unsigned direction) const noexcept {
    return PortId{in_number[direction]};
  }
  void set_in(unsigned direction, PortId port) noexcept {
    in_number[direction] = static_cast<std::uint8_t>(port.value());
  }

  template <typename Id>
  [[nodiscard]] static Id wide(std::uint16_t id) noexcept {
    return id == kNoId ? Id{} : Id{id};
  }
};
static_assert(sizeof(FlowRecord) == 128 && offsetof(FlowRecord, sides) == 64);
static_assert(image::kMaxPorts <= 256 && image::kMaxTimeouts <= 256 && image::kMaxUnits <= 0xffff &&
              image::kMaxServices <= 0xffff);

}  // namespace meiguan::fastpath
