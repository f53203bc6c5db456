#include "dataplane/fastpath/tcp_state.h"

#include "dataplane/net/wire.h"

namespace meiguan::fastpath {
namespace {

using net::TcpHeader;

// What a segment is, by its flags; parse has let no other combination by.
enum Segment : std::uint8_t { kSyn, kSynAck, kAck, kFin, kReset };
constexpr std::size_t kSegments = 5;

constexpr Segment segment_of(std::uint8_t flags) noexcept {
  if ((flags & TcpHeader::kRst) != 0) return kReset;
  if ((flags & TcpHeader::kSyn) != 0) return (flags & TcpHeader::kAck) != 0 ? kSynAck : kSyn;
  return (flags & TcpHeader::kFin) != 0 ? kFin : kAck;
}

constexpr TcpState O = TcpState::kOpening;
constexpr TcpState A = TcpState::kAnswered;
constexpr TcpState X = TcpState::kCrossed;
constexpr TcpState E = TcpState::kEstablished;
constexpr TcpState C = TcpState::kClosed;
constexpr TcpState N = TcpState::kRefused;

// [state][direction][segment]
//
// Opening: the responder may answer with an ACK or FIN of an older connection, which the initiator
// resets (RFC 9293 section 3.5.1, figure 9). The initiator has nothing to acknowledge before the
// responder's SYN has passed.
// Answered: a server may speak, and close, before it hears the last ACK (RFC 7413).
// Established: a repeated SYN of the initiator draws a challenge ACK (RFC 5961 section 4); one of
// the responder would open a connection that no rule was asked about.
constexpr std::array<std::array<std::array<TcpState, kSegments>, 2>, kTcpStates> kNext{{
    //   SYN SYN,ACK ACK FIN RST
    {{{O, N, N, N, C}, {X, A, O, O, C}}},  // kOpening
    {{{A, N, E, E, C}, {N, A, A, A, C}}},  // kAnswered
    {{{X, X, E, E, C}, {X, X, E, E, C}}},  // kCrossed
    {{{E, N, E, E, C}, {N, E, E, E, C}}},  // kEstablished
}};

// Sequence numbers wrap (RFC 9293 section 3.4).
constexpr bool not_before(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) >= 0;
}

}  // namespace

TcpProgress open_connection(const PacketInfo& info) noexcept {
  TcpProgress tcp;
  tcp.flags[0] = info.tcp_flags;
  return tcp;
}

TcpVerdict advance(TcpProgress& tcp, const PacketInfo& info, unsigned direction) noexcept {
  const Segment segment = segment_of(info.tcp_flags);
  unsigned fins = tcp.standing.fins();
  if (segment == kSyn && (fins & TcpStanding::kBothSent) == TcpStanding::kBothSent) {
    return TcpVerdict::kReopens;
  }
  const auto state = static_cast<std::size_t>(tcp.standing.state());
  const TcpState next = kNext[state][direction][segment];
  if (next == TcpState::kRefused) return TcpVerdict::kRefused;

  tcp.flags[direction] |= info.tcp_flags;
  if (next == TcpState::kClosed) {
    tcp.standing = TcpStanding{TcpState::kClosed, fins};
    return TcpVerdict::kOver;
  }
  const unsigned own = direction * 2;
  const unsigned other = (1 - direction) * 2;
  // A FIN of the responder that answers a SYN belongs to an older connection.
  if (segment == kFin && next != TcpState::kOpening) {
    fins |= TcpStanding::kFinSent << own;
    tcp.fin_end[direction] = info.tcp_end;
  }
  if (fins != 0 && (info.tcp_flags & TcpHeader::kAck) != 0 &&
      (fins >> other & TcpStanding::kFinSent) != 0 &&
      not_before(info.tcp_acknowledgment, tcp.fin_end[1 - direction])) {
    fins |= TcpStanding::kFinAcknowledged << other;
  }
  tcp.standing = TcpStanding{next, fins};
  return (fins & TcpStanding::kBothAcknowledged) == TcpStanding::kBothAcknowledged
             ? TcpVerdict::kOver
             : TcpVerdict::kPass;
}

}  // namespace meiguan::fastpath
