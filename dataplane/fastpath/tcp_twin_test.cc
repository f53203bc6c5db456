// Two TCP endpoints, simulated with loss, delay, reordering, retransmission, window scaling,
// windows that open and close, probes and keep-alives, talk past the window rules of tcp_state.h.
// What must hold, with a printed seed: no segment that its receiver would use is refused, and what
// a stranger sends outside the window always is.

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <optional>
#include <random>
#include <sstream>
#include <string>

#include "dataplane/fastpath/tcp_state.h"

namespace meiguan::fastpath {
namespace {

using net::TcpHeader;

bool before(std::uint32_t a, std::uint32_t b) { return static_cast<std::int32_t>(a - b) < 0; }
std::uint32_t later(std::uint32_t a, std::uint32_t b) { return before(a, b) ? b : a; }

class Random {
 public:
  explicit Random(unsigned seed) : engine_{seed} {}
  std::uint32_t below(std::uint32_t bound) { return static_cast<std::uint32_t>(engine_() % bound); }
  bool one_in(std::uint32_t n) { return below(n) == 0; }
  std::uint32_t any() { return static_cast<std::uint32_t>(engine_()); }

 private:
  std::mt19937_64 engine_;
};

// One end: sends `left` bytes and a FIN, takes what comes in.
struct Host {
  Host(Random& random, bool opens) : starts{opens} {
    iss = una = nxt = highest = random.any();
    left = random.below(200'000);
    buffer = 1 + random.below(random.one_in(3) ? 3'000 : 1'000'000);
    scales = !random.one_in(4);
    shift = scales ? random.below(15) : 0;
    segment = 200 + random.below(1261);
  }

  bool starts;
  std::uint32_t iss, una, nxt, highest;  // RFC 9293: SND.UNA, SND.NXT and the highest of it
  std::uint32_t left, buffer, segment, shift;
  bool scales;
  bool open{false}, heard{false}, finished{false}, fin_sent{false};
  std::uint32_t fin{0};        // the number of its FIN
  std::uint32_t send_edge{0};  // what the other's offers allow
  std::uint32_t next{0};       // RCV.NXT
  std::uint32_t told{0};       // and as it last said
  std::uint32_t offered{0};    // the edge of its own offers
  std::uint32_t largest{0};    // window that it ever offered, in bytes
  std::uint32_t peer_shift{0};
  bool both_scale{false}, owes_ack{false};
  std::map<std::uint32_t, std::uint32_t> early;  // data out of order, from the start of all

  [[nodiscard]] std::uint32_t data_end() const { return iss + 1 + left; }
  [[nodiscard]] bool closed() const { return fin_sent && una == fin + 1 && finished; }

  PacketInfo make(std::uint8_t flags, std::uint32_t seq, std::uint32_t data, Random& random) {
    PacketInfo info;
    info.tcp_flags = flags;
    info.tcp_sequence = seq;
    info.tcp_end = seq + data + ((flags & TcpHeader::kSyn) != 0 ? 1 : 0) +
                   ((flags & TcpHeader::kFin) != 0 ? 1 : 0);
    if ((flags & TcpHeader::kAck) != 0) info.tcp_acknowledgment = told = next;
    if ((flags & TcpHeader::kSyn) != 0) {
      const std::uint32_t window = std::min(buffer, 65535U);
      info.tcp_window = static_cast<std::uint16_t>(window);
      if (scales) info.tcp_scale = static_cast<std::uint8_t>(shift);
      largest = std::max(largest, window);
      if ((flags & TcpHeader::kAck) != 0) offered = later(offered, next + window);
      return info;
    }
    // What was offered is never taken back, so that a busy reader closes the window.
    const std::uint32_t unit = both_scale ? shift : 0;
    const std::uint32_t room = random.one_in(3) ? random.below(buffer) : buffer;
    std::uint32_t edge = next + std::min(room, 65535U << unit);
    if (before(edge, offered)) edge = offered;
    const std::uint32_t window = std::min((edge - next) >> unit, 65535U);
    info.tcp_window = static_cast<std::uint16_t>(window);
    offered = later(offered, next + (window << unit));
    largest = std::max(largest, window << unit);
    if (!early.empty()) {
      info.tcp_sacks = true;
      info.tcp_sack_end = early.rbegin()->second;
    }
    owes_ack = false;
    return info;
  }

  // What it would send now, if anything.
  std::optional<PacketInfo> speak(Random& random) {
    constexpr std::uint8_t kAck = TcpHeader::kAck;
    if (!open) {
      if (!starts && !heard) return {};
      highest = later(highest, iss + 1);
      return make(static_cast<std::uint8_t>(TcpHeader::kSyn | (heard ? kAck : 0)), iss, 0, random);
    }
    const bool idle = una == highest;
    if (idle && !owes_ack && random.one_in(20)) return make(kAck, una - 1, 0, random);
    if (!idle && random.one_in(8)) nxt = una;  // a time-out: from the start of what is not known
    const std::uint32_t end = data_end();
    if (before(nxt, end) && before(nxt, send_edge)) {
      std::uint32_t bytes = std::min({segment, end - nxt, send_edge - nxt});
      if (random.one_in(4)) bytes = 1 + random.below(bytes);
      const PacketInfo info = make(kAck | TcpHeader::kPsh, nxt, bytes, random);
      nxt += bytes;
      highest = later(highest, nxt);
      return info;
    }
    if (before(nxt, end) && una == send_edge && random.one_in(6)) {
      highest = later(highest, una + 1);  // RFC 9293 section 3.8.6.1
      return make(kAck, una, 1, random);
    }
    if (nxt == end || (fin_sent && nxt == fin)) {
      fin = end;
      fin_sent = true;
      nxt = end + 1;
      highest = later(highest, nxt);
      return make(kAck | TcpHeader::kFin, end, 0, random);
    }
    if (owes_ack || random.one_in(30)) return make(kAck, highest, 0, random);
    return {};
  }

  // Whether it looks at more than the sequence number (RFC 9293 section 3.10.7.4, but as widely as
  // Linux does: from what was expected when it last spoke on).
  [[nodiscard]] bool accepts(const PacketInfo& s) const {
    return !heard || (!before(s.tcp_end, told) && !before(offered, s.tcp_sequence));
  }
  // Whether anything in the segment is of use to it.
  [[nodiscard]] bool wants(const PacketInfo& s) const {
    if (!heard) return true;
    if (!accepts(s)) return false;
    return before(next, s.tcp_end) || before(una, s.tcp_acknowledgment) ||
           before(send_edge, s.tcp_acknowledgment + (std::uint32_t{s.tcp_window} << peer_shift));
  }

  void hear(const PacketInfo& s) {
    const bool syn = (s.tcp_flags & TcpHeader::kSyn) != 0;
    if (!accepts(s)) {
      owes_ack = true;
      return;
    }
    if (syn) {
      if (!heard) {
        heard = true;
        next = told = offered = s.tcp_sequence + 1;
        both_scale = scales && s.tcp_scale != PacketInfo::kNoScale;
        peer_shift = both_scale ? s.tcp_scale : 0;
      }
      owes_ack = true;
    }
    if (!heard) return;
    if ((s.tcp_flags & TcpHeader::kAck) != 0 && !before(highest, s.tcp_acknowledgment) &&
        !before(s.tcp_acknowledgment, una)) {
      if (before(iss, s.tcp_acknowledgment)) open = true;
      una = s.tcp_acknowledgment;
      if (before(nxt, una)) nxt = una;
      const std::uint32_t window = std::uint32_t{s.tcp_window} << (syn ? 0 : peer_shift);
      send_edge = send_edge == 0 ? una + window : later(send_edge, una + window);
    }
    if (syn || s.tcp_end == s.tcp_sequence) {
      if (before(s.tcp_sequence, next)) owes_ack = true;
      return;
    }
    owes_ack = true;
    take(s);
  }

  void take(const PacketInfo& s) {
    const bool fin_here = (s.tcp_flags & TcpHeader::kFin) != 0;
    std::uint32_t end = s.tcp_end;
    if (before(offered, end) && !fin_here) end = offered;  // trimmed to the window
    if (!before(next, end)) return;
    if (before(next, s.tcp_sequence)) {
      if (!fin_here) early[s.tcp_sequence] = end;
      return;
    }
    next = end;
    if (fin_here) finished = true;
    for (auto it = early.begin(); it != early.end();) {
      if (!before(next, it->first)) next = later(next, it->second);
      it = before(next, it->first) ? std::next(it) : early.erase(it);
    }
  }
};

struct World {
  explicit World(unsigned number) : seed{number} {}

  unsigned seed;
  Random random{seed};
  Host hosts[2]{{random, true}, {random, false}};
  FlowRecord flow;
  bool known{false}, over{false};
  struct Travelling {
    std::uint32_t at;
    bool passed;
    unsigned direction;
    PacketInfo segment;
  };
  std::deque<Travelling> network;
  std::uint32_t now{0};
  std::uint32_t loss{2 + random.below(30)};
  std::uint32_t jitter{1 + random.below(12)};
  std::uint32_t refused{0};

  void gate(Travelling& t) {
    if (over) return;
    if (!known) {
      BOOST_REQUIRE_MESSAGE(t.segment.tcp_flags == TcpHeader::kSyn, "seed " << seed);
      open_connection(flow, t.segment);
      flow.sides[0].count(40);
      known = t.passed = true;
      return;
    }
    const TcpJudgement judgement = judge_segment(flow, t.segment, t.direction);
    t.passed = judgement.verdict <= TcpVerdict::kOver;
    if (t.passed) {
      follow_segment(flow, t.segment, t.direction, judgement);
      flow.sides[t.direction].count(40 + (t.segment.tcp_end - t.segment.tcp_sequence));
      over = judgement.verdict == TcpVerdict::kOver;
    } else {
      ++refused;
      BOOST_REQUIRE_MESSAGE(!hosts[1 - t.direction].wants(t.segment),
                            "seed " << seed << " time " << now << " from " << t.direction
                                    << ": refused, and its receiver waits for it: " << tell(t));
    }
  }

  std::string tell(const Travelling& t) const {
    const FlowSide& own = flow.sides[t.direction];
    const FlowSide& other = flow.sides[1 - t.direction];
    const PacketInfo& s = t.segment;
    std::ostringstream text;
    text << "flags " << int{s.tcp_flags} << " state " << static_cast<int>(flow.tcp.state())
         << " fins " << flow.tcp.fins() << "; from its end: sequence "
         << static_cast<std::int32_t>(s.tcp_sequence - own.end) << " to "
         << static_cast<std::int32_t>(s.tcp_end - own.end) << ", edge "
         << static_cast<std::int32_t>(own.edge - own.end) << ", window " << own.largest_window()
         << "; from the other's: acknowledgment "
         << static_cast<std::int32_t>(s.tcp_acknowledgment - other.end) << ", window "
         << other.largest_window() << ", SACK " << s.tcp_sacks << ' '
         << static_cast<std::int32_t>(s.tcp_sack_end - other.end);
    return text.str();
  }

  // A segment of a stranger that knows addresses and ports, and no more.
  void attack() {
    const unsigned direction = random.below(2);
    const Host& victim = hosts[1 - direction];
    const Host& other = hosts[direction];
    if (!known || over || !victim.open || !other.open) return;
    PacketInfo info;
    constexpr std::uint8_t kFlags[] = {TcpHeader::kAck, TcpHeader::kAck | TcpHeader::kFin,
                                       TcpHeader::kRst, TcpHeader::kRst | TcpHeader::kAck,
                                       TcpHeader::kSyn | TcpHeader::kAck};
    info.tcp_flags = kFlags[random.below(5)];
    const bool wrong_number = random.one_in(2) || (info.tcp_flags & TcpHeader::kRst) != 0;
    // Outside what may come: from the window before what is expected to the edge of all offers; and
    // not near them, because the gateway sees either side's view late.
    const std::uint32_t span = 4 * std::max(victim.largest, 70'000U);
    const std::uint32_t off = span + random.below(0x8000'0000U - span);
    const std::uint32_t sign = random.one_in(2) ? off : 0U - off;
    info.tcp_sequence = victim.next + (wrong_number ? sign : 0);
    const std::uint32_t ack_span = 4 * std::max(other.largest, 70'000U);
    const std::uint32_t ack_off = ack_span + random.below(0x7fff'0000U - ack_span);
    // Resets and SYNs may be taken by their acknowledgment alone; nobody knows it by chance.
    const bool knows = wrong_number && (info.tcp_flags & (TcpHeader::kRst | TcpHeader::kSyn)) == 0;
    info.tcp_acknowledgment = knows ? victim.una : victim.una + ack_off;
    info.tcp_end = info.tcp_sequence + random.below(1460);
    info.tcp_window = 65535;
    if (span > 0x4000'0000U || ack_span > 0x4000'0000U) return;
    BOOST_REQUIRE_MESSAGE(judge_segment(flow, info, direction).verdict > TcpVerdict::kOver,
                          "seed " << seed << " time " << now << ": a stranger's segment passed");
  }

  void run() {
    for (now = 1; now < 20'000 && !over; ++now) {
      for (unsigned i = 0; i < 2; ++i) {
        if (!hosts[i].open && now % 20 != 1 && !hosts[i].owes_ack) continue;
        if (const auto segment = hosts[i].speak(random)) {
          network.push_back({now + 1 + random.below(jitter), false, i, *segment});
          if (random.one_in(40)) network.push_back({now + jitter, false, i, *segment});
        }
      }
      for (std::size_t k = network.size(); k != 0; --k) {
        Travelling t = network.front();
        network.pop_front();
        if (t.at > now) {
          network.push_back(t);
        } else if (random.one_in(loss)) {
          // lost on this half of its way
        } else if (!t.passed) {
          gate(t);
          t.at = now + 1 + random.below(jitter);
          if (t.passed) network.push_back(t);
        } else {
          hosts[1 - t.direction].hear(t.segment);
        }
      }
      if (random.one_in(4)) attack();
    }
  }
};

BOOST_AUTO_TEST_CASE(windows_agree_with_two_endpoints) {
  const unsigned first = std::random_device{}();
  BOOST_TEST_MESSAGE("first seed " << first);
  std::uint32_t finished = 0, refused = 0, passed = 0;
  constexpr unsigned kRounds = 200;
  for (unsigned i = 0; i < kRounds; ++i) {
    World world{first + i};
    world.run();
    finished += world.over;
    refused += world.refused;
    passed += world.now;
  }
  // It is no proof where nothing happens.
  BOOST_TEST(finished > kRounds * 2 / 3);
  BOOST_TEST(refused < passed / 50);
  BOOST_TEST_MESSAGE(finished << " of " << kRounds << " connections ended; " << refused
                              << " late segments refused");
}

}  // namespace
}  // namespace meiguan::fastpath
