// Block lists: entries and their text.

#include <boost/test/unit_test.hpp>

#include <string>

#include "controlplane/lifecycle/block_entries.h"
#include "controlplane/lifecycle/block_file.h"

namespace meiguan::lifecycle {
namespace {

constexpr std::int64_t kNow = 1'790'000'000;  // 2026-09-21T14:13:20Z
constexpr image::UtcOffset kClock{std::numeric_limits<std::int64_t>::min(), 8 * 3600, 0};

BlockDefaults defaults() {
  BlockDefaults d;
  d.now = kNow;
  d.offsets = {&kClock, 1};
  return d;
}

BlockEntry entry(const char* text, std::int64_t ends = image::kBlockForEver, BlockNote note = {}) {
  auto read = read_block(text, defaults());
  BOOST_REQUIRE_MESSAGE(read.has_value(), text);
  read->ends = ends;
  read->note = std::make_shared<const BlockNote>(std::move(note));
  return *read;
}

std::string text_of(const std::vector<BlockEntry>& entries) {
  std::string text;
  for (const BlockEntry& one : entries) text += (text.empty() ? "" : " ") + to_string(one);
  return text;
}

BOOST_AUTO_TEST_CASE(addresses_are_read_or_refused) {
  struct Case {
    const char* text;
    const char* want;  // empty: refused
  };
  for (const Case& c : {
           Case{"198.51.100.7", "198.51.100.7/32"},
           Case{"198.51.100.0/24", "198.51.100.0/24"},
           Case{"0.0.0.0/0", "0.0.0.0/0"},
           Case{"2001:db8::7", "2001:db8::7/128"},
           Case{"2001:DB8:0::/48", "2001:db8::/48"},
           Case{"[2001:db8::7]", "2001:db8::7/128"},
           Case{"[2001:db8::]/32", "2001:db8::/32"},
           Case{"10.1.1.5@vpn-hrss", "10.1.1.5/32@vpn-hrss"},
           Case{"10.1.1.0/24@vpn-hrss", "10.1.1.0/24@vpn-hrss"},
           Case{"198.51.100.7/24", ""},
           Case{"198.51.100.0/33", ""},
           Case{"198.51.100.0/024", ""},
           Case{"198.51.100.0/", ""},
           Case{"198.51.100.0/-1", ""},
           Case{"198.51.100.0/24x", ""},
           Case{"2001:db8::/129", ""},
           Case{"2001:db8::1/64", ""},
           Case{"198.51.100", ""},
           Case{"198.51.100.7:80", ""},
           Case{"10.1.1.5@", ""},
           Case{"@zone", ""},
           Case{"host.example", ""},
           Case{"", ""},
       }) {
    const auto read = read_block(c.text, defaults());
    BOOST_TEST((read ? to_string(*read) : "") == c.want, c.text);
    if (!read) BOOST_TEST(!read.error().message.chinese.empty(), c.text);
  }
}

BOOST_AUTO_TEST_CASE(ends_are_read_or_refused) {
  struct Case {
    const char* text;
    bool span;
    std::int64_t after;  // seconds from now; 0: refused
  };
  for (const Case& c : {
           Case{"90s", true, 90},
           Case{"15m", true, 900},
           Case{"2h", true, 7200},
           Case{"30d", true, 30 * 86'400},
           Case{"0s", true, 0},
           Case{"-1h", true, 0},
           Case{"2", true, 0},
           Case{"h", true, 0},
           Case{"2w", true, 0},
           Case{"99999999999999999999d", true, 0},
           Case{"999999d", true, 0},
           Case{"2026-09-21T22:14", false, 40},  // by the wall clock of Shanghai
           Case{"2026-09-21T14:14:20Z", false, 60},
           Case{"2026-09-21", false, 6400},  // the end of that day
           Case{"2026-09-21T22:13:20", false, 0},
           Case{"2026-09-20", false, 0},
           Case{"tomorrow", false, 0},
       }) {
    const auto end = c.span ? read_block_span(c.text, defaults())
                            : read_block_end(c.text, defaults());
    BOOST_TEST((end ? *end - kNow : 0) == c.after, c.text);
  }
}

BOOST_AUTO_TEST_CASE(files_are_lists_of_addresses_or_tables) {
  struct Case {
    const char* name;
    std::string text;
    std::string want;  // entries, or `!` and the lines that are wrong
  };
  const std::string long_line(kMaxBlockLine + 1, '1');
  for (const Case& c : std::vector<Case>{
           {"nothing", "", ""},
           {"one a line", "198.51.100.7\n2001:db8::/48\n", "198.51.100.7/32 2001:db8::/48"},
           {"without a last line end", "198.51.100.7", "198.51.100.7/32"},
           {"comments, blanks, CR", "# feed\r\n\r\n 198.51.100.7 \t# botnet\r\n",
            "198.51.100.7/32"},
           {"a byte-order mark",
            "\xef\xbb\xbf"
            "198.51.100.7\n",
            "198.51.100.7/32"},
           {"a zone", "10.1.1.5@vpn\n", "10.1.1.5/32@vpn"},
           {"a table", "reason,prefix,zone\nscan,198.51.100.7,\n\"a, \"\"b\"\"\",10.1.1.0/24,vpn\n",
            "198.51.100.7/32 10.1.1.0/24@vpn"},
           {"Chinese headings", "地址,原因,备注\n198.51.100.7,扫描,x\n", "198.51.100.7/32"},
           {"a comment before the headings", "# v1\nPrefix,Ends\n198.51.100.7,2027-01-01\n",
            "198.51.100.7/32"},
           {"what has ended is left out", "prefix,ends\n198.51.100.7,2026-01-01\n198.51.100.8,\n",
            "198.51.100.8/32"},
           {"every mistake", "198.51.100.7\nx\n198.51.100.9/8\n198.51.100.8\ny\n", "!2 3 5"},
           {"no headings", "198.51.100.7,scan\n", "!1"},
           {"a heading twice", "ip,address\n198.51.100.7,198.51.100.8\n", "!1"},
           {"an open quote", "prefix,reason\n198.51.100.7,\"scan\n", "!2"},
           {"text behind a quote", "prefix,reason\n198.51.100.7,\"scan\"x\n", "!2"},
           {"no address", "prefix,reason\n,scan\n", "!2"},
           {"no time", "prefix,ends\n198.51.100.7,soon\n", "!2"},
           {"a control character", "198.51.100.7\n198.51.100.8 \x1b[2J\n", "!2"},
           {"not UTF-8", "198.51.100.7 # \xff\n", "!1"},
           {"a long line", long_line + "\n198.51.100.7\n", "!1"},
           {"a long note", "prefix,reason\n198.51.100.7," + std::string(kMaxBlockNote + 1, 'x'),
            "!2"},
       }) {
    std::size_t ended = 0;
    const BlockDefaults d = defaults();
    const auto read = read_block_file(c.text, "feed.txt", d, ended);
    std::string got;
    if (read) {
      got = text_of(*read);
    } else {
      for (const auto& wrong : read.error()) {
        got += (got.empty() ? "!" : " ") + std::to_string(wrong.line);
        BOOST_TEST(wrong.file == "feed.txt", c.name);
        BOOST_TEST(!wrong.message.chinese.empty(), c.name);
      }
    }
    BOOST_TEST(got == c.want, c.name << ": " << got);
  }
}

BOOST_AUTO_TEST_CASE(mistakes_beyond_a_number_are_counted) {
  std::string text;
  for (int i = 0; i < 250; ++i) text += "x\n";
  std::size_t ended = 0;
  const BlockDefaults d = defaults();
  const auto read = read_block_file(text, "feed.txt", d, ended);
  BOOST_REQUIRE(!read.has_value());
  BOOST_TEST(read.error().size() == kMostBlockMistakes + 1);
  BOOST_TEST(read.error().back().message.english == "150 more mistakes are not listed");
}

BOOST_AUTO_TEST_CASE(equal_prefixes_merge_and_the_later_end_holds) {
  BlockChange change;
  const BlockEntries first =
      BlockEntries{}.with({entry("198.51.100.7", kNow + 100, {"scan", "T-1", "li"}),
                           entry("198.51.100.0/24"), entry("198.51.100.7@vpn", kNow + 5)},
                          change);
  BOOST_TEST(change.added == 3U);
  BlockEntry sooner = entry("198.51.100.7", kNow + 50, {"", "T-2", ""});
  sooner.since = kNow + 10;
  change = {};
  const BlockEntries second = first.with({sooner, entry("203.0.113.9")}, change);
  BOOST_TEST(change.added == 1U);
  BOOST_TEST(change.merged == 1U);
  const BlockEntry* const merged = second.find("", entry("198.51.100.7").prefix);
  BOOST_REQUIRE(merged != nullptr);
  BOOST_TEST(merged->ends == kNow + 100);
  BOOST_TEST(merged->since == kNow);
  BOOST_TEST(merged->note->reason == "scan");
  BOOST_TEST(merged->note->ticket == "T-2");
  BOOST_TEST(merged->note->by == "li");
  change = {};
  const BlockEntries third = second.with({entry("198.51.100.7"), entry("198.51.100.7", kNow + 7)},
                                         change);
  BOOST_TEST(change.merged == 1U);
  BOOST_TEST(third.find("", entry("198.51.100.7").prefix)->ends == image::kBlockForEver);
  BOOST_TEST(text_of(third.all()) ==
             "198.51.100.0/24 198.51.100.7/32 203.0.113.9/32 198.51.100.7/32@vpn");
  // The first list has not changed.
  BOOST_TEST(first.find("", entry("198.51.100.7").prefix)->note->ticket == "T-1");
}

BOOST_AUTO_TEST_CASE(entries_go_by_name_or_by_time) {
  BlockChange change;
  const BlockEntries all = BlockEntries{}.with({entry("198.51.100.7", kNow + 100),
                                                entry("198.51.100.0/24"), entry("10.0.0.1@vpn")},
                                               change);
  change = {};
  const BlockEntries rest = all.without({entry("198.51.100.0/24"), entry("10.0.0.1")}, change);
  BOOST_TEST(change.removed == 1U);
  BOOST_TEST(text_of(rest.all()) == "198.51.100.7/32 10.0.0.1/32@vpn");
  change = {};
  BOOST_TEST(all.at(kNow + 99, change).size() == 3U);
  BOOST_TEST(change.ended == 0U);
  BOOST_TEST(all.at(kNow + 100, change).size() == 2U);
  BOOST_TEST(change.ended == 1U);
}

BOOST_AUTO_TEST_CASE(text_reads_back_to_the_same_entries) {
  BlockChange change;
  const BlockEntries all = BlockEntries{}.with(
      {entry("198.51.100.7", kNow + 100, {"a, \"b\"", "T-1 # not a comment", " li "}),
       entry("2001:db8::/48", image::kBlockForEver, {"扫描", "", "李"}), entry("10.0.0.1@vpn")},
      change);
  const BlockDefaults d = defaults();
  const std::string text = write_block_file(all, d.offsets);
  std::size_t ended = 0;
  auto read = read_block_file(text, "x", d, ended);
  BOOST_REQUIRE_MESSAGE(read.has_value(), text);
  const BlockEntries again = BlockEntries{}.with(std::move(*read), change);
  BOOST_TEST(write_block_file(again, d.offsets) == text);
  BOOST_REQUIRE(again.size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    BOOST_TEST(to_string(again.all()[i]) == to_string(all.all()[i]));
    BOOST_TEST(again.all()[i].ends == all.all()[i].ends);
    BOOST_TEST((*again.all()[i].note == *all.all()[i].note));
  }
}

BOOST_AUTO_TEST_CASE(the_image_has_the_entries_in_their_order) {
  BlockChange change;
  const BlockEntries all = BlockEntries{}.with({entry("10.0.0.1@vpn-b"), entry("10.0.0.2", kNow),
                                                entry("10.0.0.1@vpn-a"), entry("2001:db8::/32")},
                                               change);
  const auto bytes = all.image(5);
  BOOST_REQUIRE(bytes.has_value());
  const auto list = image::BlockList::open(bytes->span());
  BOOST_REQUIRE(list.has_value());
  BOOST_REQUIRE(list->records().size() == all.size());
  for (std::size_t i = 0; i < all.size(); ++i) {
    const image::BlockRecord& record = list->records()[i];
    BOOST_TEST((record.address == all.all()[i].prefix.address()));
    BOOST_TEST(record.ends == all.all()[i].ends);
    BOOST_TEST(list->spaces()[record.space].key == image::space_key(all.all()[i].zone));
  }
}

}  // namespace
}  // namespace meiguan::lifecycle
