#include "controlplane/lifecycle/taken_remains.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <functional>
#include <iterator>
#include <vector>

namespace meiguan::lifecycle {
namespace {

namespace fs = std::filesystem;

struct Directory {
  Directory() {
    fs::remove_all(path);
    fs::create_directories(path);
  }
  ~Directory() { fs::remove_all(path); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void add(const std::string& name, const std::string& bytes) const {
    std::ofstream{path / name, std::ios::binary} << bytes;
  }

  const fs::path path = fs::temp_directory_path() /
                        ("meiguan-remains-" + std::to_string(::getpid()));
};

SignedBundle bundle(std::string node, std::uint64_t revision, std::string text = "# nothing\n") {
  Manifest manifest;
  manifest.node = std::move(node);
  manifest.revision = revision;
  return make_bundle(std::move(manifest), {{"node.toml", std::move(text)}}).value();
}

BOOST_AUTO_TEST_CASE(nothing_older_comes_in_through_damage) {
  constexpr const char* kNone = "";
  const auto eight = bundle("360121", 8);
  const auto other_eight = bundle("360121", 8, "# other\n");
  struct Case {
    const char* name;
    std::vector<SignedBundle> there;
    const char* signature;
    std::vector<SignedBundle> given;
    const char* says;  // in the message; empty: it is taken
  };
  const std::vector<Case> cases{
      {"nothing remains", {}, kNone, {bundle("360121", 1)}, kNone},
      {"the same", {eight}, "360121 revision 8 by county", {eight}, kNone},
      {"the same, an older one beside it", {eight, bundle("360121", 7)}, kNone, {eight}, kNone},
      {"newer", {eight}, kNone, {bundle("360121", 9)}, kNone},
      {"older than one that is there", {eight}, kNone, {bundle("360121", 7)}, "8 was taken before"},
      {"older than what is in force",
       {bundle("360121", 7)},
       "360000 revision 3 by province, other; 360121 revision 8 by county",
       {bundle("360000", 4), bundle("360121", 7)},
       "8 was taken before"},
      {"as new as what is in force, which is gone",
       {},
       "360121 revision 8 by county",
       {eight},
       "higher revision"},
      {"another of the same revision", {eight}, kNone, {other_eight}, "higher revision"},
      {"two of the same revision are there",
       {eight, other_eight},
       kNone,
       {eight},
       "higher revision"},
      {"a node is missing",
       {eight},
       "360000 revision 3 by province; 360121 revision 8 by county; ...",
       {eight},
       "node 360000 is missing"},
      {"what is in force is older than what is there",
       {eight},
       "360121 revision 6 by county",
       {bundle("360121", 7)},
       "8 was taken before"},
      {"a signature that is none", {}, "; ;  revision ; x revision y", {eight}, kNone},
  };
  for (const auto& c : cases) {
    const Directory directory;
    int number = 0;
    for (const auto& one : c.there)
      directory.add(std::to_string(++number) + ".bundle", to_bytes(one));
    directory.add("cut.bundle", to_bytes(bundle("360121", 99)).substr(0, 600));
    fs::create_directory(directory.path / "no-file.bundle");
    const auto done = check_against(c.given, remains_of(directory.path, c.signature));
    BOOST_TEST(done.has_value() == (*c.says == '\0'), c.name);
    if (!done)
      BOOST_TEST(done.error().message.english.find(c.says) != std::string::npos,
                 c.name << ": " << done.error().message.english);
  }
}

// A record that is begun anew is damaged until it is whole: a kill in between opens no door.
BOOST_AUTO_TEST_CASE(a_record_in_place_of_a_damaged_one) {
  const std::vector eight{bundle("360121", 8)};
  const TakenByNode taken{{"360121", {8, eight.front().id()}}};
  for (const bool gone : {false, true}) {
    const Directory directory;
    BOOST_REQUIRE(TakenStore::open(directory.path)->keep(eight, taken).has_value());
    if (gone)
      fs::remove(directory.path / "taken");
    else
      directory.add("taken", "no record");
    BOOST_REQUIRE(!TakenStore::open(directory.path).has_value());
    auto anew = TakenStore::in_place_of(directory.path);
    BOOST_REQUIRE(anew.begin().has_value());
    BOOST_TEST(!TakenStore::open(directory.path).has_value(), "nothing is kept yet");
    BOOST_REQUIRE(anew.keep(eight, taken).has_value());
    const auto again = TakenStore::open(directory.path);
    BOOST_REQUIRE(again.has_value());
    BOOST_TEST(again->taken().at("360121").revision == 8U);
  }
}

BOOST_AUTO_TEST_CASE(a_record_that_was_begun_is_told_from_none) {
  const Directory directory;
  auto store = TakenStore::open(directory.path);
  BOOST_REQUIRE(store.has_value());
  BOOST_TEST(!store->begun());
  BOOST_REQUIRE(store->begin().has_value());
  BOOST_TEST(store->begun());
  const auto again = TakenStore::open(directory.path);
  BOOST_REQUIRE(again.has_value());
  BOOST_TEST(again->begun());
  BOOST_TEST(again->taken().empty());
}

}  // namespace
}  // namespace meiguan::lifecycle
