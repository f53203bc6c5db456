#include "controlplane/store/pack.h"

#include <boost/test/unit_test.hpp>
#include <limits>
#include <random>

#include "controlplane/store/dictionary.h"
#include "controlplane/store/gather.h"

namespace meiguan::store {
namespace {

std::vector<GroupSums> sums_in(const std::string& pack) {
  std::vector<GroupSums> all;
  BOOST_REQUIRE(read_sums(pack, [&](const GroupSums& one) {
    all.push_back(one);
    return true;
  }));
  return all;
}

BOOST_AUTO_TEST_CASE(a_pack_says_what_was_added) {
  std::string pack;
  BOOST_TEST(add_to_pack(pack, std::vector<GroupSums>{{300, {.packets = 5, .peak_bytes = 9}},
                                                      {2, {.packets = -1, .bytes = 1}}}));
  constexpr auto kMost = std::numeric_limits<std::int64_t>::max();
  BOOST_TEST(add_to_pack(pack, std::vector<GroupSums>{{2, {.bytes = kMost, .ended = 3}},
                                                      {7, {.started = kMost}},
                                                      {300, {.packets = 1, .peak_bytes = 4}}}));
  const auto all = sums_in(pack);
  BOOST_REQUIRE(all.size() == 3U);
  BOOST_TEST(all[0].group == 2U);
  BOOST_TEST((all[0].sums == Sums{.packets = -1,
                                  .bytes = std::numeric_limits<std::int64_t>::min(),
                                  .ended = 3}));  // it wraps, and ends nothing
  BOOST_TEST((all[1].sums == Sums{.started = kMost}));
  BOOST_TEST(all[2].group == 300U);
  BOOST_TEST((all[2].sums == Sums{.packets = 6, .peak_bytes = 9}));
}

BOOST_AUTO_TEST_CASE(what_is_no_pack_is_found) {
  std::string pack;
  BOOST_TEST(add_to_pack(pack, std::vector<GroupSums>{{300, {.packets = 500}}, {301, {}}}));
  const auto nothing = [](const GroupSums&) { return true; };
  for (std::size_t size = 1; size < pack.size(); ++size) {
    const bool at_a_row = size == pack.size() - 7;  // where the first ends
    auto cut = pack.substr(0, size);
    BOOST_TEST(read_sums(cut, nothing) == at_a_row, size);
    BOOST_TEST(add_to_pack(cut, std::vector<GroupSums>{{1, {}}}) == at_a_row, size);
    if (!at_a_row) BOOST_TEST(cut == pack.substr(0, size));
  }
  BOOST_TEST(!read_sums(std::string(12, '\xff'), nothing));
  // Whatever the bytes are: an answer or none, and nothing beyond them is read.
  std::mt19937 random{1};
  Dictionary dictionary;
  Query query;
  query.until = 60;
  Plan plan;
  plan.until = 60;
  const OffsetAt utc;
  for (int i = 0; i < 20'000; ++i) {
    std::string bytes(random() % 24, '\0');
    for (auto& byte : bytes) byte = static_cast<char>(random());
    Gather gather{query, plan, utc};
    gather.use(dictionary);
    if (!bytes.empty()) BOOST_TEST(!gather.add_sums(0, '\x05' + bytes));  // of no group there is
    static_cast<void>(gather.add_watches(0, bytes));
  }
}

Key key_of(const std::string& node, const std::string& unit, const std::string& reason) {
  Key key;
  key[Dimension::kNode] = node;
  key[Dimension::kUnit] = unit;
  key[Dimension::kReason] = reason;
  return key;
}

BOOST_AUTO_TEST_CASE(a_dictionary_is_read_as_it_was_written) {
  Numbering written;
  Dictionary read;
  const auto pass_on = [&] {
    const auto names = written.new_names();
    const auto groups = written.new_groups();
    BOOST_TEST(read.add_names(names.first, names.bytes));
    BOOST_TEST(read.add_groups(groups.first, groups.bytes));
    written.saved();
  };
  const auto first = written.group(key_of("360121", "czj", "denied"));
  const auto whole = written.without_place_of(first);
  pass_on();
  BOOST_TEST(written.group(key_of("360121", "czj", "denied")) == first);
  BOOST_TEST(written.new_groups().bytes.empty());
  const auto second = written.group(key_of("360122", "mzj", "denied"));
  BOOST_TEST(written.without_place_of(second) == whole);
  // What came to nothing leaves no number behind.
  written.forget_new();
  BOOST_TEST(written.group(key_of("360122", "x", "allowed")) == second);
  pass_on();
  BOOST_REQUIRE(read.groups().size() == written.groups().size());
  BOOST_TEST((read.groups() == written.groups()));
  BOOST_TEST((read.names() == written.names()));
  BOOST_TEST(read.names()[read.groups()[second][1]] == "x");
  // A chunk that is missing, one that comes twice, names that there are not.
  BOOST_TEST(!read.add_names(1, ""));
  BOOST_TEST(!read.add_names(100, ""));
  BOOST_TEST(!read.add_groups(static_cast<std::int64_t>(read.groups().size()), "\x7f"));
}

BOOST_AUTO_TEST_CASE(names_without_end_are_added_up) {
  Numbering numbering{50};
  for (int i = 0; i < 1'000; ++i) {
    const auto key = key_of("360121", "u" + std::to_string(i),
                            i % 2 == 0 ? "denied" : "r" + std::to_string(i));
    static_cast<void>(numbering.without_place_of(numbering.group(key)));
  }
  BOOST_TEST(numbering.names().size() < 60U);
  BOOST_TEST(numbering.groups().size() < 220U);
  const auto& last = numbering.groups()[numbering.group(key_of("360121", "u998", "denied"))];
  const auto name = [&](Dimension d) {
    return numbering.names()[last[static_cast<std::size_t>(d)]];
  };
  BOOST_TEST(name(Dimension::kNode) == "360121");
  BOOST_TEST(name(Dimension::kUnit) == kOther);
  BOOST_TEST(name(Dimension::kReason) == "denied");
  // Another node is told apart still.
  const auto other = numbering.groups()[numbering.group(key_of("360122", "u999", "denied"))];
  BOOST_TEST(numbering.names()[other[0]] == "360122");
}

}  // namespace
}  // namespace meiguan::store
