// The same image as time passes.

#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <limits>

#include "dataplane/fastpath/test_image.h"
#include "dataplane/runtime/in_force.h"

namespace meiguan::runtime {
namespace {

constexpr std::int64_t kFrom = 1'000'000;
constexpr std::int64_t kUntil = 1'000'100;

std::shared_ptr<const LoadedImage> loaded(const image::Image& image) {
  const int memory = ::memfd_create("image", MFD_CLOEXEC);
  const auto bytes = image.bytes();
  BOOST_REQUIRE(::write(memory, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  auto result = LoadedImage::from_descriptor(memory, false);
  ::close(memory);
  BOOST_REQUIRE(result.has_value());
  return std::move(*result);
}

InForce at(const fastpath::test::World& world, std::int64_t seconds) {
  InForce now;
  now.loaded = loaded(world.image());
  now.moment = image::Moment{now.image(), seconds};
  now.generation = 7;
  now.port_of_device = {PortId{3}};
  return now;
}

BOOST_AUTO_TEST_CASE(a_generation_passes_where_a_condition_does) {
  const fastpath::test::World timed{
      {.when = image::ConditionRecord{kFrom, kUntil, image::kNone, 0}}};
  struct Case {
    const char* name;
    std::int64_t then;
    std::int64_t now;
    std::uint32_t generation;  // 0: nothing is to be done
  };
  constexpr std::int64_t kEver = std::numeric_limits<std::int64_t>::max() - 1;
  for (const Case& c : {
           Case{"a second later", kFrom, kFrom + 1, 0},
           Case{"its last second", kFrom, kUntil - 1, 0},
           Case{"it ends", kFrom, kUntil, 8},
           Case{"it ended long ago", kFrom, kEver, 8},
           Case{"it begins", kFrom - 1, kFrom, 8},
           Case{"the clock went back to before it", kFrom, kFrom - 1, 8},
           Case{"the clock went back into it", kUntil, kFrom, 8},
           Case{"the clock went back within it", kFrom + 50, kFrom, 0},
           Case{"the clock jumped over it", kFrom - 1, kUntil, 7},
           Case{"the clock jumped back over it", kUntil, kFrom - 1, 7},
           Case{"after it for ever", kUntil, kEver, 0},
       }) {
    const InForce before = at(timed, c.then);
    const auto after = after_time(before, c.now);
    BOOST_TEST((after != nullptr) == (c.generation != 0), c.name);
    if (after == nullptr) continue;
    BOOST_TEST(after->generation == c.generation, c.name);
    BOOST_TEST(after->moment.covers(c.now), c.name);
    BOOST_TEST(after->loaded == before.loaded, c.name);
    BOOST_TEST((after->port_of_device == before.port_of_device), c.name);
  }
  const fastpath::test::World timeless;
  BOOST_TEST((after_time(at(timeless, 0), kEver) == nullptr));
}

}  // namespace
}  // namespace meiguan::runtime
