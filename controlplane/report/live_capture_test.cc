// The reading end of a capture: what several workers took, in one order, and when it is over.

#include "controlplane/report/live_capture.h"

#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstring>
#include <string>

namespace meiguan::report {
namespace {

using channel::CaptureEnd;

constexpr std::uint64_t kRingBytes = 4096;
constexpr std::uint32_t kRings = 3;
constexpr std::size_t kStride = channel::kCapturePage + kRingBytes;

// What the data plane has, and its answer.
struct Shared {
  std::size_t bytes{channel::kCapturePage + kRings * kStride};
  int descriptor{::memfd_create("capture-test", MFD_CLOEXEC)};
  std::byte* memory{};
  std::vector<channel::CaptureRing> rings;
  Shared() {
    BOOST_REQUIRE(descriptor >= 0);
    BOOST_REQUIRE(::ftruncate(descriptor, static_cast<off_t>(bytes)) == 0);
    void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    BOOST_REQUIRE(p != MAP_FAILED);
    memory = static_cast<std::byte*>(p);
    new (memory) channel::CaptureState{};
    for (std::uint32_t i = 0; i < kRings; ++i) {
      rings.emplace_back(memory + channel::kCapturePage + i * kStride, kRingBytes, true);
    }
  }
  ~Shared() {
    ::munmap(memory, bytes);
    ::close(descriptor);
  }
  channel::CaptureState& state() { return *reinterpret_cast<channel::CaptureState*>(memory); }
  channel::Message answer(channel::CaptureAnswer says) const {
    channel::Message message;
    message.payload.resize(sizeof says);
    std::memcpy(message.payload.data(), &says, sizeof says);
    message.descriptors.push_back(::dup(descriptor));
    return message;
  }
  LiveCapture open() const {
    auto opened = LiveCapture::open(answer({bytes, kRingBytes, kRings, 0}));
    BOOST_REQUIRE(opened.has_value());
    return std::move(*opened);
  }
  void take(std::uint32_t ring, std::uint64_t time, std::uint32_t length = 10) {
    channel::CapturedPacket head;
    head.time = time;
    head.captured_bytes = head.frame_bytes = length;
    const std::vector<std::uint8_t> frame(length, static_cast<std::uint8_t>(time));
    rings[ring].push(head, frame.data());
  }
};

std::string times(const std::vector<LivePacket>& packets) {
  std::string text;
  for (const auto& packet : packets) {
    text += (text.empty() ? "" : " ") + std::to_string(packet.head.time);
  }
  return text;
}

constexpr std::size_t kMuch = 1 << 20;

}  // namespace

BOOST_AUTO_TEST_SUITE(live_capture)

BOOST_AUTO_TEST_CASE(packets_of_several_workers_come_in_the_order_of_time) {
  Shared shared;
  auto capture = shared.open();
  shared.take(0, 10);
  shared.take(1, 5);
  shared.take(0, 30);
  BOOST_TEST(times(capture.read(kMuch, 0)) == "");
  // Stamped before what the reader saw last, and in its ring only now.
  shared.take(2, 20);
  shared.take(1, 40);
  BOOST_TEST(times(capture.read(kMuch, 0)) == "5 10 20 30");
  BOOST_TEST(times(capture.read(kMuch, 0)) == "40");
  BOOST_TEST(times(capture.read(kMuch, 0)) == "");
  BOOST_TEST(shared.state().heard.load() == 4U);
}

BOOST_AUTO_TEST_CASE(a_capture_that_is_over_keeps_nothing_back) {
  Shared shared;
  auto capture = shared.open();
  shared.take(0, 10);
  shared.take(1, 5);
  shared.state().ended = CaptureEnd::kTime;
  BOOST_TEST((capture.end(0) == CaptureEnd::kTime));
  BOOST_TEST(times(capture.read(kMuch, 0)) == "5 10");
  BOOST_TEST(!capture.more());
}

BOOST_AUTO_TEST_CASE(an_answer_is_bounded_and_says_that_there_is_more) {
  Shared shared;
  auto capture = shared.open();
  for (std::uint64_t i = 1; i <= 9; ++i) shared.take(i % 2 != 0 ? 0 : 1, i, 200);
  shared.state().ended = CaptureEnd::kAsked;
  std::string all;
  int answers = 0;
  do {
    const auto packets = capture.read(2 * (200 + sizeof(LivePacket)), 0);
    BOOST_TEST(packets.size() <= 2U);
    all += times(packets) + ";";
    ++answers;
  } while (capture.more() && answers < 20);
  BOOST_TEST(all == "1 2;3 4;5 6;7 8;9;");
}

BOOST_AUTO_TEST_CASE(what_found_no_room_is_added_up) {
  Shared shared;
  auto capture = shared.open();
  for (int i = 0; i < 30; ++i) shared.take(0, 1, 1000);
  for (int i = 0; i < 10; ++i) shared.take(1, 1, 1000);
  BOOST_TEST(capture.lost() == 34U);  // three to a ring
}

BOOST_AUTO_TEST_CASE(a_data_plane_that_is_gone_is_noticed) {
  Shared shared;
  const auto capture = shared.open();
  shared.state().alive = 10'000;
  BOOST_TEST((capture.end(9'000) == CaptureEnd::kGoesOn));
  BOOST_TEST((capture.end(13'000) == CaptureEnd::kGoesOn));
  BOOST_TEST((capture.end(13'001) == CaptureEnd::kReopened));
}

BOOST_AUTO_TEST_CASE(an_answer_that_does_not_fit_together_is_refused) {
  const Shared shared;
  const channel::CaptureAnswer wrong[] = {
      {shared.bytes, kRingBytes, 0, 0},
      {shared.bytes, kRingBytes, kRings + 1, 0},
      {shared.bytes, kRingBytes - 1, kRings, 0},
      {shared.bytes, 0, kRings, 0},
      {shared.bytes - 1, kRingBytes, kRings, 0},
      // More than the file has.
      {channel::kCapturePage + kRings * (channel::kCapturePage + 2 * kRingBytes), 2 * kRingBytes,
       kRings, 0},
  };
  for (const auto& says : wrong) BOOST_TEST(!LiveCapture::open(shared.answer(says)).has_value());
  BOOST_TEST(!LiveCapture::open(channel::Message{}).has_value());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::report
