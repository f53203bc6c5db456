#include <boost/test/unit_test.hpp>

#include <optional>
#include <string>
#include <utility>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"
#include "dataplane/image/reader.h"

namespace meiguan::policy {
namespace {

constexpr const char* kPolicy = R"([node]
code = "360121"
name = "n"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "dmz"
kind = "dmz"
[[zone]]
id = "internet"
kind = "internet"
[[zone]]
id = "vpn"
kind = "private"
[[unit]]
id = "a"
zone = "extranet"
prefixes = ["10.1.0.0/24", "2001:db8:1::/64"]
limits = { flows = 5, bandwidth = "1Mbit" }
[[unit]]
id = "b"
zone = "extranet"
prefixes = ["10.2.0.0/24", "2001:db8:2::/64"]
limits = { flows = 5, bandwidth = "1Mbit" }
[[unit]]
id = "c"
zone = "extranet"
prefixes = ["10.3.0.0/24"]
[[service]]
id = "web"
zone = "dmz"
endpoints = ["172.16.0.1:443/tcp", "172.16.0.2:443/tcp"]
publish = true
timeouts = { udp = "3m" }
[[service]]
id = "plain"
zone = "dmz"
endpoints = ["172.16.0.3:443/tcp"]
publish = true
[[publish]]
service = "web"
public = "203.0.113.10:8443/tcp"
[[publish]]
service = "web"
public = "203.0.113.10:443/tcp"
[[egress]]
id = "one"
from = ["unit:a", "unit:b"]
pool = ["203.0.113.16/28"]
[[egress]]
id = "two"
from = ["unit:a"]
pool = ["203.0.113.32/28", "2001:db8:ff::/48"]
[[translate]]
zone = "vpn"
inside = "10.1.1.0/24"
outside = "10.200.1.0/24"
[[rule]]
id = "r"
action = "allow"
from = ["any"]
to = ["service:web"]
limits = { flows = 6 }
)";

constexpr const char* kGateway = R"([gateway]
node = "360121"
[[port]]
name = "lan"
device = "tap:lan"
zone = "extranet"
addresses = ["10.9.0.1/24"]
[limits]
source_flows = 77
)";

struct Built {
  image::AlignedBytes bytes;
  image::Image image;
};

Built build(bool with_gateway) {
  const auto policy = load_policy_text("p.toml", kPolicy);
  BOOST_REQUIRE(policy.has_value());
  std::optional<CheckedGateway> gateway;
  if (with_gateway) {
    auto loaded = load_gateway_text("g.toml", kGateway, *policy);
    BOOST_REQUIRE(loaded.has_value());
    gateway.emplace(std::move(*loaded));
  }
  auto compiled = compile(*policy, gateway ? &*gateway : nullptr, nullptr);
  BOOST_REQUIRE(compiled.has_value());
  auto bytes = std::move(compiled->bytes);
  const auto image = image::Image::open(bytes.span());
  BOOST_REQUIRE(image.has_value());
  return {std::move(bytes), *image};
}

const image::NatPrefix* nat_at(const image::Image& image, const char* address) {
  const auto* const route = image.route_to(kSharedSpace, *net::parse_address(address));
  if (route == nullptr || route->kind != image::RouteKind::kNat) return nullptr;
  return &image.nat_prefixes()[route->nat];
}

BOOST_AUTO_TEST_CASE(public_addresses_lead_to_what_the_policy_says) {
  const Built built = build(true);
  const image::Image& image = built.image;
  struct Case {
    const char* address;
    std::optional<image::NatKind> kind;
    std::uint32_t first;
    std::uint32_t count;
  };
  for (const Case& c : {
           Case{"203.0.113.10", image::NatKind::kPublish, 0, 2},
           Case{"203.0.113.11", std::nullopt, 0, 0},
           Case{"203.0.113.16", image::NatKind::kPool, 0, 1},
           Case{"203.0.113.47", image::NatKind::kPool, 1, 1},
           Case{"203.0.113.48", std::nullopt, 0, 0},
           Case{"2001:db8:ff:9::1", image::NatKind::kNpt, 0, 1},
           Case{"10.200.1.7", image::NatKind::kTranslate, 0, 1},
           Case{"10.1.1.7", std::nullopt, 0, 0},
       }) {
    const auto* const nat = nat_at(image, c.address);
    BOOST_REQUIRE_MESSAGE((nat != nullptr) == c.kind.has_value(), c.address);
    if (nat == nullptr) continue;
    BOOST_TEST((nat->kind == *c.kind && nat->first == c.first && nat->count == c.count), c.address);
  }
  BOOST_TEST(image.publishes()[0].first_port == 443);
  BOOST_TEST(image.publishes()[1].first_port == 8443);
  const auto to = [&](std::size_t p, std::size_t e) {
    return image.publish_endpoints()[image.publishes()[p].first_endpoint + e];
  };
  BOOST_TEST(net::to_string(to(0, 1).address) == "172.16.0.2");
  BOOST_TEST(to(0, 0).port == 0);
  BOOST_TEST(to(1, 0).port == 443);
  BOOST_TEST(image.egresses()[1].npts == 1U);
  BOOST_TEST(net::to_string(image.npt_prefixes()[0].inside) == "2001:db8:1::");
  BOOST_TEST(image.translates()[0].space == 1);
  BOOST_TEST(image.atom_at(SpaceId{1}, *net::parse_address("10.1.1.7")).translated == 1U);
  BOOST_TEST(image.atom_at(SpaceId{1}, *net::parse_address("10.1.2.7")).translated == 0U);
  BOOST_TEST(image.gateway_limits().source_flows == 77U);
}

BOOST_AUTO_TEST_CASE(the_first_egress_that_covers_and_has_the_family_is_used) {
  for (const bool with_gateway : {true, false}) {
    const Built built = build(with_gateway);
    const image::Image& image = built.image;
    BOOST_TEST(image.nat_prefixes().empty() != with_gateway);
    struct Case {
      const char* source;
      std::uint16_t v4;
      std::uint16_t v6;
    };
    constexpr auto kNo = image::kNoEgress;
    for (const Case& c :
         {Case{"10.1.0.5", 0, 1}, Case{"2001:db8:1::5", 0, 1}, Case{"10.2.0.5", 0, kNo},
          Case{"10.3.0.5", kNo, kNo}, Case{"192.0.2.1", kNo, kNo}}) {
      const image::Atom& atom = image.atom_at(kSharedSpace, *net::parse_address(c.source));
      const image::SourceEgress by = image.egress_of(atom.source_group, 0);
      BOOST_TEST((by.v4 == c.v4 && by.v6 == c.v6), c.source);
    }
  }
}

BOOST_AUTO_TEST_CASE(limits_and_time_outs_are_stored_once) {
  const Built built = build(false);
  const image::Image& image = built.image;
  BOOST_TEST(image.limits().size() == 2U);
  BOOST_TEST(image.units()[0].limits == image.units()[1].limits);
  BOOST_TEST(image.units()[2].limits == image::kNoLimits);
  BOOST_TEST(image.limits()[image.units()[0].limits].bandwidth == 1'000'000U);
  BOOST_TEST(image.limits()[image.rules()[0].limits].flows == 6U);
  const image::ServiceRecord& web = image.services()[0];
  BOOST_TEST(image.timeouts()[web.timeouts].udp == 180U);
  BOOST_TEST(image.timeouts()[web.timeouts].tcp_established == 7440U);
  BOOST_TEST((web.helper == image::Helper::kOff));
  BOOST_TEST(image.services()[1].timeouts == 0);
}

}  // namespace
}  // namespace meiguan::policy
