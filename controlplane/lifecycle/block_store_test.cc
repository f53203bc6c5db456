// A block list on disk, and what becomes of it when the disk lies.

#include "controlplane/lifecycle/block_store.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdlib>
#include <string>

#include "controlplane/lifecycle/block_file.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::int64_t kNow = 1'790'000'000;

struct Place {
  Place() {
    std::string name = (std::filesystem::temp_directory_path() / "meiguan-blocks-XXXXXX").string();
    BOOST_REQUIRE(::mkdtemp(name.data()) != nullptr);
    directory = name;
  }
  ~Place() {
    std::error_code ignored;
    std::filesystem::remove_all(directory, ignored);
  }
  std::filesystem::path directory;
};

BlockEntries list_of(std::initializer_list<const char*> addresses,
                     std::int64_t ends = image::kBlockForEver) {
  BlockDefaults defaults;
  defaults.now = kNow;
  defaults.ends = ends;
  std::vector<BlockEntry> entries;
  for (const char* address : addresses) entries.push_back(*read_block(address, defaults));
  BlockChange change;
  return BlockEntries{}.with(std::move(entries), change);
}

std::string text_of(const BlockEntries& entries) {
  std::string text;
  for (const BlockEntry& one : entries.all()) text += to_string(one) + " ";
  return text;
}

void spoil(const std::filesystem::path& file, std::size_t at) {
  auto text = read_file(file, 1 << 20);
  BOOST_REQUIRE(text.has_value());
  BOOST_REQUIRE(at < text->size());
  (*text)[at] = static_cast<char>((*text)[at] ^ 1);
  BOOST_REQUIRE(write_atomically(file, *text).has_value());
}

BOOST_AUTO_TEST_CASE(a_list_is_there_again) {
  const Place place;
  const BlockStore store{place.directory};
  const auto empty = store.load(kNow);
  BOOST_TEST(empty.fresh);
  BOOST_TEST(empty.known);
  BOOST_TEST(empty.alarms.empty());
  const BlockEntries first = list_of({"198.51.100.7", "10.1.1.5@vpn"});
  BOOST_REQUIRE(store.save(first, empty.seed).has_value());
  BOOST_TEST(!std::filesystem::exists(store.file_before()));
  const auto again = store.load(kNow);
  BOOST_TEST(!again.fresh);
  BOOST_TEST(again.seed == empty.seed);
  BOOST_TEST(text_of(again.entries) == text_of(first));
  // Equal lists, equal images: the data plane need not judge its flows again.
  const auto one = first.image(empty.seed), two = again.entries.image(again.seed);
  BOOST_TEST(std::ranges::equal(one->span(), two->span()));

  BOOST_REQUIRE(store.save(list_of({"203.0.113.9"}), empty.seed).has_value());
  BOOST_TEST(text_of(store.load(kNow).entries) == "203.0.113.9/32 ");
  BOOST_TEST(std::filesystem::exists(store.file_before()));
  BOOST_REQUIRE(store.save(list_of({}), empty.seed).has_value());
  const auto none = store.load(kNow);
  BOOST_TEST(none.entries.size() == 0U);
  BOOST_TEST(!none.fresh);
}

BOOST_AUTO_TEST_CASE(what_has_ended_does_not_come_back) {
  const Place place;
  const BlockStore store{place.directory};
  BOOST_REQUIRE(store.save(list_of({"198.51.100.7"}, kNow + 100), 1).has_value());
  BOOST_TEST(store.load(kNow + 99).entries.size() == 1U);
  const auto later = store.load(kNow + 100);
  BOOST_TEST(later.entries.size() == 0U);
  BOOST_TEST(later.alarms.empty());
}

BOOST_AUTO_TEST_CASE(a_damaged_list_is_the_one_before) {
  const Place origin;
  const BlockStore made{origin.directory};
  BOOST_REQUIRE(made.save(list_of({"198.51.100.7"}), 9).has_value());
  BOOST_REQUIRE(made.save(list_of({"198.51.100.7", "203.0.113.9"}), 9).has_value());
  const std::size_t size = std::filesystem::file_size(made.file());
  for (std::size_t at = 0; at < size; ++at) {
    spoil(made.file(), at);
    const auto loaded = made.load(kNow);
    BOOST_TEST(text_of(loaded.entries) == "198.51.100.7/32 ", "byte " << at);
    BOOST_TEST(loaded.known, "byte " << at);
    BOOST_TEST(loaded.alarms.size() == 2U, "byte " << at);
    spoil(made.file(), at);
  }
  BOOST_TEST(made.load(kNow).alarms.empty());
  BOOST_TEST(std::filesystem::exists(made.file().string() + ".damaged"));
  // Cut short at any place, and gone.
  const auto whole = read_file(made.file(), 1 << 20);
  for (std::size_t bytes = 0; bytes < size; bytes += 7) {
    BOOST_REQUIRE(write_atomically(made.file(), std::string_view{*whole}.substr(0, bytes)));
    BOOST_TEST(text_of(made.load(kNow).entries) == "198.51.100.7/32 ", bytes << " bytes");
  }
  std::filesystem::remove(made.file());
  const auto gone = made.load(kNow);
  BOOST_TEST(text_of(gone.entries) == "198.51.100.7/32 ");
  BOOST_TEST(gone.alarms.size() == 2U);
}

BOOST_AUTO_TEST_CASE(where_both_are_damaged_nothing_is_known) {
  const Place place;
  const BlockStore store{place.directory};
  BOOST_REQUIRE(store.save(list_of({"198.51.100.7"}), 9).has_value());
  BOOST_REQUIRE(store.save(list_of({"203.0.113.9"}), 9).has_value());
  spoil(store.file(), 70);
  spoil(store.file_before(), 70);
  const auto loaded = store.load(kNow);
  BOOST_TEST(!loaded.known);
  BOOST_TEST(!loaded.fresh);
  BOOST_TEST(loaded.alarms.size() == 3U);
}

BOOST_AUTO_TEST_CASE(a_list_that_cannot_be_written_leaves_the_old_one) {
  const BlockStore store{"/nonexistent/meiguan"};
  BOOST_TEST(!store.save(list_of({"198.51.100.7"}), 1).has_value());
  BOOST_TEST(store.load(kNow).fresh);
}

}  // namespace
}  // namespace meiguan::lifecycle
