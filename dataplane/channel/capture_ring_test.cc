#include <algorithm>
#include <boost/test/unit_test.hpp>
#include <cstring>
#include <deque>
#include <random>
#include <thread>
#include <vector>

#include "dataplane/channel/capture.h"

namespace meiguan::channel {
namespace {

struct Ring {
  std::uint64_t bytes;
  std::vector<std::uint64_t> memory;
  CaptureRing producer;
  CaptureRing consumer;
  explicit Ring(std::uint64_t size)
      : bytes{size},
        memory((kCapturePage + size) / sizeof(std::uint64_t)),
        producer{data(), size, true},
        consumer{data(), size, false} {}
  // As the other process sees it.
  std::byte* data() { return reinterpret_cast<std::byte*>(memory.data()); }
  CaptureRingHeader& header() { return *reinterpret_cast<CaptureRingHeader*>(data()); }
};

std::vector<std::uint8_t> frame_of(std::uint32_t number, std::size_t bytes) {
  std::vector<std::uint8_t> frame(bytes);
  for (std::size_t i = 0; i < bytes; ++i) frame[i] = static_cast<std::uint8_t>(number * 7 + i);
  return frame;
}

bool push(CaptureRing& ring, std::uint32_t number, std::size_t bytes) {
  CapturedPacket head;
  head.time = number;
  head.captured_bytes = static_cast<std::uint32_t>(bytes);
  head.frame_bytes = static_cast<std::uint32_t>(bytes + number % 3);
  return ring.push(head, frame_of(number, bytes).data());
}

void pop_and_compare(CaptureRing& ring, std::uint32_t number, std::size_t bytes) {
  CapturedPacket head;
  std::vector<std::uint8_t> frame;
  BOOST_REQUIRE(ring.pop(head, frame));
  BOOST_REQUIRE_EQUAL(head.time, number);
  BOOST_REQUIRE_EQUAL(head.frame_bytes, bytes + number % 3);
  BOOST_REQUIRE(frame == frame_of(number, bytes));
}

}  // namespace

BOOST_AUTO_TEST_SUITE(capture_ring)

// Against a queue that forgets nothing: random lengths, many times round.
BOOST_AUTO_TEST_CASE(what_goes_in_comes_out_whole_and_in_order) {
  const auto seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  Ring ring{4096};
  struct Expected {
    std::uint32_t number;
    std::size_t bytes;
  };
  std::deque<Expected> expected;
  std::uint64_t lost = 0;
  for (std::uint32_t i = 0; i < 20'000; ++i) {
    if (random() % 2 == 0) {
      const std::size_t bytes = random() % 1600;
      if (push(ring.producer, i, bytes)) {
        expected.push_back({i, bytes});
      } else {
        ++lost;
      }
    } else if (!expected.empty()) {
      pop_and_compare(ring.consumer, expected.front().number, expected.front().bytes);
      expected.pop_front();
    }
  }
  BOOST_TEST(lost > 0U);
  BOOST_TEST(ring.consumer.lost() == lost);
  for (const auto& one : expected) pop_and_compare(ring.consumer, one.number, one.bytes);
  CapturedPacket head;
  std::vector<std::uint8_t> frame;
  BOOST_TEST(!ring.consumer.pop(head, frame));
}

BOOST_AUTO_TEST_CASE(a_full_ring_loses_the_newest_and_counts_it) {
  Ring ring{4096};
  std::uint32_t pushed = 0;
  while (push(ring.producer, pushed, 100)) ++pushed;
  BOOST_TEST(pushed == 4096 / (8 + sizeof(CapturedPacket) + 104));
  BOOST_TEST(!push(ring.producer, 1000, 100));
  BOOST_TEST(ring.consumer.lost() == 2U);
  pop_and_compare(ring.consumer, 0, 100);
  BOOST_TEST(push(ring.producer, pushed, 100));
  for (std::uint32_t i = 1; i <= pushed; ++i) pop_and_compare(ring.consumer, i, 100);
}

// The other side may write what it likes: neither side leaves its memory or spins.
BOOST_AUTO_TEST_CASE(a_corrupt_header_reads_as_full_or_empty) {
  const std::uint64_t wrong[] = {1, 7, 4097, 1U << 20, ~std::uint64_t{0}, ~std::uint64_t{0} - 7};
  CapturedPacket head;
  std::vector<std::uint8_t> frame;
  for (const std::uint64_t value : wrong) {
    BOOST_TEST_CONTEXT(value) {
      Ring ring{4096};
      BOOST_REQUIRE(push(ring.producer, 1, 100));
      ring.header().read.store(value);
      (void)ring.consumer.pop(head, frame);
      // Not far behind zero is not far behind what was written.
      if (value > 152 && value < ~std::uint64_t{0} / 2) BOOST_TEST(!push(ring.producer, 2, 100));

      Ring other{4096};
      BOOST_REQUIRE(push(other.producer, 1, 100));
      other.header().written.store(value);
      (void)other.consumer.pop(head, frame);
    }
  }
  // A record that says it is longer than the ring, or has more bytes than it is long.
  for (const std::uint32_t bytes : {0U, 4U, 9U, 4096U, ~0U - 7}) {
    Ring ring{4096};
    BOOST_REQUIRE(push(ring.producer, 1, 100));
    std::memcpy(ring.data() + kCapturePage, &bytes, sizeof bytes);
    BOOST_TEST(!ring.consumer.pop(head, frame));
  }
  Ring ring{4096};
  BOOST_REQUIRE(push(ring.producer, 1, 100));
  const std::uint32_t captured = 200;
  std::memcpy(ring.data() + kCapturePage + 8 + offsetof(CapturedPacket, captured_bytes), &captured,
              sizeof captured);
  BOOST_TEST(!ring.consumer.pop(head, frame));
}

BOOST_AUTO_TEST_CASE(two_threads_agree) {
  Ring ring{1U << 16};
  constexpr std::uint32_t kPackets = 200'000;
  std::uint32_t lost = 0;
  std::atomic<bool> done{false};
  std::thread producer{[&] {
    for (std::uint32_t i = 0; i < kPackets; ++i) {
      if (!push(ring.producer, i, i % 300)) ++lost;
    }
    done = true;
  }};
  std::uint32_t got = 0;
  std::uint32_t wrong = 0;
  std::uint64_t last = 0;
  for (;;) {
    const bool last_look = done;
    CapturedPacket head;
    std::vector<std::uint8_t> frame;
    while (ring.consumer.pop(head, frame)) {
      const auto number = static_cast<std::uint32_t>(head.time);
      if (frame != frame_of(number, number % 300) || (got != 0 && number <= last)) ++wrong;
      last = number;
      ++got;
    }
    if (last_look) break;
  }
  producer.join();
  BOOST_TEST(wrong == 0U);
  BOOST_TEST(got + lost == kPackets);
  BOOST_TEST(ring.consumer.lost() == lost);
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::channel
