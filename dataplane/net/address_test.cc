#define BOOST_TEST_MODULE net_address
#include "dataplane/net/address.h"

#include <boost/test/unit_test.hpp>
#include <random>
#include <vector>

namespace meiguan::net {
namespace {

Prefix prefix_of(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = parse_address(text.substr(0, slash));
  BOOST_REQUIRE_MESSAGE(address.has_value(), text);
  const auto length = static_cast<std::uint8_t>(std::stoi(std::string(text.substr(slash + 1))));
  const auto prefix = Prefix::make(*address, length);
  BOOST_REQUIRE_MESSAGE(prefix.has_value(), text);
  return *prefix;
}

struct AddressCase {
  std::string_view input;
  std::string_view want;  // canonical text; empty: no address
};

BOOST_AUTO_TEST_CASE(addresses_are_read_and_written) {
  const std::vector<AddressCase> cases{
      {"10.64.37.1", "10.64.37.1"},
      {"0.0.0.0", "0.0.0.0"},
      {"255.255.255.255", "255.255.255.255"},
      {"10.64.37", ""},
      {"10.64.37.256", ""},
      {"10.64.037.1", ""},
      {" 10.0.0.1", ""},
      {"10.0.0.1 ", ""},
      {"", ""},
      {"::", "::"},
      {"::1", "::1"},
      {"1::", "1::"},
      {"2001:DB8:0:0:0:0:0:1", "2001:db8::1"},
      {"2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"},  // RFC 5952 section 4.2.2
      {"2001:0:0:1:0:0:0:1", "2001:0:0:1::1"},           // section 4.2.3, the longer run
      {"2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"},     // section 4.2.3, the first of equals
      {"::1.2.3.4", "::102:304"},
      {"::ffff:1.2.3.4", ""},  // how IPv4 is held inside; never an address in a text
      {"fe80::1%eth0", ""},
      {"2001:db8::1::", ""},
  };
  for (const AddressCase& c : cases) {
    BOOST_TEST_CONTEXT(c.input) {
      const auto got = parse_address(c.input);
      BOOST_TEST(got.has_value() == !c.want.empty());
      if (got) BOOST_TEST(to_string(*got) == c.want);
    }
  }
  BOOST_TEST(!parse_address(std::string_view("1.2.3.4\0", 8)).has_value());
}

BOOST_AUTO_TEST_CASE(prefixes_refuse_host_bits) {
  const Address host = *parse_address("10.0.0.1");
  BOOST_TEST(!Prefix::make(host, 31).has_value());
  BOOST_TEST(Prefix::make(host, 32).has_value());
  BOOST_TEST(!Prefix::make(host, 33).has_value());
  BOOST_TEST(to_string(Prefix::around(host, 31)) == "10.0.0.0/31");
  BOOST_TEST(to_string(Prefix::around(host, 200)) == "10.0.0.1/32");
  BOOST_TEST(to_string(Prefix::around(host, 0)) == "0.0.0.0/0");
  BOOST_TEST(!Prefix::make(*parse_address("2001:db8::1"), 127).has_value());
  BOOST_TEST(!Prefix::make(*parse_address("2001:db8::1"), 129).has_value());
}

BOOST_AUTO_TEST_CASE(families_never_meet) {
  const Prefix all6 = prefix_of("::/0");
  const Prefix all4 = prefix_of("0.0.0.0/0");
  BOOST_TEST(!all6.contains(*parse_address("1.2.3.4")));
  BOOST_TEST(!all4.contains(*parse_address("2001:db8::1")));
  BOOST_TEST(!all6.contains(all4));
  BOOST_TEST(!all4.overlaps(all6));
  BOOST_TEST(all4.contains(*parse_address("255.1.2.3")));
}

BOOST_AUTO_TEST_CASE(last_addresses) {
  BOOST_TEST(to_string(prefix_of("10.64.37.0/27").last()) == "10.64.37.31");
  BOOST_TEST(to_string(prefix_of("10.64.37.5/32").last()) == "10.64.37.5");
  BOOST_TEST(to_string(prefix_of("0.0.0.0/0").last()) == "255.255.255.255");
  BOOST_TEST(to_string(prefix_of("2001:db8::/126").last()) == "2001:db8::3");
}

BOOST_AUTO_TEST_CASE(macs) {
  BOOST_TEST(to_string(*parse_mac("52:54:00:Ab:cD:56")) == "52:54:00:ab:cd:56");
  for (const std::string_view bad : {"", "52:54:00:12:34", "52-54-00-12-34-56", "52:54:00:12:34:5g",
                                     "52:54:00:12:34:567", "5:54:00:12:34:56:"}) {
    BOOST_TEST(!parse_mac(bad).has_value(), bad);
  }
}

// The naive twin compares bit by bit.
bool bit(const Address& address, unsigned index) {
  return (address.wire()[index / 8] >> (7 - index % 8) & 1) != 0;
}

BOOST_AUTO_TEST_CASE(contains_agrees_with_its_naive_twin) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_CONTEXT("seed " << seed) {
    std::mt19937 random(seed);
    for (int round = 0; round < 20000; ++round) {
      const bool v6 = random() % 2 != 0;
      const unsigned bits = v6 ? 128 : 32;
      std::array<std::uint8_t, 16> a{};
      std::array<std::uint8_t, 16> b{};
      for (auto& byte : a) byte = static_cast<std::uint8_t>(random());
      b = a;
      const auto flipped = static_cast<unsigned>(random() % (bits + 1));
      if (flipped < bits) b[flipped / 8] ^= static_cast<std::uint8_t>(1U << (7 - flipped % 8));
      const Address left = v6 ? Address::v6_wire(a.data()) : Address::v4_wire(a.data());
      const Address right = v6 ? Address::v6_wire(b.data()) : Address::v4_wire(b.data());
      const auto length = static_cast<std::uint8_t>(random() % (bits + 1));
      bool want = true;
      for (unsigned i = 0; i < length; ++i) want = want && bit(left, i) == bit(right, i);
      BOOST_REQUIRE(Prefix::around(left, length).contains(right) == want);
    }
  }
}

}  // namespace
}  // namespace meiguan::net
