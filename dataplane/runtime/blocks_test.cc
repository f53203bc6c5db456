// Block lists in memory of our own: what they have dropped, and their ends as time passes.

#include <sys/mman.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <fstream>

#include "dataplane/fastpath/test_image.h"
#include "dataplane/image/block_writer.h"
#include "dataplane/runtime/in_force.h"
#include "dataplane/runtime/loaded_blocks.h"

namespace meiguan::runtime {
namespace {

image::BlockedPrefix blocked(const char* address, std::uint64_t space = 0,
                             std::int64_t ends = image::kBlockForEver) {
  const auto parsed = *net::parse_address(address);
  return {space, net::Prefix::around(parsed, 128), ends};
}

int memfd_of(std::span<const std::byte> bytes) {
  const int memory = ::memfd_create("blocks", MFD_CLOEXEC);
  BOOST_REQUIRE(::write(memory, bytes.data(), bytes.size()) == static_cast<ssize_t>(bytes.size()));
  return memory;
}

// `prefixes` ascend.
std::unique_ptr<LoadedBlocks> loaded(const std::vector<image::BlockedPrefix>& prefixes,
                                     const std::vector<std::uint64_t>& spaces = {0, 1},
                                     unsigned workers = 2) {
  const auto bytes = image::write_block_list(spaces, prefixes, 5);
  BOOST_REQUIRE(bytes.has_value());
  const int memory = memfd_of(bytes->span());
  auto result = LoadedBlocks::from_descriptor(memory, workers, false);
  ::close(memory);
  BOOST_REQUIRE(result.has_value());
  return std::move(*result);
}

BOOST_AUTO_TEST_CASE(drops_are_summed_over_workers_and_lists) {
  const auto first = loaded({blocked("10.0.0.1"), blocked("10.0.0.2"), blocked("10.0.0.2", 1)});
  first->hits(0)[0].add(3);
  first->hits(1)[0].add(4);
  first->hits(1)[2].add(5);
  BOOST_TEST(first->dropped(0) == 7U);
  BOOST_TEST(first->dropped(1) == 0U);
  BOOST_TEST(first->dropped(2) == 5U);
  BOOST_TEST(first->hits(2).empty());

  // Its spaces lie the other way round, and entries have come and gone.
  const auto second = loaded({blocked("10.0.0.2", 1), blocked("10.0.0.9", 1), blocked("10.0.0.0"),
                              blocked("10.0.0.1")},
                             {1, 0});
  second->inherit(*first);
  second->hits(0)[3].add(1);
  BOOST_TEST(second->dropped(0) == 5U);
  BOOST_TEST(second->dropped(1) == 0U);
  BOOST_TEST(second->dropped(2) == 0U);
  BOOST_TEST(second->dropped(3) == 8U);
  const auto third = loaded({blocked("10.0.0.1")});
  third->inherit(*second);
  BOOST_TEST(third->dropped(0) == 8U);
}

BOOST_AUTO_TEST_CASE(what_is_no_list_is_refused) {
  const int empty = memfd_of({});
  BOOST_TEST(!LoadedBlocks::from_descriptor(empty, 1, false).has_value());
  ::close(empty);
  const auto bytes = image::write_block_list({0}, {blocked("10.0.0.1")}, 5);
  for (std::size_t at = 0; at < bytes->size(); ++at) {
    auto copy = image::AlignedBytes::copy_of(bytes->span());
    copy.span()[at] ^= std::byte{4};
    const int memory = memfd_of(copy.span());
    BOOST_TEST(!LoadedBlocks::from_descriptor(memory, 1, false).has_value(), "byte " << at);
    ::close(memory);
  }
  BOOST_TEST(!LoadedBlocks::from_file("/nonexistent", 1, false).has_value());
}

BOOST_AUTO_TEST_CASE(a_list_is_kept_whole_or_not_at_all) {
  std::string name = (std::filesystem::temp_directory_path() / "meiguan-last-XXXXXX").string();
  BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
  const std::filesystem::path directory{name};
  const auto list = loaded({blocked("10.0.0.1")});
  BOOST_TEST(save_last(directory, kLastBlocks, list->list().bytes()).has_value());
  const auto again = LoadedBlocks::from_file(directory / kLastBlocks, 1, false);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST((*again)->list().checksum() == list->list().checksum());
  BOOST_TEST(!std::filesystem::exists(directory / "blocks.tmp"));
  std::filesystem::remove_all(directory);
  BOOST_TEST(!save_last("/proc/nowhere", kLastBlocks, list->list().bytes()).has_value());
}

BOOST_AUTO_TEST_CASE(ends_pass_without_a_generation_and_come_back_with_one) {
  const fastpath::test::World world;
  const auto bytes = world.image().bytes();
  const int memory = memfd_of(bytes);
  auto image = LoadedImage::from_descriptor(memory, false);
  ::close(memory);
  BOOST_REQUIRE(image.has_value());
  const std::shared_ptr<LoadedImage> shared_image = std::move(*image);
  const std::shared_ptr<LoadedBlocks> list = loaded(
      {blocked("10.0.0.1", 0, 100), blocked("10.0.0.2", 0, 200)});
  const net::Address one = *net::parse_address("10.0.0.1"), two = *net::parse_address("10.0.0.2");
  struct Case {
    const char* name;
    std::int64_t then;
    std::int64_t now;
    bool changes;
    std::uint32_t generation;
    bool first, second;  // blocked now
  };
  for (const Case& c : {
           Case{"nothing ends", 10, 99, false, 7, true, true},
           Case{"the first ends", 99, 100, true, 7, false, true},
           Case{"the second ends", 150, 200, true, 7, false, false},
           Case{"both at once", 10, 1000, true, 7, false, false},
           Case{"for ever", 300, 1000, false, 7, false, false},
           Case{"the clock goes back within it", 150, 100, false, 7, false, true},
           Case{"the clock goes back before an end", 150, 99, true, 8, true, true},
           Case{"before both", 250, 1, true, 8, true, true},
       }) {
    InForce before;
    before.loaded = shared_image;
    before.moment = image::Moment{before.image(), c.then};
    before.generation = 7;
    before.take_blocks(list, c.then, 3);
    const auto after = after_time(before, c.now);
    BOOST_TEST((after != nullptr) == c.changes, c.name);
    const InForce& holds = after ? *after : before;
    BOOST_TEST(holds.generation == c.generation, c.name);
    BOOST_TEST(holds.block_revision == (c.generation == 7 ? 3U : 4U), c.name);
    BOOST_TEST((holds.blocked.find(kSharedSpace, one) != image::kNone) == c.first, c.name);
    BOOST_TEST((holds.blocked.find(kSharedSpace, two) != image::kNone) == c.second, c.name);
  }
  InForce none;
  none.loaded = shared_image;
  none.moment = image::Moment{none.image(), 0};
  none.take_blocks(nullptr, 0, 1);
  BOOST_TEST((after_time(none, 1'000'000'000) == nullptr));
}

}  // namespace
}  // namespace meiguan::runtime
