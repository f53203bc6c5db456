#include "controlplane/lifecycle/block_protect.h"

#include <array>
#include <boost/test/unit_test.hpp>
#include <random>
#include <string>

#include "controlplane/lifecycle/block_file.h"
#include "controlplane/policy/load.h"

namespace meiguan::lifecycle {
namespace {

BlockEntry read(const char* text) {
  auto entry = read_block(text, BlockDefaults{});
  BOOST_REQUIRE_MESSAGE(entry.has_value(), text);
  return *entry;
}

constexpr const char* kPolicy = R"([node]
code = "1"
name = "r"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "e"
kind = "extranet"
[[zone]]
id = "p"
kind = "private"
[[zone]]
id = "m"
kind = "management"
[[zone]]
id = "i"
kind = "internet"
[[unit]]
id = "ops"
zone = "m"
prefixes = ["172.16.9.0/24"]
[[unit]]
id = "hr"
zone = "p"
prefixes = ["10.1.0.0/16"]
[[unit]]
id = "czj"
zone = "e"
prefixes = ["10.0.0.0/24"]
[[service]]
id = "dns"
zone = "e"
endpoints = ["10.0.0.53/udp", "10.0.0.64/28/udp"]
labels = ["protected"]
[[service]]
id = "hr-db"
zone = "p"
endpoints = ["10.1.0.9/tcp"]
labels = ["x", "protected"]
[[service]]
id = "web"
zone = "e"
endpoints = ["10.0.0.80:443/tcp"]
[[egress]]
id = "exit"
from = ["unit:czj"]
pool = ["203.0.113.32/28"]
[[translate]]
zone = "p"
inside = "10.1.1.0/24"
outside = "10.200.1.0/24"
)";

constexpr const char* kGateway = R"([gateway]
node = "1"
[[port]]
name = "lan"
device = "tap:lan"
zone = "e"
addresses = ["10.0.0.1/24", "2001:db8:1::1/64"]
[[port]]
name = "wan"
device = "tap:wan"
zone = "i"
addresses = ["203.0.113.2/24"]
[[port]]
name = "ops"
device = "tap:ops"
zone = "m"
addresses = ["172.16.8.1/24"]
[[route]]
prefix = "0.0.0.0/0"
via = "203.0.113.254"
)";

BOOST_AUTO_TEST_CASE(what_the_gateway_stands_on_is_protected) {
  const auto policy = policy::load_policy_text("p.toml", kPolicy);
  BOOST_REQUIRE(policy.has_value());
  const auto gateway = policy::load_gateway_text("g.toml", kGateway, *policy);
  BOOST_REQUIRE(gateway.has_value());
  const ProtectedList list{protected_prefixes(*policy, &*gateway)};
  struct Case {
    const char* block;
    const char* want;  // part of what it meets; empty: nothing
  };
  for (const Case& c : {
           Case{"10.0.0.1", "address 10.0.0.1 of port lan"},
           Case{"2001:db8:1::1", "of port lan"},
           Case{"2001:db8:1::2", ""},
           Case{"2001:db8::/32", "of port lan"},
           Case{"0.0.0.0/0", "address"},
           Case{"::/0", "of port lan"},
           Case{"4000::/3", ""},
           Case{"203.0.113.254", "next hop"},
           Case{"203.0.113.33", "pool"},
           Case{"203.0.113.32/29", "pool"},
           Case{"203.0.113.48/28", ""},
           Case{"203.0.113.0/24", "port wan"},
           Case{"10.200.1.77", "`outside`"},
           Case{"10.0.0.53", "service `dns`"},
           Case{"10.0.0.72", "service `dns`"},
           Case{"10.0.0.80", ""},
           Case{"10.1.0.9@p", "service `hr-db`"},
           Case{"10.1.0.9", ""},
           Case{"10.0.0.1@p", ""},
           Case{"172.16.9.4", "unit `ops`"},
           Case{"172.16.8.200", "management network"},
           Case{"172.16.10.1", ""},
           Case{"198.51.100.7", ""},
       }) {
    const BlockEntry one = read(c.block);
    const auto* const met = list.meets(one.zone, one.prefix);
    const std::string got = met == nullptr ? "" : met->what.english;
    const bool right = *c.want == '\0' ? got.empty() : got.find(c.want) != got.npos;
    BOOST_TEST(right, c.block << ": " << got);
  }
  BOOST_TEST((ProtectedList{}.meets("", read("10.0.0.1").prefix) == nullptr));
}

// The naive twin of ProtectedList.
BOOST_AUTO_TEST_CASE(protection_agrees_with_a_linear_search) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 engine{seed};
  const auto prefix = [&engine] {
    if (engine() % 2 == 0) {
      const auto address = net::Address::v4(static_cast<std::uint32_t>(engine() & 0x0303'0000U));
      return net::Prefix::around(address, static_cast<std::uint8_t>(engine() % 20));
    }
    std::array<std::uint8_t, 16> bytes{};
    bytes[0] = static_cast<std::uint8_t>(engine() & 0x30);
    bytes[1] = static_cast<std::uint8_t>(engine() & 3);
    return net::Prefix::around(net::Address::v6(bytes), static_cast<std::uint8_t>(engine() % 20));
  };
  for (int round = 0; round < 200; ++round) {
    std::vector<ProtectedPrefix> all;
    for (auto n = engine() % 8; n-- > 0;) all.push_back({engine() % 2 ? "" : "z", prefix(), {}});
    const ProtectedList list{all};
    for (int asked = 0; asked < 50; ++asked) {
      const net::Prefix one = prefix();
      const std::string zone = engine() % 2 ? "" : "z";
      bool want = false;
      for (const auto& p : all) want = want || (p.zone == zone && p.prefix.overlaps(one));
      BOOST_REQUIRE_MESSAGE((list.meets(zone, one) != nullptr) == want, net::to_string(one));
    }
  }
}

}  // namespace
}  // namespace meiguan::lifecycle
