#include "dataplane/image/validator.h"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <limits>
#include <string>

#include "dataplane/image/bytes.h"
#include "dataplane/image/small_image.h"
#include "dataplane/image/writer.h"

namespace meiguan::image {
namespace {

BOOST_AUTO_TEST_CASE(bytes_that_are_no_image_are_refused) {
  struct Case {
    const char* name;
    std::size_t size;
    bool magic;
  };
  for (const Case& c : {Case{"empty", 0, false}, Case{"shorter than a header", 100, true},
                        Case{"zeros", 65536, false}, Case{"magic alone", 65536, true}}) {
    AlignedBytes bytes{c.size};
    if (c.magic) std::memcpy(bytes.span().data(), kMagic.data(), kMagic.size());
    BOOST_TEST(!Image::open(bytes.span()).has_value(), c.name);
  }
}

BOOST_AUTO_TEST_CASE(an_image_of_empty_sections_is_refused) {
  const AlignedBytes bytes = Writer{}.finish();
  const auto image = Image::open(bytes.span());
  BOOST_REQUIRE(!image.has_value());
  BOOST_TEST(image.error().message.english.find("damaged") != std::string::npos);
}

// An image with times that is as it should be, for one thing to be changed in.
test::SmallImage timed() {
  test::SmallImage parts;
  parts.dates = {100, 200};
  parts.schedules = {test::weekly(0x1f, 0, kSecondsOfDay), test::dated(0, 2, 3600, 7200)};
  parts.conditions = {{test::kEarliest, test::kLatest, 0, 0}, {0, 100, 1, 0}};
  parts.branches = {{0, 1, 2, 0}, {1, kBranchBit | 0, 0, 0}};
  parts.audits = {{0, kNone}, {1, 1}};
  parts.cell = kBranchBit | 1;
  return parts;
}

BOOST_AUTO_TEST_CASE(damaged_times_and_branches_are_refused) {
  using Parts = test::SmallImage;
  struct Case {
    const char* name;
    void (*damage)(Parts&);
    const char* message;  // null: it is not refused
  };
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  for (const Case& c : {
           Case{"nothing", [](Parts&) {}, nullptr},
           Case{"no clock", [](Parts& p) { p.offsets.clear(); }, "the first UTC offset"},
           Case{"a clock that begins some day", [](Parts& p) { p.offsets[0].at = 0; },
                "the first UTC offset"},
           Case{"an offset of more than a day", [](Parts& p) { p.offsets[0].seconds = 86'401; },
                "a UTC offset"},
           Case{"an offset of less than a day before",
                [](Parts& p) { p.offsets[0].seconds = -86'401; }, "a UTC offset"},
           Case{"offsets out of order",
                [](Parts& p) {
                  p.offsets.push_back({7, 0, 0});
                  p.offsets.push_back({7, 0, 0});
                },
                "order of the UTC offsets"},
           Case{"a start behind the day", [](Parts& p) { p.schedules[0].start = kSecondsOfDay; },
                "a schedule"},
           Case{"an end behind the day", [](Parts& p) { p.schedules[0].end = kSecondsOfDay + 1; },
                "a schedule"},
           Case{"an end at its start", [](Parts& p) { p.schedules[1].end = 3600; }, "a schedule"},
           Case{"an eighth weekday", [](Parts& p) { p.schedules[0].weekdays = 0x80; },
                "a schedule"},
           Case{"dates from behind all dates", [](Parts& p) { p.schedules[1].first_date = 3; },
                "dates of a schedule"},
           Case{"more dates than there are", [](Parts& p) { p.schedules[1].dates = 3; },
                "dates of a schedule"},
           Case{"dates that wrap round", [](Parts& p) { p.schedules[1].dates = kMost; },
                "dates of a schedule"},
           Case{"dates out of order",
                [](Parts& p) {
                  p.dates = {200, 100};
                },
                "order of the dates of a schedule"},
           Case{"a date twice",
                [](Parts& p) {
                  p.dates = {200, 200};
                },
                "order of the dates of a schedule"},
           Case{"a condition of no schedule that there is",
                [](Parts& p) { p.conditions[1].schedule = 2; }, "schedule of a condition"},
           Case{"too many conditions",
                [](Parts& p) { p.conditions.resize(kMaxConditions + 1, p.conditions[0]); },
                "number of conditions"},
           Case{"a branch to itself", [](Parts& p) { p.branches[1].when_holds = kBranchBit | 1; },
                "a branch"},
           Case{"a branch forward", [](Parts& p) { p.branches[0].otherwise = kBranchBit | 1; },
                "a branch"},
           Case{"a branch to no branch", [](Parts& p) { p.branches[1].otherwise = kMost; },
                "a branch"},
           Case{"a branch to no outcome", [](Parts& p) { p.branches[0].when_holds = 3; },
                "a branch"},
           Case{"a branch on no condition", [](Parts& p) { p.branches[0].condition = 2; },
                "a branch"},
           Case{"a branch on nothing", [](Parts& p) { p.branches[0].condition = kNone; },
                "a branch"},
           Case{"a cell to no branch", [](Parts& p) { p.cell = kBranchBit | 2; },
                "a cell of the matrix"},
           Case{"an audit by no condition", [](Parts& p) { p.audits[1].condition = 2; },
                "condition of an audit rule"},
           Case{"an audit by no rule", [](Parts& p) { p.audits[1].rule = 2; }, "an audit rule"},
       }) {
    test::SmallImage parts = timed();
    c.damage(parts);
    const AlignedBytes bytes = parts.bytes();
    const auto image = Image::open(bytes.span());
    BOOST_REQUIRE_MESSAGE(image.has_value() == (c.message == nullptr), c.name);
    if (c.message != nullptr) {
      BOOST_TEST(image.error().message.english ==
                     std::string{"the policy image is damaged: "} + c.message,
                 c.name << ": " << image.error().message.english);
    }
  }
}

}  // namespace
}  // namespace meiguan::image
