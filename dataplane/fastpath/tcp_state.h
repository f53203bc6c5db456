#pragma once

// TCP seen from the middle: which segments belong to a connection, by state, sequence number,
// acknowledgment and window, and what they make of it.
//
// The bounds are those that van Rooij gave (Real Stateful TCP Packet Filtering in IP Filter, 2001),
// made from what each side has sent and offered. Of a segment that A sends to B, where A has sent
// up to A.end, B's offers let A send up to A.edge, and w is the largest window of each:
//
//   A.end - B.w - 2 <= end of segment older data nobody waits for (RFC 9293 section 3.10.7.4); two
//                                     less for a keep-alive (RFC 9293 section 3.8.4) behind a probe
//   sequence <= A.edge + 1            a probe of a closed window, and what follows it (3.8.6.1);
//                                     a segment that begins in the window may end behind it
//   acknowledgment <= B.end           nobody acknowledges what was not sent (RFC 9293, RFC 5961 5)
//   B.end - 2 * A.w - 2 <= acknowledgment
//                                     RFC 5961 section 5: MAX.SND.WND below SND.UNA, which itself
//                                     lies up to a window below B.end
//   SACK blocks end at B.end at most  RFC 2018
//
// So data may be late, early, repeated or a probe; segments that a stranger guesses are outside but
// for two windows of 2^32.
//
// A reset (RFC 5961 section 3): its receiver takes it where its sequence number is exactly what is
// expected next, and answers others in the window with an ACK. In the middle that number is known
// only where all that was sent has been acknowledged: then the connection is over. Any other reset
// in the window passes and leaves the connection half believed in (kAborted) with the time-out of a
// closing one: any segment that follows, as the challenge ACK, brings it back.
//
// A SYN from the initiator of a live connection, also behind a reset that was not certain (RFC 5961
// section 4), passes and changes nothing: a responder that knows the connection challenges it, and
// the initiator's reset then ends it. Only where the responder answers that very SYN is the old
// connection forgotten; this SYN,ACK is dropped, and the SYN that is sent again opens a new flow,
// asked of the rules.
//
// The connection is over when both FINs are acknowledged, or at a reset that is certain. It is
// forgotten at once, so that whatever comes then is judged by the rules again (FFW_RUL_EXT.1.5). So
// a FIN that is repeated because its last ACK was lost behind the gateway is dropped as
// `tcp-no-state`: its sender is done but for that ACK, and gives up by itself.

#include <cstdint>

#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

enum class TcpVerdict : std::uint8_t {
  kPass,
  kOver,     // passes, and the connection is over with it
  kRefused,  // no segment of this kind fits the state
  kOutside,  // its numbers lie outside the window
  kReopens,  // a SYN where the connection is as good as over: it is to be judged anew
  kForgets,  // refused; the responder has a new connection: the old one is over
};

// What a segment that passes does to the record.
enum class TcpMove : std::uint8_t {
  kNothing,
  kTrack,     // ends, edges and windows grow
  kOpen,      // the initiator's newest SYN
  kAnswer,    // the responder's SYN,ACK: both sides are known
  kCross,     // the responder's SYN
  kStray,     // an answer to no SYN of this connection (RFC 9293 figure 9)
  kRemember,  // a SYN in a live connection
  kReturn,    // the end of kRestarting
};

struct TcpJudgement {
  TcpVerdict verdict{TcpVerdict::kRefused};
  TcpMove move{TcpMove::kNothing};
  TcpStanding standing;  // behind the segment
};

namespace tcp {

// Sequence numbers wrap (RFC 9293 section 3.4).
[[nodiscard]] constexpr bool not_before(std::uint32_t a, std::uint32_t b) noexcept {
  return static_cast<std::int32_t>(a - b) >= 0;
}
// low <= x <= high; the two are less than 2^31 apart.
[[nodiscard]] constexpr bool between(std::uint32_t low, std::uint32_t x,
                                     std::uint32_t high) noexcept {
  return x - low <= high - low;
}

// The bounds of the head of this file, with `edge` for the sender's.
[[nodiscard]] inline bool fits(const FlowSide& sender, const FlowSide& receiver, std::uint32_t edge,
                               const PacketInfo& info) noexcept {
  const std::uint32_t low = sender.end - receiver.largest_window() - 2;
  if (!not_before(info.tcp_end, low) || !not_before(edge + 1, info.tcp_sequence)) [[unlikely]] {
    // Only what is sent behind data that went beyond the window.
    if (info.tcp_sequence != sender.end || info.tcp_end != sender.end) return false;
  }
  const std::uint32_t oldest = receiver.end - 2 * sender.largest_window() - 2;
  return not_before(info.tcp_acknowledgment, oldest) &&
         not_before(receiver.end, info.tcp_acknowledgment) &&
         (!info.tcp_sacks || not_before(receiver.end, info.tcp_sack_end));
}

// Ends, edges and windows grow by a segment that fits and has no SYN.
inline void track(FlowSide& sender, FlowSide& receiver, const PacketInfo& info) noexcept {
  if (!not_before(sender.end, info.tcp_end)) {
    sender.end = info.tcp_end;
    sender.set_acknowledged(false);
  }
  if (info.tcp_acknowledgment == receiver.end) receiver.set_acknowledged(true);
  const std::uint32_t edge = info.tcp_acknowledgment +
                             (std::uint32_t{info.tcp_window} << sender.shift());
  if (!not_before(receiver.edge, edge)) receiver.edge = edge;
  if (info.tcp_window > sender.window()) sender.set_window(info.tcp_window);
}

[[nodiscard]] TcpJudgement judge_by_table(const FlowRecord& flow, const PacketInfo& info,
                                          unsigned direction) noexcept;
void move_on(FlowRecord& flow, const PacketInfo& info, unsigned direction, TcpMove move) noexcept;

}  // namespace tcp

// Judges a segment of a known connection, which goes from the initiator where `direction` is 0.
// Nothing changes.
[[nodiscard]] inline TcpJudgement judge_segment(const FlowRecord& flow, const PacketInfo& info,
                                                unsigned direction) noexcept {
  constexpr std::uint8_t kSeldom = net::TcpHeader::kSyn | net::TcpHeader::kFin |
                                   net::TcpHeader::kRst;
  if (!flow.tcp.is_plain() || (info.tcp_flags & kSeldom) != 0) [[unlikely]] {
    return tcp::judge_by_table(flow, info, direction);
  }
  const FlowSide& sender = flow.sides[direction];
  const bool fits = tcp::fits(sender, flow.sides[1 - direction], sender.edge, info);
  return {fits ? TcpVerdict::kPass : TcpVerdict::kOutside, TcpMove::kTrack, flow.tcp};
}

// Moves the connection on by a segment that was judged to pass, and that leaves.
inline void follow_segment(FlowRecord& flow, const PacketInfo& info, unsigned direction,
                           const TcpJudgement& judgement) noexcept {
  if (judgement.move == TcpMove::kTrack) [[likely]] {
    tcp::track(flow.sides[direction], flow.sides[1 - direction], info);
  } else {
    tcp::move_on(flow, info, direction, judgement.move);
  }
  flow.tcp = judgement.standing;
  flow.tcp_flags[direction] |= info.tcp_flags;
}

// The connection that the initiator's first SYN opens.
void open_connection(FlowRecord& flow, const PacketInfo& info) noexcept;

// Whether an ICMP error quotes what that side has sent and what may be on its way (RFC 5927 section
// 4.1); `info` has the sequence number of the quoted segment.
[[nodiscard]] bool quotes_connection(const FlowRecord& flow, const PacketInfo& info,
                                     unsigned direction) noexcept;

}  // namespace meiguan::fastpath
