#pragma once

// What the gateway knows of a TCP connection, and what a segment makes of it. It sees both ends'
// segments but is neither, so that it follows RFC 9293 figure 5 from outside:
//
//             initiator: SYN            responder: SYN,ACK          initiator: ACK
//   (none) ------------------> kOpening ----------------> kAnswered ---------------> kEstablished
//                                 |  responder: SYN (RFC 9293 figure 8)  either: ACK      |
//                                 +----------------------> kCrossed --------------------->+
//
// A FIN is no state: each side may send one while the other goes on. The connection is over when
// both FINs are acknowledged, or at a reset. A connection that is over is forgotten at once, so
// that whatever comes then is judged anew (a retransmitted FIN too: its sender gives up by itself).

#include <array>
#include <cstdint>

#include "dataplane/fastpath/packet_info.h"

namespace meiguan::fastpath {

enum class TcpState : std::uint8_t {
  kOpening,
  kAnswered,
  kCrossed,
  kEstablished,
  kClosed,
  kRefused
};
inline constexpr std::size_t kTcpStates = 4;  // those that a flow can be in

// Where a connection stands, in one byte: a TcpState, and above it kFinSent and kFinAcknowledged of
// each side: initiator's | responder's << 2.
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
  // Both ends have spoken, and one of them at least may go on.
  [[nodiscard]] constexpr bool is_established() const noexcept {
    return state() == TcpState::kEstablished && (fins() & kBothSent) != kBothSent;
  }
  bool operator==(const TcpStanding&) const = default;

 private:
  std::uint8_t byte_{0};  // kOpening
};
static_assert(sizeof(TcpStanding) == 1);

// The part of a flow's record that belongs to TCP.
struct TcpProgress {
  TcpStanding standing;
  std::array<std::uint8_t, 2> flags{};     // all flags seen, by direction
  std::array<std::uint32_t, 2> fin_end{};  // the sequence number behind each side's FIN
  bool operator==(const TcpProgress&) const = default;
};

enum class TcpVerdict : std::uint8_t {
  kPass,
  kOver,     // passes, and the connection is over with it
  kRefused,  // fits no connection in this state
  kReopens,  // a SYN where both sides have sent their FIN: it is to be judged anew
};

// Judges a segment of a known connection and moves the connection on; `direction` is 0 from the
// initiator, 1 from the responder. A refused segment changes nothing.
[[nodiscard]] TcpVerdict advance(TcpProgress& tcp, const PacketInfo& info,
                                 unsigned direction) noexcept;

// The connection that the initiator's first SYN opens.
[[nodiscard]] TcpProgress open_connection(const PacketInfo& info) noexcept;

}  // namespace meiguan::fastpath
