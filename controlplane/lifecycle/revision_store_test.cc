// Revisions on disk: what comes back, what damage does, who is in force when.

#include "controlplane/lifecycle/revision_store.h"

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <fstream>
#include <limits>
#include <memory>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/files.h"

namespace meiguan::lifecycle {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kImage = "an image";

Content content_of(const std::string& text) {
  Content content;
  content.tree.files = {{"node.toml", text}, {"b/rules.toml", "# b"}, {"a.toml", ""}};
  content.gateway = policy::TreeFile{"gateway.toml", "[gateway]"};
  return content;
}

// A store in a directory of its own, by clocks that the test moves.
struct Lab {
  Lab() { fs::remove_all(directory); }
  ~Lab() { fs::remove_all(directory); }
  RevisionStore open(std::size_t keep = RevisionStore::kKept) {
    auto store = RevisionStore::open(
        directory, [this] { return *now; }, keep);
    BOOST_REQUIRE(store.has_value());
    return std::move(*store);
  }
  std::uint32_t add(RevisionStore& store, const std::string& text, std::int64_t confirm = 0) {
    Revision revision;
    revision.origin = Origin::kApply;
    revision.author = "alice";
    revision.ticket = "JX-1";
    revision.comment = "为财政局开通";
    const auto content = pack(content_of(text));
    const auto added = store.add(revision,
                                 {content, std::as_bytes(std::span{kImage}),
                                  "{\"catalog\":\"" + text + "\"}"},
                                 confirm);
    BOOST_REQUIRE(added.has_value());
    return added->number;
  }
  void pass(std::int64_t seconds) const {
    now->wall += seconds;
    now->boot_milliseconds += seconds * 1000;
  }
  fs::path directory{fs::temp_directory_path() /
                     ("meiguan-revisions-" + std::to_string(::getpid()))};
  std::shared_ptr<Instant> now{std::make_shared<Instant>(Instant{1'800'000'000, 5'000'000})};
};

std::uint32_t in_force(const RevisionStore& store) {
  const auto* const current = store.current();
  return current != nullptr ? current->number : 0;
}

std::string slurp(const fs::path& path) { return *read_file(path, 1 << 30); }

void spit(const fs::path& path, const std::string& text) {
  std::ofstream{path, std::ios::binary | std::ios::trunc} << text;
}

BOOST_AUTO_TEST_CASE(content_comes_back) {
  const auto content = content_of("x");
  const auto bytes = to_bytes(content);
  const auto back = content_from_bytes(bytes);
  BOOST_REQUIRE(back.has_value());
  BOOST_TEST(to_bytes(*back) == bytes);
  auto turned = content;
  std::ranges::reverse(turned.tree.files);
  turned.tree.read_from = "/elsewhere";
  BOOST_TEST(digest_of(turned) == digest_of(content), "order and place are no part of it");
  auto other = content;
  other.gateway->text += " ";
  BOOST_TEST(digest_of(other) != digest_of(content), "the gateway file is part of it");
  for (std::size_t cut = 0; cut < bytes.size(); ++cut) {
    // What is cut between two files is another content, with another digest.
    const auto part = content_from_bytes(std::string_view{bytes}.substr(0, cut));
    BOOST_TEST((!part || digest_of(*part) != digest_of(content)));
  }
}

BOOST_AUTO_TEST_CASE(revisions_come_back) {
  Lab lab;
  {
    auto store = lab.open();
    BOOST_TEST(in_force(store) == 0U);
    BOOST_TEST(lab.add(store, "one") == 1U);
    lab.pass(60);
    BOOST_TEST(lab.add(store, "two") == 2U);
  }
  const auto store = lab.open();
  BOOST_TEST(store.problems().empty());
  BOOST_REQUIRE_EQUAL(store.list().size(), 2U);
  const auto& newest = store.list().front();
  BOOST_TEST(newest.number == 2U);
  BOOST_TEST(newest.author == "alice");
  BOOST_TEST(newest.comment == "为财政局开通");
  BOOST_TEST(newest.time == 1'800'000'060);
  BOOST_TEST(newest.image == sha256_hex(kImage));
  BOOST_TEST(in_force(store) == 2U);
  BOOST_TEST(to_bytes(*store.content(*store.find(1))) == to_bytes(content_of("one")));
  BOOST_TEST(*store.catalog(newest) == "{\"catalog\":\"two\"}");
  BOOST_TEST(*store.image(newest) == kImage);
}

// Who is in force after a time, with and without a restart of the machine and jumps of its clock.
BOOST_AUTO_TEST_CASE(confirmed_in_time_or_not) {
  struct Case {
    const char* name;
    bool confirm;
    std::int64_t wall;  // seconds that the wall clock moves
    std::int64_t boot;  // seconds that the other one does
    bool restart;       // of the machine: the boot id is another
    std::uint32_t want;
  };
  const Case kCases[] = {
      {"in time", false, 599, 599, false, 2},
      {"too late", false, 600, 600, false, 1},
      {"confirmed", true, 6000, 6000, false, 2},
      {"the wall clock jumps forward", false, 86'400, 10, false, 2},
      {"the wall clock jumps back", false, -86'400, 600, false, 1},
      {"power cut, in time", false, 300, -4000, true, 2},
      {"power cut, too late", false, 601, -4000, true, 1},
      // A clock that lost its time may give as long again as was asked for, never longer.
      {"power cut, the clock begins anew", false, -1'000'000'000, -4000, true, 2},
      {"power cut, confirmed before", true, 601, -4000, true, 2},
  };
  for (const Case& c : kCases) {
    Lab lab;
    auto store = lab.open();
    lab.add(store, "one");
    BOOST_TEST(lab.add(store, "two", 600) == 2U);
    BOOST_TEST(store.unconfirmed() != nullptr, c.name);
    if (c.confirm) BOOST_TEST(store.confirm(2, "bob").has_value(), c.name);
    lab.now->wall += c.wall;
    lab.now->boot_milliseconds += c.boot * 1000;
    if (c.restart) {
      const auto file = lab.directory / "00000002.revision";
      auto revision = *revision_from_text(slurp(file));
      revision.deadline->boot_id = "another run";
      spit(file, to_text(revision));
    }
    const auto again = lab.open();
    BOOST_TEST(in_force(again) == c.want, c.name);
    BOOST_TEST((again.find(2)->confirmed) == c.confirm, c.name);
    BOOST_TEST((again.unconfirmed() != nullptr) == (c.want == 2 && !c.confirm), c.name);
    if (again.unconfirmed() != nullptr) {
      BOOST_TEST(again.milliseconds_left(*again.unconfirmed()) <= 600'000, c.name);
    }
  }
}

BOOST_AUTO_TEST_CASE(any_number_on_disk_is_a_time_within_what_was_asked) {
  constexpr auto kLeast = std::numeric_limits<std::int64_t>::min();
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  const Instant now{1'000, 5'000};
  const struct {
    const char* name;
    Deadline deadline;
    std::int64_t want;
  } kCases[] = {
      {"long past by the wall's clock", {60, kLeast, 0, "other"}, 0},
      {"far off by the wall's clock", {60, kMost, 0, "other"}, 60'000},
      {"long past since this start", {60, 0, kLeast, "this"}, 0},
      {"far off since this start", {60, 0, kMost, "this"}, 60'000},
      {"asked for nothing", {kLeast, kMost, kMost, "this"}, 0},
      {"in half a minute", {60, 0, 35'000, "this"}, 30'000},
      {"in half a minute, another start", {60, 1'030, 0, "other"}, 30'000},
  };
  for (const auto& c : kCases) {
    BOOST_TEST(milliseconds_left(c.deadline, now, "this") == c.want, c.name);
  }
  BOOST_TEST(milliseconds_left({kMost, kMost, 0, "other"}, now, "this") > 0);
}

BOOST_AUTO_TEST_CASE(only_the_unconfirmed_can_be_confirmed) {
  Lab lab;
  auto store = lab.open();
  lab.add(store, "one");
  BOOST_TEST(!store.confirm(1, "bob").has_value());
  lab.add(store, "two", 60);
  BOOST_TEST(!store.confirm(1, "bob").has_value());
  lab.pass(60);
  BOOST_TEST(!store.confirm(2, "bob").has_value(), "too late");
  BOOST_TEST(store.before(2)->number == 1U);
}

// Every file of the store, with every byte of it flipped or cut off: what is in force is whole.
BOOST_AUTO_TEST_CASE(damage_is_found) {
  Lab lab;
  {
    auto store = lab.open();
    lab.add(store, "one");
    lab.add(store, "two");
  }
  const auto file = lab.directory / "00000002.revision";
  const auto good = slurp(file);
  for (std::size_t at = 0; at < good.size(); ++at) {
    auto bad = good;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spit(file, bad);
    const auto store = lab.open();
    BOOST_TEST(in_force(store) == 1U, "byte " << at);
    BOOST_TEST(store.problems().size() == 1U);
  }
  for (std::size_t cut = 0; cut < good.size(); cut += 7) {
    spit(file, good.substr(0, cut));
    BOOST_TEST(in_force(lab.open()) == 1U, "cut at " << cut);
  }
  {
    // A number is never given twice, not even that of a damaged one.
    auto store = lab.open();
    BOOST_TEST(lab.add(store, "three") == 3U);
  }
  spit(file, good);
  auto store = lab.open();
  const auto object = lab.directory / "objects" / store.find(2)->content;
  const auto whole = slurp(object);
  for (std::size_t at = 0; at < whole.size(); ++at) {
    auto bad = whole;
    bad[at] = static_cast<char>(bad[at] ^ 1);
    spit(object, bad);
    const auto read = store.content(*store.find(2));
    // A flipped bit that a frame does not look at leaves its content as it was.
    BOOST_TEST((!read || to_bytes(*read) == to_bytes(content_of("two"))), "byte " << at);
  }
  spit(object, whole.substr(0, whole.size() / 2));
  BOOST_TEST(!store.content(*store.find(2)).has_value());
  // The same content, applied again, puts it right.
  lab.add(store, "two");
  BOOST_TEST(store.content(*store.find(2)).has_value());
}

BOOST_AUTO_TEST_CASE(old_ones_go) {
  Lab lab;
  auto store = lab.open(3);
  for (int i = 1; i <= 10; ++i) lab.add(store, std::to_string(i));
  BOOST_TEST(store.list().size() == 3U);
  BOOST_TEST(in_force(store) == 10U);
  BOOST_TEST(store.find(7) == nullptr);
  BOOST_TEST(store.content(*store.find(8)).has_value());
  std::size_t objects = 0;
  for ([[maybe_unused]] const auto& entry : fs::directory_iterator{lab.directory / "objects"})
    ++objects;
  BOOST_TEST(objects == 7U, "a content and a catalog each, one image");
  // However many that were not confirmed stand between, what is in force and its predecessor stay.
  auto least = lab.open(1);
  for (int i = 0; i < 5; ++i) {
    lab.add(least, "tried " + std::to_string(i), 60);
    lab.pass(61);
  }
  BOOST_TEST(in_force(least) == 10U);
  BOOST_REQUIRE(least.before(10) != nullptr);
  BOOST_TEST(least.content(*least.current()).has_value());
  BOOST_TEST(in_force(lab.open(1)) == 10U);
}

BOOST_AUTO_TEST_CASE(withdrawn_is_gone) {
  Lab lab;
  auto store = lab.open();
  lab.add(store, "one");
  store.withdraw(lab.add(store, "two"));
  BOOST_TEST(in_force(store) == 1U);
  BOOST_TEST(in_force(lab.open()) == 1U);
}

BOOST_AUTO_TEST_CASE(one_line_texts) {
  BOOST_TEST(is_one_line("JX-2026-0731，为财政局", 200));
  BOOST_TEST(!is_one_line("a\nb", 200));
  BOOST_TEST(!is_one_line("\x1b[31m", 200));
  BOOST_TEST(!is_one_line("\xff", 200));
  BOOST_TEST(!is_one_line(std::string(201, 'x'), 200));
}

}  // namespace
}  // namespace meiguan::lifecycle
