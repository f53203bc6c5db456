#pragma once

// Where a TCP connection stands, in one byte of its flow's record.

#include <cstddef>
#include <cstdint>

namespace meiguan::fastpath {

// The gateway sees both ends' segments but is neither, so that it follows RFC 9293 figure 5 from
// outside:
//
//             initiator: SYN            responder: SYN,ACK          initiator: ACK
//   (none) ------------------> kOpening ----------------> kAnswered ---------------> kEstablished
//                                 |  responder: SYN (RFC 9293 figure 8)  either: ACK      |
//                                 +----------------------> kCrossed --------------------->+
//
//   kEstablished <---- kRestarting: the initiator sent a SYN, as if it knew of no connection
//   kEstablished <---- kAborted: a reset went by that the receiver may not have taken
//
// A FIN is no state: each side may send one while the other goes on.
enum class TcpState : std::uint8_t {
  kOpening,
  kAnswered,
  kCrossed,
  kEstablished,
  kRestarting,
  kAborted,
};
inline constexpr std::size_t kTcpStates = 6;

// A TcpState, and above it kFinSent and kFinAcknowledged of each side: initiator's | responder's
// << 2.
class TcpStanding {
 public:
  static constexpr unsigned kFinSent = 1;
  static constexpr unsigned kFinAcknowledged = 2;
  static constexpr unsigned kBothSent = 0b0101;
  static constexpr unsigned kBothAcknowledged = 0b1010;

  constexpr TcpStanding() noexcept = default;
  constexpr explicit TcpStanding(TcpState state, unsigned fins = 0) noexcept
      : byte_{static_cast<std::uint8_t>(static_cast<unsigned>(state) | fins << 4)} {}

  [[nodiscard]] constexpr TcpState state() const noexcept {
    return static_cast<TcpState>(byte_ & 0xf);
  }
  [[nodiscard]] constexpr unsigned fins() const noexcept { return byte_ >> 4; }
  // Established, and nobody has sent a FIN.
  [[nodiscard]] constexpr bool is_plain() const noexcept {
    return byte_ == static_cast<std::uint8_t>(TcpState::kEstablished);
  }
  // Both ends have spoken, and one of them at least may go on. A SYN in a connection proves
  // nothing, or anybody could make it end soon (RFC 5961 section 4).
  [[nodiscard]] constexpr bool is_established() const noexcept {
    return (state() == TcpState::kEstablished || state() == TcpState::kRestarting) &&
           (fins() & kBothSent) != kBothSent;
  }
  // The initiator has not acknowledged the responder's SYN.
  [[nodiscard]] constexpr bool is_half_open() const noexcept {
    return state() <= TcpState::kCrossed;
  }
  bool operator==(const TcpStanding&) const = default;

 private:
  std::uint8_t byte_{0};  // kOpening
};
static_assert(sizeof(TcpStanding) == 1);

}  // namespace meiguan::fastpath
