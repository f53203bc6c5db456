#include "dataplane/image/block_list.h"

#include <boost/test/unit_test.hpp>

#include <algorithm>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <tuple>

#include "dataplane/image/block_check.h"
#include "dataplane/image/block_writer.h"
#include "dataplane/image/small_image.h"

namespace meiguan::image {
namespace {

net::Prefix prefix(const char* address, unsigned length) {
  const auto made = net::Prefix::make(*net::parse_address(address),
                                      static_cast<std::uint8_t>(length));
  BOOST_REQUIRE(made.has_value());
  return *made;
}

AlignedBytes written(std::vector<BlockedPrefix> prefixes,
                     const std::vector<std::uint64_t>& spaces = {0, 1}, std::uint64_t seed = 7) {
  std::ranges::sort(prefixes, [](const BlockedPrefix& a, const BlockedPrefix& b) {
    return std::tie(a.space, a.prefix) < std::tie(b.space, b.prefix);
  });
  auto bytes = write_block_list(spaces, prefixes, seed);
  BOOST_REQUIRE(bytes.has_value());
  return std::move(*bytes);
}

BlockList opened(const AlignedBytes& bytes) {
  const auto list = BlockList::open(bytes.span());
  BOOST_REQUIRE_MESSAGE(list.has_value(), (list ? "" : list.error().message.english));
  return *list;
}

std::string found(const BlockList& list, std::size_t space, const char* address, std::int64_t at) {
  const std::uint32_t number = list.find(space, *net::parse_address(address), at);
  if (number == kNone) return "-";
  const BlockRecord& record = list.records()[number];
  return net::to_string(*net::Prefix::make(record.address, record.length));
}

BOOST_AUTO_TEST_CASE(the_longest_prefix_that_is_there_blocks) {
  const AlignedBytes bytes = written({{0, prefix("198.51.100.0", 24)},
                                      {0, prefix("198.51.100.7", 32), 100},
                                      {0, prefix("203.0.113.0", 25), 50},
                                      {0, prefix("2001:db8:66::", 48)},
                                      {0, prefix("2001:db8:66::9", 128), 100},
                                      {0, prefix("2400::", 12)},
                                      {1, prefix("10.1.1.5", 32)},
                                      {1, prefix("0.0.0.0", 1), 70}});
  const BlockList list = opened(bytes);
  struct Case {
    const char* name;
    std::size_t space;
    const char* address;
    std::int64_t at;
    const char* want;
  };
  for (const Case& c : {
           Case{"the longest", 0, "198.51.100.7", 99, "198.51.100.7/32"},
           Case{"it has ended, the shorter has not", 0, "198.51.100.7", 100, "198.51.100.0/24"},
           Case{"first of a prefix", 0, "198.51.100.0", 0, "198.51.100.0/24"},
           Case{"last of a prefix", 0, "198.51.100.255", 0, "198.51.100.0/24"},
           Case{"one behind it", 0, "198.51.101.0", 0, "-"},
           Case{"its last second", 0, "203.0.113.1", 49, "203.0.113.0/25"},
           Case{"its end", 0, "203.0.113.1", 50, "-"},
           Case{"outside an odd length", 0, "203.0.113.128", 0, "-"},
           Case{"IPv6", 0, "2001:db8:66:1::1", 0, "2001:db8:66::/48"},
           Case{"IPv6 host", 0, "2001:db8:66::9", 0, "2001:db8:66::9/128"},
           Case{"IPv6 host that ended", 0, "2001:db8:66::9", 100, "2001:db8:66::/48"},
           Case{"IPv6 short", 0, "240f:ffff::1", 0, "2400::/12"},
           Case{"IPv6 of nobody", 0, "2001:db8:67::", 0, "-"},
           Case{"another space", 1, "10.1.1.5", 0, "10.1.1.5/32"},
           Case{"not in the shared one", 0, "10.1.1.5", 0, "-"},
           Case{"half of everything", 1, "127.255.255.255", 0, "0.0.0.0/1"},
           Case{"the other half", 1, "128.0.0.0", 0, "-"},
           Case{"that is of IPv4", 1, "2001:db8::1", 0, "-"},
       }) {
    BOOST_TEST(found(list, c.space, c.address, c.at) == c.want, c.name);
  }
}

BOOST_AUTO_TEST_CASE(a_list_may_be_empty_or_block_everything) {
  const AlignedBytes none = written({}, {});
  BOOST_TEST(opened(none).records().empty());
  const AlignedBytes spaces = written({});
  BOOST_TEST(found(opened(spaces), 1, "10.0.0.1", 0) == "-");
  const AlignedBytes all = written({{0, prefix("0.0.0.0", 0)}, {0, prefix("::", 0)}});
  BOOST_TEST(found(opened(all), 0, "255.255.255.255", 0) == "0.0.0.0/0");
  BOOST_TEST(found(opened(all), 0, "::1", 0) == "::/0");
  BOOST_TEST(found(opened(all), 1, "::1", 0) == "-");
}

BOOST_AUTO_TEST_CASE(an_image_is_asked_by_the_keys_of_its_spaces) {
  // Of the image: the shared space, and one with the key 1.
  test::SmallImage small;
  small.with_private_space = true;
  const AlignedBytes image_bytes = small.bytes();
  const auto image = Image::open(image_bytes.span());
  BOOST_REQUIRE(image.has_value());
  // In the list they lie the other way round, and there is a third.
  const AlignedBytes bytes = written({{0, prefix("10.0.0.0", 8)},
                                      {1, prefix("10.1.0.0", 16)},
                                      {5, prefix("10.2.0.0", 16)}},
                                     {0, 1, 5});
  const BlockList list = opened(bytes);
  const Blocks blocks{list, *image, 0};
  BOOST_TEST(blocks.any());
  const auto of = [&](unsigned space, const char* address) {
    return blocks.find(SpaceId{static_cast<std::uint16_t>(space)}, *net::parse_address(address));
  };
  BOOST_TEST(of(0, "10.2.0.1") == 0U);
  BOOST_TEST(of(1, "10.1.0.1") == 1U);
  BOOST_TEST(of(1, "10.2.0.1") == kNone);
  BOOST_TEST(of(2, "10.2.0.1") == kNone);
  BOOST_TEST(Blocks{}.find(kSharedSpace, *net::parse_address("10.2.0.1")) == kNone);
  BOOST_TEST(!Blocks{}.any());
}

BOOST_AUTO_TEST_CASE(space_keys_tell_zones_apart) {
  BOOST_TEST(space_key("") == 0U);
  BOOST_TEST(space_key("vpn-hrss") == space_key("vpn-hrss"));
  BOOST_TEST(space_key("vpn-hrss") != space_key("vpn-civil"));
}

BOOST_AUTO_TEST_CASE(a_span_ends_with_the_next_end) {
  const AlignedBytes bytes = written({{0, prefix("10.0.0.1", 32), 100},
                                      {0, prefix("10.0.0.2", 32), 200},
                                      {0, prefix("10.0.0.3", 32)}});
  const BlockList list = opened(bytes);
  struct Case {
    std::int64_t at, from, until;
  };
  constexpr std::int64_t kFirst = std::numeric_limits<std::int64_t>::min();
  for (const Case& c : {Case{0, kFirst, 100}, Case{99, kFirst, 100}, Case{100, 100, 200},
                        Case{199, 100, 200}, Case{200, 200, kBlockForEver}}) {
    const BlockSpan span = span_at(list, c.at);
    BOOST_TEST(span.from == c.from, c.at);
    BOOST_TEST(span.until == c.until, c.at);
    BOOST_TEST(span.covers(c.at), c.at);
  }
}

// Damage with a right checksum: each kind is found by name.
BOOST_AUTO_TEST_CASE(damage_is_named) {
  const AlignedBytes good = written({{0, prefix("10.0.0.0", 8)}, {0, prefix("10.1.0.0", 16)}});
  const BlockLayout layout = block_layout(2, 2, 4);
  BOOST_REQUIRE(layout.bytes == good.size());
  const auto record = [&](std::byte* bytes, std::size_t i) {
    return reinterpret_cast<BlockRecord*>(bytes + layout.records) + i;
  };
  const auto header = [](std::byte* bytes) { return reinterpret_cast<BlockHeader*>(bytes); };
  const auto space = [&](std::byte* bytes) {
    return reinterpret_cast<BlockSpace*>(bytes + layout.spaces);
  };
  const auto slot = [&](std::byte* bytes) {
    return reinterpret_cast<BlockSlot*>(bytes + layout.slots);
  };
  struct Case {
    const char* want;
    std::function<void(std::byte*)> damage;
  };
  const std::vector<Case> cases{
      {"is not a block list", [&](std::byte* b) { header(b)->magic[0] = 'm'; }},
      {"format version 9", [&](std::byte* b) { header(b)->version = 9; }},
      {"number of its records", [&](std::byte* b) { header(b)->records = kMaxBlocks + 1; }},
      {"number of its records", [&](std::byte* b) { header(b)->spaces = kMaxBlockSpaces + 1; }},
      {"cut short", [&](std::byte* b) { header(b)->records = 40; }},
      {"cut short", [&](std::byte* b) { header(b)->bytes += 8; }},
      {"cut short", [&](std::byte* b) { header(b)->slots = 8; }},
      {"space of a record", [&](std::byte* b) { record(b, 0)->space = 2; }},
      {"length of a record", [&](std::byte* b) { record(b, 0)->length = 33; }},
      {"host bits", [&](std::byte* b) { record(b, 0)->length = 3; }},
      {"lengths of a space", [&](std::byte* b) { space(b)->lengths_v4 = 1 << 8; }},
      {"lengths of a space", [&](std::byte* b) { space(b)->lengths_v4 |= 1ULL << 33; }},
      {"lengths of a space", [&](std::byte* b) { space(b)->lengths_v6[2] |= 2; }},
      {"twice", [&](std::byte* b) { space(b)[1].key = 0; }},
      {"order",
       [&](std::byte* b) {
         std::swap(*record(b, 0), *record(b, 1));
         for (int i = 0; i < 4; ++i) {
           if (slot(b)[i].record != kNone) slot(b)[i].record ^= 1;
         }
       }},
      {"a slot",
       [&](std::byte* b) {
         for (int i = 0; i < 4; ++i) slot(b)[i].record = 2;
       }},
      {"a slot",  // far behind the records: nothing may look there before the slots are checked
       [&](std::byte* b) {
         for (int i = 0; i < 4; ++i) slot(b)[i].record = 0x3fff'ffff;
       }},
      {"slots in use",
       [&](std::byte* b) {
         for (int i = 0; i < 4; ++i) slot(b)[i].record = kNone;
       }},
      {"place of a record",
       [&](std::byte* b) {
         for (int i = 0; i < 4; ++i) slot(b)[i].tag += 1;
       }},
      {"place of a record", [&](std::byte* b) { header(b)->seed ^= 1ULL << 40; }},
  };
  for (const Case& c : cases) {
    AlignedBytes bytes = AlignedBytes::copy_of(good.span());
    c.damage(bytes.span().data());
    header(bytes.span().data())->checksum = block_checksum(bytes.span());
    const auto list = BlockList::open(bytes.span());
    const std::string got = list ? "nothing" : list.error().message.english;
    BOOST_TEST(got.find(c.want) != got.npos, c.want << ": " << got);
  }
  AlignedBytes bytes = AlignedBytes::copy_of(good.span());
  bytes.span()[layout.records] ^= std::byte{1};
  BOOST_TEST(BlockList::open(bytes.span()).error().message.english.find("checksum") !=
             std::string::npos);
  for (std::size_t size = 0; size < good.size(); size += 16) {
    const AlignedBytes cut = AlignedBytes::copy_of(good.span().first(size));
    BOOST_TEST(!BlockList::open(cut.span()).has_value(), size);
  }
}

BOOST_AUTO_TEST_CASE(the_writer_refuses_what_it_cannot_hold) {
  BOOST_TEST(!write_block_list({0}, {{3, prefix("10.0.0.0", 8)}}, 1).has_value());
  BOOST_TEST(!write_block_list(std::vector<std::uint64_t>(kMaxBlockSpaces + 1), {}, 1).has_value());
}

// The naive twin: the longest of all that hold the address and are there.
BOOST_AUTO_TEST_CASE(the_list_agrees_with_a_linear_search) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 engine{seed};
  const auto random = [&engine] { return static_cast<std::uint32_t>(engine()); };
  for (int round = 0; round < 100; ++round) {
    const auto address = [&] {
      std::array<std::uint8_t, 16> bytes{};
      for (std::uint8_t& b : bytes) {
        b = static_cast<std::uint8_t>(random() % 3 == 0 ? random() : random() % 2);
      }
      bytes[0] |= 0x20;
      if (random() % 2 == 0) return net::Address::v6(bytes);
      return net::Address::v4(std::uint32_t{bytes[1]} << 24 | std::uint32_t{bytes[2]} << 16 |
                              std::uint32_t{bytes[3]} << 8 | bytes[4]);
    };
    std::vector<BlockedPrefix> prefixes;
    for (unsigned n = random() % 300; n-- > 0;) {
      const net::Address a = address();
      const auto length = static_cast<std::uint8_t>(random() %
                                                    (net::address_bits(a.family()) + 1U));
      const BlockedPrefix one{random() % 2, net::Prefix::around(a, length),
                              random() % 2 == 0 ? kBlockForEver : std::int64_t{random() % 100}};
      const bool there = std::ranges::any_of(prefixes, [&](const BlockedPrefix& other) {
        return other.space == one.space && other.prefix == one.prefix;
      });
      if (!there) prefixes.push_back(one);
    }
    const AlignedBytes bytes = written(prefixes, {0, 1}, random());
    const BlockList list = opened(bytes);
    for (int asked = 0; asked < 300; ++asked) {
      const bool inside = !prefixes.empty() && random() % 2 == 0;
      const net::Address a = inside ? prefixes[random() % prefixes.size()].prefix.address()
                                    : address();
      const std::size_t space = random() % 2;
      const std::int64_t at = random() % 110;
      const BlockedPrefix* want = nullptr;
      for (const BlockedPrefix& p : prefixes) {
        if (p.space != space || !p.prefix.contains(a) || p.ends <= at) continue;
        if (want == nullptr || p.prefix.length() > want->prefix.length()) want = &p;
      }
      const std::uint32_t got = list.find(space, a, at);
      BOOST_REQUIRE_MESSAGE((got != kNone) == (want != nullptr), net::to_string(a));
      if (want == nullptr) continue;
      BOOST_REQUIRE(list.records()[got].length == want->prefix.length());
      BOOST_REQUIRE(list.records()[got].address == want->prefix.address());
    }
  }
}

}  // namespace
}  // namespace meiguan::image
