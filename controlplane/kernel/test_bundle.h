#pragma once

// A small township for the tests of this directory: policy and gateway file as text.

#include <boost/test/unit_test.hpp>
#include <memory>
#include <string>

#include "controlplane/lifecycle/bundle.h"

namespace meiguan::kernel {

inline const std::string kPolicyText = R"([node]
code = "360121"
name = "township"
tier = "township"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "internet"
kind = "internet"
[[zone]]
id = "vpn"
kind = "private"
[[unit]]
id = "office"
zone = "extranet"
prefixes = ["10.1.0.0/24", "2001:db8:1::/64"]
[[unit]]
id = "finance"
zone = "extranet"
prefixes = ["10.1.0.128/26"]
admission = "bound"
[[terminal]]
unit = "finance"
addresses = ["10.1.0.130"]
mac = "02:00:00:00:01:30"
[[unit]]
id = "servers"
zone = "extranet"
prefixes = ["10.2.0.0/24", "2001:db8:2::/64"]
[[service]]
id = "approval"
zone = "extranet"
endpoints = ["10.2.0.10:443/tcp", "[2001:db8:2::10]:443/tcp", "10.2.0.10:8000-8010/udp", "10.2.0.10/icmp", "10.2.0.11/proto-50"]
[[rule]]
id = "not-8005"
phase = "mandatory"
action = "deny"
from = ["any"]
to = ["service:approval"]
ports = ["8005/udp"]
[[rule]]
id = "office"
action = "allow"
from = ["unit:office"]
to = ["service:approval"]
[[rule]]
id = "later"
action = "allow"
from = ["unit:servers"]
to = ["unit:office"]
ports = ["22/tcp"]
not_before = 2030-01-01T00:00:00Z
)";

inline const std::string kGatewayText = R"([gateway]
node = "360121"
[[port]]
name = "lan"
device = "af_packet:eth1"
zone = "extranet"
addresses = ["10.1.0.1/24", "2001:db8:1::1/64"]
[[port]]
name = "wan"
device = "af_xdp:eth2"
zone = "extranet"
addresses = ["10.2.0.1/24", "2001:db8:2::1/64"]
[[port]]
name = "wan.7"
parent = "wan"
vlan = 7
zone = "internet"
addresses = ["198.51.100.1/24"]
[[route]]
prefix = "0.0.0.0/0"
via = "198.51.100.254"
)";

inline std::unique_ptr<const lifecycle::Bundle> bundle_of(const std::string& policy,
                                                          const std::string& gateway) {
  lifecycle::Content content;
  content.tree.files = {{"node.toml", policy}};
  content.tree.single_file = true;
  if (!gateway.empty()) content.gateway = policy::TreeFile{"gateway.toml", gateway};
  auto loaded = lifecycle::load_bundle(content, nullptr, lifecycle::kLeaveUndecided);
  for (const auto& wrong : loaded ? policy::Diagnostics{} : loaded.error()) {
    BOOST_TEST_MESSAGE(policy::render(wrong, Language::kEnglish, false));
  }
  BOOST_REQUIRE(loaded.has_value());
  return std::move(*loaded);
}

}  // namespace meiguan::kernel
