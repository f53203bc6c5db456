#include "dataplane/fastpath/event.h"

#include <boost/test/unit_test.hpp>

#include <thread>
#include <vector>

#include "dataplane/image/bytes.h"

namespace meiguan::fastpath {
namespace {

BOOST_AUTO_TEST_CASE(a_full_ring_loses_the_newest) {
  image::AlignedBytes memory{EventRing::ring_bytes(4)};
  EventRing ring{memory.span().data(), 4, true};
  Event event;
  for (std::uint64_t i = 0; i < 6; ++i) {
    event.sequence = i;
    BOOST_TEST(ring.push(event) == (i < 4));
  }
  std::vector<Event> out(3);
  BOOST_TEST(ring.pop(out) == 3U);
  BOOST_TEST(out[2].sequence == 2U);
  BOOST_TEST(ring.pop(out) == 1U);
  BOOST_TEST(out[0].sequence == 3U);
  BOOST_TEST(ring.pop(out) == 0U);
  BOOST_TEST(ring.push(event));
  BOOST_TEST(!EventRing{}.push(event));
  BOOST_TEST(EventRing{}.pop(out) == 0U);
}

// The other side's memory is not believed.
BOOST_AUTO_TEST_CASE(a_corrupt_header_yields_nothing) {
  image::AlignedBytes memory{EventRing::ring_bytes(4)};
  EventRing producer{memory.span().data(), 4, true};
  auto* const header = reinterpret_cast<EventRingHeader*>(memory.span().data());
  std::vector<Event> out(8);
  EventRing consumer{memory.span().data(), 4, false};
  header->written = 1000;
  BOOST_TEST(consumer.pop(out) == 0U);
  header->written = 1;
  header->capacity = 1U << 20;
  BOOST_TEST(consumer.pop(out) == 0U);
  header->capacity = 4;
  BOOST_TEST(consumer.pop(out) == 1U);
}

BOOST_AUTO_TEST_CASE(one_writes_and_one_reads) {
  constexpr std::uint64_t kEvents = 200'000;
  image::AlignedBytes memory{EventRing::ring_bytes(64)};
  EventRing producer{memory.span().data(), 64, true};
  std::thread writer{[&] {
    Event event;
    for (std::uint64_t i = 0; i < kEvents;) {
      event.sequence = event.bytes = i;
      if (producer.push(event))
        ++i;
      else
        std::this_thread::yield();
    }
  }};
  EventRing consumer{memory.span().data(), 64, false};
  std::vector<Event> out(16);
  std::uint64_t next = 0;
  bool right = true;
  while (next < kEvents) {
    const std::size_t count = consumer.pop(out);
    for (std::size_t i = 0; i < count; ++i, ++next) {
      right &= out[i].sequence == next && out[i].bytes == next;
    }
    if (count == 0) std::this_thread::yield();
  }
  writer.join();
  BOOST_TEST(right);
}

}  // namespace
}  // namespace meiguan::fastpath
