#include "dataplane/fastpath/tcp_state.h"

#include <algorithm>
#include <array>

namespace meiguan::fastpath {
namespace tcp {
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

// What a segment is asked before the connection goes to its next state.
enum class Check : std::uint8_t {
  kRefuse,   // no such segment here
  kOpen,     // the initiator's SYN, again or of another attempt
  kSame,     // the sender's SYN once more
  kAnswer,   // acknowledges the initiator's SYN; else a stray, which changes nothing
  kCross,    // the responder's own SYN
  kStray,    // passes, and changes nothing but what a reset may answer
  kGiveUp,   // a reset by the initiator of its own SYN, or in answer to a stray
  kDecline,  // a reset by the responder that acknowledges the SYN
  kFits,     // the bounds, and the connection moves on
  kRepeat,   // the bounds, and nothing changes
  kReset,    // RFC 5961 section 3
  kRemember,
  kRestart,  // as kRepeat, but for an answer to the remembered SYN
};

struct Transition {
  TcpState next{TcpState::kOpening};
  Check check{Check::kRefuse};
};

constexpr TcpState O = TcpState::kOpening;
constexpr TcpState A = TcpState::kAnswered;
constexpr TcpState X = TcpState::kCrossed;
constexpr TcpState E = TcpState::kEstablished;
constexpr TcpState R = TcpState::kRestarting;
constexpr TcpState B = TcpState::kAborted;
constexpr Transition kNever{};

// [state][direction][segment]
//
// kOpening: the responder may answer with an ACK or FIN of an older connection, which the initiator
// resets (RFC 9293 section 3.5.1, figure 9). The initiator has nothing to acknowledge before the
// responder's SYN has passed.
// kAnswered: a server may speak, and close, before it hears the last ACK (RFC 7413).
// kEstablished: a SYN of the responder would open a connection that no rule was asked about.
// kAborted: nor does a SYN of the initiator: who cannot see the connection may send both, and only
// the responder's answer shows that it is over.
constexpr std::array<std::array<std::array<Transition, kSegments>, 2>, kTcpStates> kNext{{
    // SYN, SYN+ACK, ACK, FIN, RST; from the initiator, then from the responder
    {{{{{O, Check::kOpen}, kNever, kNever, kNever, {O, Check::kGiveUp}}},  // kOpening
      {{{X, Check::kCross},
        {A, Check::kAnswer},
        {O, Check::kStray},
        {O, Check::kStray},
        {O, Check::kDecline}}}}},
    {{{{{A, Check::kOpen},  // kAnswered
        kNever,
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}},
      {{kNever, {A, Check::kAnswer}, {A, Check::kFits}, {A, Check::kFits}, {B, Check::kReset}}}}},
    {{{{{X, Check::kSame},  // kCrossed
        {X, Check::kRepeat},
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}},
      {{{X, Check::kSame},
        {X, Check::kRepeat},
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}}}},
    {{{{{R, Check::kRemember},  // kEstablished
        {E, Check::kRepeat},
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}},
      {{kNever, {E, Check::kRepeat}, {E, Check::kFits}, {E, Check::kFits}, {B, Check::kReset}}}}},
    {{{{{R, Check::kRemember},  // kRestarting
        kNever,
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}},
      {{kNever, {R, Check::kRestart}, {R, Check::kFits}, {R, Check::kFits}, {B, Check::kReset}}}}},
    {{{{{R, Check::kRemember},  // kAborted
        {B, Check::kRepeat},
        {E, Check::kFits},
        {E, Check::kFits},
        {B, Check::kReset}}},
      {{kNever, {B, Check::kRepeat}, {E, Check::kFits}, {E, Check::kFits}, {B, Check::kReset}}}}},
}};

// A record whose responder has not spoken keeps in its place: in sides[0].edge the number of the
// newest SYN, in sides[1].edge the end of the SYN before it, in sides[1].end what the last stray
// acknowledged. While kRestarting, sides[1].edge is what acknowledges the remembered SYN.

bool acknowledges_syn(const FlowRecord& flow, std::uint32_t acknowledgment) noexcept {
  return between(flow.sides[0].edge + 1, acknowledgment, flow.sides[0].end) ||
         acknowledgment == flow.sides[1].edge;
}

// The edge is made of the receiver's SYN as long as neither side has gone on, so that the number of
// the sender's SYN can be had back from it.
std::uint32_t edge_behind_syn(std::uint32_t syn, const FlowSide& receiver) noexcept {
  return syn + 1 + receiver.largest_window();
}
bool acknowledges_answer(const FlowSide& sender, const FlowSide& receiver,
                         std::uint32_t acknowledgment) noexcept {
  return not_before(acknowledgment, receiver.edge - sender.largest_window());
}

std::uint32_t edge_of(const FlowRecord& flow, unsigned direction) noexcept {
  if (direction == 1 && flow.tcp.state() == TcpState::kRestarting) {
    return flow.sides[1].end + flow.sides[0].largest_window();
  }
  return flow.sides[direction].edge;
}

TcpJudgement pass(TcpMove move, TcpState next, unsigned fins = 0) noexcept {
  return {TcpVerdict::kPass, move, TcpStanding{next, fins}};
}
TcpJudgement outside() noexcept { return {TcpVerdict::kOutside, TcpMove::kNothing, {}}; }

TcpJudgement judge_syn(const FlowRecord& flow, const PacketInfo& info, TcpState next) noexcept {
  const std::uint32_t end = flow.sides[0].end;
  // What was answered is this SYN, with its data or without.
  const bool same = info.tcp_sequence + 1 == end || info.tcp_end == end;
  if (next == TcpState::kAnswered && same) return pass(TcpMove::kNothing, next);
  return pass(TcpMove::kOpen, TcpState::kOpening);
}

TcpJudgement judge_repeat(const FlowRecord& flow, const PacketInfo& info,
                          unsigned direction) noexcept {
  if (!fits(flow.sides[direction], flow.sides[1 - direction], edge_of(flow, direction), info)) {
    return outside();
  }
  return {TcpVerdict::kPass, TcpMove::kNothing, flow.tcp};
}

TcpJudgement judge_answer(const FlowRecord& flow, const PacketInfo& info) noexcept {
  if (flow.tcp.state() == TcpState::kOpening) {
    if (!acknowledges_syn(flow, info.tcp_acknowledgment)) {
      return pass(TcpMove::kStray, TcpState::kOpening);
    }
    return pass(TcpMove::kAnswer, TcpState::kAnswered);
  }
  if (info.tcp_acknowledgment != flow.sides[0].end) return outside();
  const TcpJudgement repeat = judge_repeat(flow, info, 1);
  return repeat.verdict == TcpVerdict::kPass ? repeat : pass(TcpMove::kAnswer, TcpState::kAnswered);
}

// A segment with an ACK and without a SYN.
TcpJudgement judge_fit(const FlowRecord& flow, const PacketInfo& info, unsigned direction,
                       TcpState next, bool finishes) noexcept {
  const FlowSide& sender = flow.sides[direction];
  const FlowSide& receiver = flow.sides[1 - direction];
  const TcpState state = flow.tcp.state();
  if (!fits(sender, receiver, edge_of(flow, direction), info)) return outside();
  const bool first_answer = state == TcpState::kCrossed ||
                            (state == TcpState::kAnswered && direction == 0);
  if (first_answer && !acknowledges_answer(sender, receiver, info.tcp_acknowledgment)) {
    return outside();
  }
  unsigned fins = flow.tcp.fins();
  const unsigned own = direction * 2;
  const unsigned other = (1 - direction) * 2;
  // Nothing comes behind a FIN.
  if ((fins >> own & TcpStanding::kFinSent) != 0 && !not_before(sender.end, info.tcp_end)) {
    return outside();
  }
  if (finishes) {
    if (!not_before(info.tcp_end, sender.end)) return outside();
    fins |= TcpStanding::kFinSent << own;
  }
  if ((fins >> other & TcpStanding::kFinSent) != 0 && info.tcp_acknowledgment == receiver.end) {
    fins |= TcpStanding::kFinAcknowledged << other;
  }
  const bool returns = state == TcpState::kRestarting && next != state;
  TcpJudgement judgement = pass(returns ? TcpMove::kReturn : TcpMove::kTrack, next, fins);
  if ((fins & TcpStanding::kBothAcknowledged) == TcpStanding::kBothAcknowledged) {
    judgement.verdict = TcpVerdict::kOver;
  }
  return judgement;
}

TcpJudgement over(const FlowRecord& flow) noexcept {
  return {TcpVerdict::kOver, TcpMove::kNothing, flow.tcp};
}

TcpJudgement judge_give_up(const FlowRecord& flow, const PacketInfo& info) noexcept {
  if (between(flow.sides[0].edge, info.tcp_sequence, flow.sides[0].end)) return over(flow);
  // To the stray's sender, which has an older connection; this one is still to be answered.
  if (info.tcp_sequence == flow.sides[1].end) return pass(TcpMove::kNothing, TcpState::kOpening);
  return outside();
}

TcpJudgement judge_reset(const FlowRecord& flow, const PacketInfo& info,
                         unsigned direction) noexcept {
  const FlowSide& sender = flow.sides[direction];
  const TcpState state = flow.tcp.state();
  // A responder that knows of nothing refuses a SYN (RFC 9293 section 3.10.7.1).
  if (direction == 1 && (info.tcp_flags & TcpHeader::kAck) != 0 &&
      ((state == TcpState::kAnswered && info.tcp_acknowledgment == flow.sides[0].end) ||
       (state == TcpState::kRestarting && info.tcp_acknowledgment == flow.sides[1].edge))) {
    return over(flow);
  }
  const std::uint32_t low = sender.end - flow.sides[1 - direction].largest_window() - 2;
  const std::uint32_t edge = edge_of(flow, direction);
  if (!between(low, info.tcp_sequence, not_before(edge, sender.end) ? edge : sender.end)) {
    return outside();
  }
  if (info.tcp_sequence == sender.end && sender.acknowledged()) return over(flow);
  return pass(state == TcpState::kRestarting ? TcpMove::kReturn : TcpMove::kNothing,
              TcpState::kAborted, flow.tcp.fins());
}

// Whether a SYN in a live connection may be the one that opened it, come late: its number lies no
// farther back than what has been sent since.
bool may_be_first_syn(const FlowSide& sender, const PacketInfo& info) noexcept {
  constexpr std::uint64_t kFarthest = std::uint64_t{1} << 30;
  return sender.end - (info.tcp_sequence + 1) <= std::min(sender.bytes(), kFarthest);
}

void take_syn(FlowSide& side, const PacketInfo& info) noexcept {
  side.end = info.tcp_end;
  side.set_window(info.tcp_window);
  side.set_scale(info.tcp_scale);
  side.set_acknowledged(false);
}

// Of a window in a segment with a SYN, in the unit of the others.
std::uint16_t in_unit_of(const FlowSide& side, std::uint16_t window) noexcept {
  const std::uint32_t less_than_unit = (1U << side.shift()) - 1;
  return static_cast<std::uint16_t>((window + less_than_unit) >> side.shift());
}

// Both SYNs are known: windows scale where both say so (RFC 7323 section 2.2), and those of the
// SYNs, which never do, are put in the same unit.
void agree_on_scale(FlowRecord& flow) noexcept {
  const bool both = flow.sides[0].offers_scale() && flow.sides[1].offers_scale();
  for (FlowSide& side : flow.sides) {
    if (!both) side.set_scale(PacketInfo::kNoScale);
    side.set_window(in_unit_of(side, side.window()));
  }
}

void take_first_syn(FlowRecord& flow, const PacketInfo& info) noexcept {
  FlowSide& initiator = flow.sides[0];
  const bool again = flow.tcp.state() == TcpState::kOpening && initiator.edge == info.tcp_sequence;
  const std::uint32_t before = initiator.end;
  take_syn(initiator, info);
  if (!again) {
    flow.sides[1].edge = before;
  } else if (!not_before(initiator.end, before)) {
    initiator.end = before;
  }
  initiator.edge = info.tcp_sequence;
}

void take_answer(FlowRecord& flow, const PacketInfo& info) noexcept {
  FlowSide& initiator = flow.sides[0];
  FlowSide& responder = flow.sides[1];
  if (flow.tcp.state() == TcpState::kOpening) {
    take_syn(responder, info);
    agree_on_scale(flow);
  } else {
    // From a server that keeps no state and numbers anew (RFC 4987).
    responder.end = info.tcp_end;
    responder.set_window(in_unit_of(responder, info.tcp_window));
  }
  // What it does not acknowledge of the SYN's data is sent again (RFC 7413 section 4.2).
  initiator.end = info.tcp_acknowledgment;
  initiator.set_acknowledged(true);
  initiator.edge = info.tcp_acknowledgment + info.tcp_window;
  responder.edge = edge_behind_syn(info.tcp_sequence, initiator);
}

void take_crossing_syn(FlowRecord& flow, const PacketInfo& info) noexcept {
  FlowSide& initiator = flow.sides[0];
  FlowSide& responder = flow.sides[1];
  take_syn(responder, info);
  agree_on_scale(flow);
  initiator.edge = edge_behind_syn(initiator.edge, responder);
  responder.edge = edge_behind_syn(info.tcp_sequence, initiator);
}

}  // namespace

TcpJudgement judge_by_table(const FlowRecord& flow, const PacketInfo& info,
                            unsigned direction) noexcept {
  const Segment segment = segment_of(info.tcp_flags);
  const unsigned fins = flow.tcp.fins();
  if (segment == kSyn && (fins & TcpStanding::kBothSent) == TcpStanding::kBothSent) {
    return {TcpVerdict::kReopens, TcpMove::kNothing, {}};
  }
  const Transition& to = kNext[static_cast<std::size_t>(flow.tcp.state())][direction][segment];
  const FlowSide& sender = flow.sides[direction];
  switch (to.check) {
    case Check::kRefuse: break;
    case Check::kOpen: return judge_syn(flow, info, to.next);
    case Check::kSame: {
      const std::uint32_t syn = sender.edge - flow.sides[1 - direction].largest_window() - 1;
      return info.tcp_sequence == syn ? pass(TcpMove::kNothing, to.next) : outside();
    }
    case Check::kAnswer: return judge_answer(flow, info);
    case Check::kCross: return pass(TcpMove::kCross, to.next);
    case Check::kStray: return pass(TcpMove::kStray, to.next);
    case Check::kGiveUp: return judge_give_up(flow, info);
    case Check::kDecline:
      return (info.tcp_flags & TcpHeader::kAck) != 0 &&
                     acknowledges_syn(flow, info.tcp_acknowledgment)
                 ? over(flow)
                 : outside();
    case Check::kFits: return judge_fit(flow, info, direction, to.next, segment == kFin);
    case Check::kRepeat: return judge_repeat(flow, info, direction);
    case Check::kReset: return judge_reset(flow, info, direction);
    case Check::kRemember:
      return may_be_first_syn(sender, info)
                 ? TcpJudgement{TcpVerdict::kPass, TcpMove::kNothing, flow.tcp}
                 : pass(TcpMove::kRemember, to.next, fins);
    case Check::kRestart: {
      const TcpJudgement repeat = judge_repeat(flow, info, direction);
      if (repeat.verdict != TcpVerdict::kPass && info.tcp_acknowledgment == sender.edge) {
        return {TcpVerdict::kForgets, TcpMove::kNothing, {}};
      }
      return repeat;
    }
  }
  return {};
}

void move_on(FlowRecord& flow, const PacketInfo& info, unsigned direction, TcpMove move) noexcept {
  FlowSide& initiator = flow.sides[0];
  FlowSide& responder = flow.sides[1];
  switch (move) {
    case TcpMove::kNothing: return;
    case TcpMove::kTrack: track(flow.sides[direction], flow.sides[1 - direction], info); return;
    case TcpMove::kOpen: take_first_syn(flow, info); return;
    case TcpMove::kAnswer: take_answer(flow, info); return;
    case TcpMove::kCross: take_crossing_syn(flow, info); return;
    case TcpMove::kStray: responder.end = info.tcp_acknowledgment; return;
    case TcpMove::kRemember: responder.edge = info.tcp_sequence + 1; return;
    case TcpMove::kReturn:
      responder.edge = responder.end + initiator.largest_window();
      if ((info.tcp_flags & TcpHeader::kRst) == 0) {
        track(flow.sides[direction], flow.sides[1 - direction], info);
      }
      return;
  }
}

}  // namespace tcp

void open_connection(FlowRecord& flow, const PacketInfo& info) noexcept {
  flow.tcp_flags[0] = info.tcp_flags;
  tcp::take_syn(flow.sides[0], info);
  flow.sides[0].edge = info.tcp_sequence;
  flow.sides[1].edge = flow.sides[1].end = info.tcp_end;
}

bool quotes_connection(const FlowRecord& flow, const PacketInfo& info,
                       unsigned direction) noexcept {
  const FlowSide& sender = flow.sides[direction];
  if (flow.tcp.state() == TcpState::kOpening) {
    return direction == 0 && tcp::between(sender.edge, info.tcp_sequence, sender.end);
  }
  if (direction == 0 && flow.tcp.state() == TcpState::kRestarting &&
      info.tcp_sequence + 1 == flow.sides[1].edge) {
    return true;
  }
  const std::uint32_t low = sender.end - flow.sides[1 - direction].largest_window() - 2;
  return tcp::between(low, info.tcp_sequence, sender.end);
}

}  // namespace meiguan::fastpath
