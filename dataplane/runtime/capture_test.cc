// What a tap takes, and the programs that it runs: compiled by libpcap, as the command line does.

#include "dataplane/runtime/capture.h"

#include <pcap/pcap.h>
#include <sys/mman.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>

#include "dataplane/fastpath/test_frames.h"

namespace meiguan::runtime {
namespace {

using channel::CaptureEnd;
using channel::CapturePoint;
using fastpath::Fate;
using fastpath::Frame;
using fastpath::NextStep;
using fastpath::Reason;
using Program = std::vector<channel::CaptureInstruction>;

Program compiled(const std::string& text) {
  pcap_t* const handle = ::pcap_open_dead(DLT_EN10MB, 65535);
  bpf_program program{};
  BOOST_REQUIRE_MESSAGE(::pcap_compile(handle, &program, text.c_str(), 1, PCAP_NETMASK_UNKNOWN) ==
                            0,
                        ::pcap_geterr(handle));
  Program result(program.bf_len);
  std::memcpy(result.data(), program.bf_insns, result.size() * sizeof result[0]);
  ::pcap_freecode(&program);
  ::pcap_close(handle);
  return result;
}

struct Bench {
  std::unique_ptr<Capture> capture;
  std::byte* seen{};  // the memory, as the reader has it
  std::size_t bytes{0};

  explicit Bench(channel::CaptureRequest request, const Program& program = {}) {
    request.seconds = 60;
    auto begun = Capture::begin(request, program, 1, 1000);
    BOOST_REQUIRE(begun.has_value());
    capture = std::move(*begun);
    bytes = capture->answer().bytes;
    void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, capture->descriptor(), 0);
    BOOST_REQUIRE(p != MAP_FAILED);
    seen = static_cast<std::byte*>(p);
  }
  ~Bench() { ::munmap(seen, bytes); }

  channel::CaptureState& state() { return *reinterpret_cast<channel::CaptureState*>(seen); }
  channel::CaptureRing ring(std::uint32_t number) {
    const auto answer = capture->answer();
    BOOST_REQUIRE_EQUAL(answer.rings, 2U);
    return {seen + channel::kCapturePage + number * (channel::kCapturePage + answer.ring_bytes),
            answer.ring_bytes, false};
  }
  // All that a ring has.
  std::vector<channel::CapturedPacket> taken(std::uint32_t number = 0) {
    std::vector<channel::CapturedPacket> packets;
    auto one = ring(number);
    channel::CapturedPacket head;
    std::vector<std::uint8_t> frame;
    while (one.pop(head, frame)) {
      packets.push_back(head);
      frames.push_back(frame);
    }
    return packets;
  }
  std::vector<std::vector<std::uint8_t>> frames;
};

std::vector<std::uint8_t> datagram(std::uint16_t port, std::size_t payload = 20) {
  using namespace fastpath::test;
  return ethernet(ipv4("10.0.0.1", "10.1.0.1", 17, udp(1000, port, payload)));
}

Fate fate_of(NextStep step, Reason reason, std::uint32_t unit = 1, std::uint32_t to_unit = 2) {
  Fate fate;
  fate.step = step;
  fate.reason = reason;
  fate.in = PortId{0};
  fate.out = PortId{1};
  fate.unit = UnitId{unit};
  fate.to_unit = UnitId{to_unit};
  return fate;
}

}  // namespace

BOOST_AUTO_TEST_SUITE(capture)

BOOST_AUTO_TEST_CASE(programs_that_a_worker_would_not_end_are_refused) {
  struct Case {
    const char* name;
    Program program;
    bool good;
  };
  // Loads, and a return behind them.
  const auto of_length = [](std::size_t length) {
    Program program(length, {BPF_LD | BPF_IMM, 0, 0, 1});
    program.back() = {BPF_RET | BPF_K, 0, 0, 1};
    return program;
  };
  const Case cases[] = {
      {"nothing: all packets", {}, true},
      {"a filter", compiled("udp and port 53"), true},
      {"a loop, as libpcap makes one", compiled("ip6 protochain 6"), false},
      {"a jump to itself", {{BPF_JMP | BPF_JA, 0, 0, ~0U}, {BPF_RET | BPF_K, 0, 0, 1}}, false},
      {"a jump behind the end", {{BPF_JMP | BPF_JA, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}}, false},
      {"a branch behind the end",
       {{BPF_JMP | BPF_JEQ | BPF_K, 200, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}},
       false},
      {"no end", {{BPF_LD | BPF_IMM, 0, 0, 1}}, false},
      {"no such instruction", {{0xffff, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}}, false},
      {"an arithmetic that there is none of",
       {{BPF_ALU | 0xb0, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}},
       false},
      {"a jump that there is none of",
       {{BPF_JMP | 0x50, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}},
       false},
      {"a return of X", {{BPF_RET | BPF_X, 0, 0, 1}, {BPF_RET | BPF_K, 0, 0, 1}}, false},
      {"memory that is not there", {{BPF_ST, 0, 0, 16}, {BPF_RET | BPF_K, 0, 0, 1}}, false},
      {"a division by zero",
       {{BPF_ALU | BPF_DIV | BPF_K, 0, 0, 0}, {BPF_RET | BPF_K, 0, 0, 1}},
       false},
      {"as long as may be", of_length(channel::kMaxCaptureInstructions), true},
      {"too long", of_length(channel::kMaxCaptureInstructions + 1), false},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) { BOOST_TEST(CaptureFilter::make(c.program).has_value() == c.good); }
  }
}

// Whatever program is taken can be run: on every code there is, bpf_filter() would end the process
// at one that it does not know.
BOOST_AUTO_TEST_CASE(programs_that_are_taken_can_be_run) {
  std::size_t taken = 0;
  for (unsigned code = 0; code <= 0xffff; ++code) {
    for (const std::uint32_t value : {0U, 1U, 15U, ~0U}) {
      const Program program{{static_cast<std::uint16_t>(code), 0, 0, value},
                            {BPF_RET | BPF_A, 0, 0, 0}};
      const auto filter = CaptureFilter::make(program);
      if (!filter) continue;
      ++taken;
      static_cast<void>(filter->takes(datagram(53)));
      static_cast<void>(filter->takes({}));
    }
  }
  BOOST_TEST(taken > 100U);
}

BOOST_AUTO_TEST_CASE(a_filter_takes_what_it_says_and_reads_no_further_than_the_frame) {
  const auto filter = CaptureFilter::make(compiled("udp dst port 53"));
  BOOST_REQUIRE(filter.has_value());
  const auto wanted = datagram(53);
  BOOST_TEST(filter->takes(wanted));
  BOOST_TEST(!filter->takes(datagram(54)));
  for (std::size_t bytes = 0; bytes < 38; ++bytes) {
    const std::vector<std::uint8_t> cut{wanted.begin(),
                                        wanted.begin() + static_cast<std::ptrdiff_t>(bytes)};
    BOOST_TEST(!filter->takes(cut));
  }
}

// Each frame of a burst, by where it is looked at and what became of it.
BOOST_AUTO_TEST_CASE(each_point_takes_its_own) {
  struct Case {
    const char* name;
    Fate fate;
    bool received, sent, dropped;
  };
  Fate held = fate_of(NextStep::kHold, Reason::kNoImage);
  const Case cases[] = {
      {"forwarded", fate_of(NextStep::kSend, Reason::kAllowed), true, true, false},
      {"dropped", fate_of(NextStep::kDrop, Reason::kDefaultDeny), true, false, true},
      {"dropped, and told of", fate_of(NextStep::kReport, Reason::kNoRoute), true, false, true},
      {"for the gateway", fate_of(NextStep::kConsume, Reason::kForGateway), true, false, false},
      {"waits for its next hop", fate_of(NextStep::kResolve, Reason::kAllowed), true, false, false},
      {"answered", fate_of(NextStep::kAnswer, Reason::kDefaultDeny), true, true, false},
      {"held", held, true, false, false},
      {"handed over", fate_of(NextStep::kHandOver, Reason::kNoImage), false, false, false},
  };
  for (const CapturePoint point :
       {CapturePoint::kReceived, CapturePoint::kSent, CapturePoint::kDropped}) {
    for (const Case& c : cases) {
      BOOST_TEST_CONTEXT(c.name << " at " << static_cast<int>(point)) {
        Bench bench{{.point = point}};
        auto bytes = datagram(53);
        const auto original = bytes;
        const Frame frame{bytes.data(), static_cast<std::uint32_t>(bytes.size()), PortId{0},
                          nullptr};
        bench.capture->tap(0).before({&frame, 1});
        bytes[30] ^= 0xff;  // as a rewriting does
        bench.capture->tap(0).after({&frame, 1}, {&c.fate, 1});
        const auto taken = bench.taken();
        const bool want = point == CapturePoint::kReceived ? c.received
                          : point == CapturePoint::kSent   ? c.sent
                                                           : c.dropped;
        BOOST_REQUIRE_EQUAL(taken.size(), want ? 1U : 0U);
        if (!want) continue;
        BOOST_TEST((bench.frames[0] == (point == CapturePoint::kReceived ? original : bytes)));
        BOOST_TEST((taken[0].reason == c.fate.reason));
        BOOST_TEST(
            (taken[0].step == (c.fate.step == NextStep::kHold ? channel::CapturedStep::kHeld
                                                              : channel::CapturedStep::kJudged)));
        BOOST_TEST((taken[0].in == PortId{0} && taken[0].unit == UnitId{1}));
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_wish_is_all_of_its_parts) {
  struct Case {
    const char* name;
    channel::CaptureRequest request;
    const char* filter;
    std::size_t want;  // of the four below
  };
  const auto deny = static_cast<std::uint32_t>(Reason::kDefaultDeny);
  const Case cases[] = {
      {"all", {}, "", 4},
      {"a reason", {.reason = deny}, "", 2},
      {"a unit, at either end", {.unit = 2}, "", 3},
      {"a filter", {}, "dst port 53", 3},
      {"reason and unit", {.reason = deny, .unit = 2}, "", 1},
      {"reason, unit and filter", {.reason = deny, .unit = 2}, "dst port 54", 0},
      {"no such unit", {.unit = 9}, "", 0},
  };
  for (const CapturePoint point : {CapturePoint::kReceived, CapturePoint::kDropped}) {
    for (const Case& c : cases) {
      BOOST_TEST_CONTEXT(c.name << " at " << static_cast<int>(point)) {
        auto request = c.request;
        request.point = point;
        Bench bench{request, *c.filter != '\0' ? compiled(c.filter) : Program{}};
        std::vector<std::vector<std::uint8_t>> bytes{datagram(53), datagram(53), datagram(54),
                                                     datagram(53)};
        const Fate fates[] = {fate_of(NextStep::kDrop, Reason::kDefaultDeny, 1, 2),
                              fate_of(NextStep::kDrop, Reason::kNoRoute, 2, 3),
                              fate_of(NextStep::kDrop, Reason::kDefaultDeny, 3, 4),
                              fate_of(NextStep::kDrop, Reason::kNoRoute, 5, 2)};
        std::vector<Frame> frames;
        for (auto& b : bytes) {
          frames.push_back({b.data(), static_cast<std::uint32_t>(b.size()), PortId{0}, nullptr});
        }
        bench.capture->tap(0).before(frames);
        bench.capture->tap(0).after(frames, fates);
        BOOST_TEST(bench.taken().size() == c.want);
      }
    }
  }
}

BOOST_AUTO_TEST_CASE(a_snap_length_cuts_and_says_so) {
  for (const CapturePoint point : {CapturePoint::kReceived, CapturePoint::kDropped}) {
    Bench bench{{.point = point, .snap_bytes = 64}};
    auto bytes = datagram(53, 500);
    const Frame frame{bytes.data(), static_cast<std::uint32_t>(bytes.size()), PortId{0}, nullptr};
    const Fate fate = fate_of(NextStep::kDrop, Reason::kDefaultDeny);
    bench.capture->tap(0).before({&frame, 1});
    bench.capture->tap(0).after({&frame, 1}, {&fate, 1});
    const auto taken = bench.taken();
    BOOST_REQUIRE_EQUAL(taken.size(), 1U);
    BOOST_TEST(taken[0].captured_bytes == 64U);
    BOOST_TEST(taken[0].frame_bytes == bytes.size());
    BOOST_TEST((bench.frames[0] == std::vector<std::uint8_t>{bytes.begin(), bytes.begin() + 64}));
  }
}

BOOST_AUTO_TEST_CASE(packets_outside_a_burst) {
  const auto bytes = datagram(53);
  const Fate other_host = fate_of(NextStep::kDrop, Reason::kFrameOtherHost);
  const Fate unresolved = fate_of(NextStep::kResolve, Reason::kNextHopUnresolved);
  Fate own;
  struct Case {
    CapturePoint point;
    std::size_t never_judged, late, forwarded, own;
  };
  for (const Case& c :
       {Case{CapturePoint::kReceived, 1, 0, 0, 0}, Case{CapturePoint::kSent, 0, 0, 1, 1},
        Case{CapturePoint::kDropped, 1, 1, 0, 0}}) {
    BOOST_TEST_CONTEXT(static_cast<int>(c.point)) {
      Bench bench{{.point = c.point}};
      CaptureTap& tap = bench.capture->tap(0);
      tap.dropped(bytes, other_host, false);
      BOOST_TEST(bench.taken().size() == c.never_judged);
      bench.capture->main_tap().dropped(bytes, unresolved, true);
      BOOST_TEST(bench.taken(1).size() == c.late);
      tap.sent(bytes, unresolved);
      BOOST_TEST(bench.taken().size() == c.forwarded);
      tap.sent(bytes, own);
      const auto taken = bench.taken();
      BOOST_REQUIRE_EQUAL(taken.size(), c.own);
      if (c.own != 0) BOOST_TEST((taken[0].step == channel::CapturedStep::kOwn));
    }
  }
}

BOOST_AUTO_TEST_CASE(a_capture_that_nobody_hears_is_over) {
  Bench bench{{}};
  constexpr std::uint32_t kSilence = channel::kCaptureSilenceMs;
  BOOST_TEST((bench.capture->look(1000 + kSilence - 1) == CaptureEnd::kGoesOn));
  BOOST_TEST(bench.state().alive.load() == 1000 + kSilence - 1);
  bench.state().heard.store(1);
  BOOST_TEST((bench.capture->look(1000 + kSilence) == CaptureEnd::kGoesOn));
  BOOST_TEST((bench.capture->look(1000 + 2 * kSilence - 1) == CaptureEnd::kGoesOn));
  BOOST_TEST((bench.capture->look(1000 + 2 * kSilence) == CaptureEnd::kSilence));
  bench.state().heard.store(2);
  BOOST_TEST((bench.capture->look(61'000) == CaptureEnd::kTime));
  bench.capture->end(CaptureEnd::kTime);
  bench.capture.reset();
  BOOST_TEST((bench.state().ended.load() == CaptureEnd::kTime));
}

BOOST_AUTO_TEST_CASE(a_wish_beyond_the_bounds_is_refused) {
  const channel::CaptureRequest wrong[] = {
      {.point = CapturePoint{0}, .seconds = 1},
      {.point = CapturePoint{4}, .seconds = 1},
      {.snap_bytes = 63, .seconds = 1},
      {.snap_bytes = 65'536, .seconds = 1},
      {.seconds = 0},
      {.seconds = channel::kMaxCaptureSeconds + 1},
  };
  for (const auto& request : wrong) {
    BOOST_TEST(!Capture::begin(request, {}, 1, 0).has_value());
  }
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::runtime
