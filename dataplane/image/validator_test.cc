#include "dataplane/image/validator.h"

#include <boost/test/unit_test.hpp>

#include <cstring>
#include <limits>
#include <string>
#include <utility>

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

// An image with every kind of translation, for one thing to be changed in.
test::SmallImage translated() {
  const auto at = [](std::uint32_t v4) { return net::Address::v4(v4); };
  const net::Address inside = *net::parse_address("2001:db8:1::");
  const net::Address outside = *net::parse_address("2001:db8:ff::");
  test::SmallImage parts;
  parts.with_service = true;
  parts.with_private_space = true;
  parts.publishes = {{at(0xcb007101), 0, 6, 0, 80, 80, 0, 0, 2, 0},
                     {at(0xcb007101), 0, 6, 0, 443, 450, 0, 2, 1, 0},
                     {at(0xcb007101), 0, 17, 0, 1, 65535, 0, 2, 1, 0},
                     {at(0xcb007102), 0, 0, 0, 0, 65535, 0, 2, 1, 0}};
  parts.publish_endpoints = {{at(0x0a000001), 8080, {}},
                             {at(0x0a000002), 8080, {}},
                             {at(0x0a000003), 0, {}}};
  parts.egresses = {{0, 1, 0, 1, 1024, 65535, 512, 8, Filtering::kAddressAndPortDependent, {}}};
  parts.pools = {{at(0xcb007120), 28, {}, 0}};
  parts.npt_prefixes = {{inside, outside, 48, {}, 0}};
  parts.source_egress = {{0, 0}, {kNoEgress, kNoEgress}, {0, 0}};
  parts.translates = {{at(0x0a010100), at(0x0ac80100), 1, 24, {}}};
  parts.nat_prefixes = {{NatKind::kPublish, {}, 0, 3},
                        {NatKind::kPublish, {}, 3, 1},
                        {NatKind::kPool, {}, 0, 1},
                        {NatKind::kNpt, {}, 0, 1},
                        {NatKind::kTranslate, {}, 0, 1}};
  return parts;
}

BOOST_AUTO_TEST_CASE(damaged_translations_are_refused) {
  using Parts = test::SmallImage;
  struct Case {
    const char* name;
    void (*damage)(Parts&);
    const char* message;  // null: it is not refused
  };
  constexpr std::uint32_t kMost = std::numeric_limits<std::uint32_t>::max();
  for (const Case& c : {
           Case{"nothing", [](Parts&) {}, nullptr},
           Case{"none at all", [](Parts& p) { p = test::SmallImage{}; }, nullptr},
           Case{"a prefix of no kind",
                [](Parts& p) { p.nat_prefixes[0].kind = static_cast<NatKind>(4); },
                "kind of a translated prefix"},
           Case{"a prefix to no publish", [](Parts& p) { p.nat_prefixes[0].first = 2; },
                "a translated prefix"},
           Case{"a prefix to nothing", [](Parts& p) { p.nat_prefixes[0].count = 0; },
                "a translated prefix"},
           Case{"a prefix that wraps round", [](Parts& p) { p.nat_prefixes[0].count = kMost; },
                "a translated prefix"},
           Case{"a prefix to no pool", [](Parts& p) { p.nat_prefixes[2].first = 1; },
                "a translated prefix"},
           Case{"a prefix to no NPT prefix", [](Parts& p) { p.nat_prefixes[3].first = 1; },
                "a translated prefix"},
           Case{"a prefix to two translates", [](Parts& p) { p.nat_prefixes[4].count = 2; },
                "a translated prefix"},
           Case{"a publish in no space", [](Parts& p) { p.publishes[0].space = 2; }, "a publish"},
           Case{"a publish of no ports", [](Parts& p) { p.publishes[0].last_port = 79; },
                "a publish"},
           Case{"a publish of no service", [](Parts& p) { p.publishes[0].service = 1; },
                "service of a publish"},
           Case{"a publish of a service that is a hole", [](Parts& p) { p.with_service = false; },
                "service of a publish"},
           Case{"a publish to no endpoint", [](Parts& p) { p.publishes[0].endpoints = 0; },
                "endpoints of a publish"},
           Case{"a publish to more endpoints than there are",
                [](Parts& p) { p.publishes[1].endpoints = 2; }, "endpoints of a publish"},
           Case{"a publish to another family",
                [](Parts& p) { p.publish_endpoints[0].address = p.npt_prefixes[0].inside; },
                "family of a publish"},
           Case{"addresses out of order",
                [](Parts& p) { std::swap(p.publishes[2], p.publishes[3]); },
                "order of the publishes"},
           Case{"protocols out of order",
                [](Parts& p) { std::swap(p.publishes[1], p.publishes[2]); },
                "order of the publishes"},
           Case{"ports that overlap", [](Parts& p) { p.publishes[1].first_port = 80; },
                "order of the publishes"},
           Case{"a protocol beside all", [](Parts& p) { p.publishes[0].protocol = 0; },
                "order of the publishes"},
           Case{"an egress of no pool", [](Parts& p) { p.egresses[0].first_pool = 1; },
                "pools of an egress"},
           Case{"an egress of no NPT prefix", [](Parts& p) { p.egresses[0].npts = 2; },
                "pools of an egress"},
           Case{"an egress from port 0", [](Parts& p) { p.egresses[0].first_port = 0; },
                "an egress"},
           Case{"an egress of no ports", [](Parts& p) { p.egresses[0].last_port = 1023; },
                "an egress"},
           Case{"odd blocks", [](Parts& p) { p.egresses[0].block_ports = 511; }, "an egress"},
           Case{"blocks without ports", [](Parts& p) { p.egresses[0].block_ports = 0; },
                "an egress"},
           Case{"blocks larger than the range", [](Parts& p) { p.egresses[0].last_port = 1100; },
                "an egress"},
           Case{"no blocks", [](Parts& p) { p.egresses[0].blocks_per_address = 0; }, "an egress"},
           Case{"another filtering",
                [](Parts& p) { p.egresses[0].filtering = static_cast<Filtering>(3); }, "an egress"},
           Case{"a pool with host bits", [](Parts& p) { p.pools[0].length = 26; },
                "prefix of a pool"},
           Case{"a pool longer than an address", [](Parts& p) { p.pools[0].length = 33; },
                "prefix of a pool"},
           Case{"a pool of IPv6", [](Parts& p) { p.pools[0].address = p.npt_prefixes[0].inside; },
                "prefix of a pool"},
           Case{"a pool of another egress", [](Parts& p) { p.pools[0].egress = 1; },
                "egress of a pool"},
           Case{"an NPT prefix of another egress", [](Parts& p) { p.npt_prefixes[0].egress = 1; },
                "egress of a translated IPv6 prefix"},
           Case{"an NPT prefix of 65 bits", [](Parts& p) { p.npt_prefixes[0].length = 65; },
                "a translated IPv6 prefix"},
           Case{"an NPT prefix with host bits", [](Parts& p) { p.npt_prefixes[0].length = 16; },
                "a translated IPv6 prefix"},
           Case{"an NPT prefix of IPv4",
                [](Parts& p) { p.npt_prefixes[0].outside = p.pools[0].address; },
                "a translated IPv6 prefix"},
           Case{"too few egresses of sources", [](Parts& p) { p.source_egress.pop_back(); },
                "egresses of the sources"},
           Case{"a source of no egress", [](Parts& p) { p.source_egress[0].v4 = 1; },
                "egress of a source"},
           Case{"a source of an egress without its family",
                [](Parts& p) {
                  p.egresses[0].npts = 0, p.npt_prefixes.clear(),
                  p.nat_prefixes.erase(p.nat_prefixes.begin() + 3);
                },
                "egress of a source"},
           Case{"a translate of the shared space", [](Parts& p) { p.translates[0].space = 0; },
                "space of a translate"},
           Case{"a translate of no space", [](Parts& p) { p.translates[0].space = 2; },
                "space of a translate"},
           Case{"a translate with host bits", [](Parts& p) { p.translates[0].length = 8; },
                "prefix of a translate"},
           Case{"a translate to another family",
                [](Parts& p) { p.translates[0].outside = p.npt_prefixes[0].inside; },
                "prefix of a translate"},
           Case{"a route to no translation",
                [](Parts& p) {
                  p.routes = {{{}, 0, RouteKind::kNat, 0, 5}}, p.with_port = true;
                },
                "translation of a route"},
       }) {
    test::SmallImage parts = translated();
    c.damage(parts);
    const AlignedBytes bytes = parts.bytes();
    const auto image = Image::open(bytes.span());
    BOOST_CHECK_MESSAGE(image.has_value() == (c.message == nullptr),
                        c.name << (image ? "" : ": " + image.error().message.english));
    if (c.message != nullptr && !image) {
      BOOST_TEST(image.error().message.english ==
                     std::string{"the policy image is damaged: "} + c.message,
                 c.name << ": " << image.error().message.english);
    }
  }
}

BOOST_AUTO_TEST_CASE(damaged_limits_are_refused) {
  using Parts = test::SmallImage;
  struct Case {
    const char* name;
    void (*damage)(Parts&);
    const char* message;  // null: it is not refused
  };
  for (const Case& c : {
           Case{"nothing", [](Parts&) {}, nullptr},
           Case{"limits of a rule", [](Parts& p) { p.rule_limits = 0; }, nullptr},
           Case{"no limits of a rule", [](Parts& p) { p.rule_limits = 1; }, "limits of a rule"},
           Case{"no limits of a service",
                [](Parts& p) { p.with_service = true, p.service.limits = 1; },
                "limits of a service"},
           Case{"no time-outs of a service",
                [](Parts& p) { p.with_service = true, p.service.timeouts = 1; },
                "time-outs of a service"},
           Case{"another helper",
                [](Parts& p) { p.with_service = true, p.service.helper = static_cast<Helper>(3); },
                "helper of a service"},
           Case{"no limits of a unit",
                [](Parts& p) {
                  p.units = {{1, Admission::kOpen, 0, 1, 0}};
                },
                "limits of a unit"},
           Case{"no time-outs", [](Parts& p) { p.timeouts.clear(); }, "time-outs of a service"},
           Case{"too many time-outs", [](Parts& p) { p.timeouts.resize(kMaxTimeouts + 1); },
                "number of time-outs"},
           Case{"a time-out at once", [](Parts& p) { p.timeouts[0].udp = 0; }, "a time-out"},
           Case{"a time-out of weeks",
                [](Parts& p) { p.timeouts[0].tcp_established = kMostTimeout + 1; }, "a time-out"},
           Case{"half a cookie", [](Parts& p) { p.gateway_limits.syn_cookies = 2; },
                "the gateway's limits"},
           Case{"no room for fragments", [](Parts& p) { p.gateway_limits.fragment_datagrams = 0; },
                "the gateway's limits"},
           Case{"room for too many fragments",
                [](Parts& p) { p.gateway_limits.fragment_datagrams = 1U << 17; },
                "the gateway's limits"},
           Case{"a scan of more ports than are told apart",
                [](Parts& p) { p.gateway_limits.vertical_scan = 1001; }, "the gateway's limits"},
           Case{"a scan of more targets than are told apart",
                [](Parts& p) { p.gateway_limits.horizontal_scan = 1001; }, "the gateway's limits"},
           Case{"more worm targets than are told apart",
                [](Parts& p) { p.gateway_limits.fan_out = 201; }, "the gateway's limits"},
           Case{"no time for fragments", [](Parts& p) { p.gateway_limits.fragment_seconds_v4 = 0; },
                "the gateway's limits"},
           Case{"no time for fragments of IPv6",
                [](Parts& p) { p.gateway_limits.fragment_seconds_v6 = 0; }, "the gateway's limits"},
           Case{"no share of fragments",
                [](Parts& p) { p.gateway_limits.fragment_source_percent = 0; },
                "the gateway's limits"},
           Case{"more than all", [](Parts& p) { p.gateway_limits.share_percent = 101; },
                "the gateway's limits"},
           Case{"more than full", [](Parts& p) { p.gateway_limits.share_from_percent = 101; },
                "the gateway's limits"},
       }) {
    test::SmallImage parts;
    parts.limits = {{1, 2, 3, 0, 4}};
    c.damage(parts);
    const AlignedBytes bytes = parts.bytes();
    const auto image = Image::open(bytes.span());
    BOOST_CHECK_MESSAGE(image.has_value() == (c.message == nullptr),
                        c.name << (image ? "" : ": " + image.error().message.english));
    if (c.message != nullptr && !image) {
      BOOST_TEST(image.error().message.english ==
                     std::string{"the policy image is damaged: "} + c.message,
                 c.name << ": " << image.error().message.english);
    }
  }
}

}  // namespace
}  // namespace meiguan::image
