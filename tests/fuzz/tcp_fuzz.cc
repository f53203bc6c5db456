// Any bytes as the segments of one TCP connection, past the state machine and its windows. Eight
// bytes are one segment: who sends it and which flags it has, where its sequence number and its
// acknowledgment lie beside what was sent (so that most are near the bounds), the window, how much
// data, which options. What must hold: a segment in a plain connection passes exactly where the
// naive bounds say so, nothing comes behind a FIN, an acknowledged FIN was sent, and the record
// stays one that the table knows.

#include <cstdint>
#include <cstdlib>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/tcp_state.h"
#include "dataplane/fastpath/test_frames.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

constexpr std::size_t kSegment = 8;

// By the high bits whose number it stands beside, by the low ones how far off.
std::uint32_t place(const FlowRecord& flow, unsigned side, std::uint8_t how) {
  const FlowSide& own = flow.sides[side];
  const auto off = static_cast<std::uint32_t>(how & 0x0f) - 8;
  switch (how >> 4) {
    case 0:
    case 1:
    case 2: return own.end + off;
    case 3: return own.end + off * 100;
    case 4: return own.edge + off;
    case 5: return own.end - flow.sides[1 - side].largest_window() + off;
    case 6: return own.end - 2 * flow.sides[1 - side].largest_window() + off;
    case 7: return own.end - 1;
    case 8: return flow.sides[1].edge + off;
    default: return own.end + (off << 28);
  }
}

test::Bytes options_of(std::uint8_t how, std::uint32_t acknowledgment) {
  switch (how & 7) {
    case 1: return {1, 3, 3, static_cast<std::uint8_t>(how >> 3)};
    case 2: return {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2};
    case 3: {
      test::Bytes bytes{1, 1, 5, 10};
      test::append(bytes, net::Be32::from_host(acknowledgment + 1));
      test::append(bytes, net::Be32::from_host(acknowledgment + (how >> 3)));
      return bytes;
    }
    default: return {};
  }
}

PacketInfo segment_of(const FlowRecord& flow, unsigned side, const std::uint8_t* bytes) {
  static constexpr const char* kFlags[] = {"S", "SA", "A", "PA", "FA", "R", "RA", "A"};
  const std::uint32_t acknowledgment = place(flow, 1 - side, bytes[2]);
  const test::Bytes frame = test::ethernet(test::ipv4(
      "10.0.0.1", "10.0.0.2", 6,
      test::tcp(1, 2, kFlags[bytes[0] >> 1 & 7],
                {.sequence = place(flow, side, bytes[1]),
                 .acknowledgment = acknowledgment,
                 .payload = bytes[5] < 128 ? std::size_t{bytes[5]} : std::size_t{bytes[5]} * 5,
                 .window = static_cast<std::uint16_t>(bytes[3] << 8 | bytes[4]),
                 .options = options_of(bytes[6], acknowledgment)})));
  PacketInfo info;
  parse(frame, info);
  return info;
}

std::int64_t distance(std::uint32_t from, std::uint32_t to) {
  return static_cast<std::int32_t>(to - from);
}

bool naive_bounds(const FlowSide& sender, const FlowSide& receiver, const PacketInfo& info) {
  const bool behind_overshoot = info.tcp_sequence == sender.end && info.tcp_end == sender.end;
  const bool in_window = distance(sender.end, info.tcp_end) >=
                             -std::int64_t{receiver.largest_window()} - 2 &&
                         distance(sender.edge, info.tcp_sequence) <= 1;
  const std::int64_t acknowledged = distance(receiver.end, info.tcp_acknowledgment);
  return (in_window || behind_overshoot) && acknowledged <= 0 &&
         acknowledged >= -2 * std::int64_t{sender.largest_window()} - 2 &&
         (!info.tcp_sacks || distance(receiver.end, info.tcp_sack_end) <= 0);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FlowRecord flow;
  bool known = false;
  for (std::size_t at = 0; at + kSegment <= size; at += kSegment) {
    const unsigned side = data[at] & 1;
    const PacketInfo info = segment_of(flow, side, data + at);
    if (!info.well_formed()) {
      require(info.reason == Reason::kTcpOption);
      continue;
    }
    if (!known) {
      if (info.without_flow != Reason::kAllowed) continue;
      flow = FlowRecord{};
      open_connection(flow, info);
      flow.sides[0].count(info.ip_bytes);
      known = true;
      continue;
    }
    (void)quotes_connection(flow, info, side);
    const FlowRecord before = flow;
    const TcpJudgement judgement = judge_segment(flow, info, side);
    const bool passes = judgement.verdict <= TcpVerdict::kOver;
    constexpr std::uint8_t kSeldom = net::TcpHeader::kSyn | net::TcpHeader::kFin |
                                     net::TcpHeader::kRst;
    if (before.tcp.is_plain() && (info.tcp_flags & kSeldom) == 0) {
      require(passes == naive_bounds(before.sides[side], before.sides[1 - side], info));
    }
    if (!passes) {
      if (judgement.verdict == TcpVerdict::kReopens || judgement.verdict == TcpVerdict::kForgets) {
        known = false;
      }
      continue;
    }
    follow_segment(flow, info, side, judgement);
    flow.sides[side].count(info.ip_bytes);
    const unsigned fins = flow.tcp.fins();
    require(static_cast<std::size_t>(flow.tcp.state()) < kTcpStates);
    require((fins >> 1 & ~fins & TcpStanding::kBothSent) == 0);
    require(flow.sides[0].shift() <= FlowSide::kMostShift &&
            flow.sides[1].shift() <= FlowSide::kMostShift);
    require(flow.sides[side].packets() == before.sides[side].packets() + 1);
    for (unsigned one = 0; one < 2; ++one) {
      if (((before.tcp.fins() & fins) >> (2 * one) & TcpStanding::kFinSent) != 0) {
        require(flow.sides[one].end == before.sides[one].end);
      }
    }
    if (judgement.verdict == TcpVerdict::kOver) known = false;
  }
  return 0;
}
