#include "controlplane/analysis/search.h"

#include <boost/test/unit_test.hpp>

#include "controlplane/policy/load.h"

namespace meiguan::analysis {
namespace {

constexpr std::string_view kPolicy = R"([node]
code = "360121"
name = "南昌县"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "vpn-hrss"
kind = "private"
[[unit]]
id = "czj"
name = "财政局"
zone = "extranet"
prefixes = ["10.64.37.0/27", "2001:db8:1::/64"]
labels = ["Finance"]
[[unit]]
id = "hrss"
zone = "vpn-hrss"
prefixes = ["10.64.0.0/16"]
[[terminal]]
unit = "czj"
addresses = ["10.64.37.5", "2001:db8:1::5"]
mac = "52:54:00:12:34:56"
name = "预算股"
[[service]]
id = "budget"
zone = "extranet"
endpoints = ["59.205.16.0/28:9520-9530/tcp", "59.205.16.10:443/tcp", "59.205.16.9/icmp"]
[[service]]
id = "names"
zone = "extranet"
endpoints = ["[2001:db8::10]:53/udp", "59.205.16.77/proto-47", "59.205.16.78/any"]
[[group]]
id = "desks"
members = ["net:10.64.37.16/28", "unit:hrss"]
[[rule]]
id = "pay"
action = "allow"
from = ["label:Finance"]
to = ["service:budget"]
ports = ["443/tcp", "icmp/8"]
comment = "经 443 付款"
)";

// "unit czj: contains prefixes 10.64.37.0/27"
std::vector<std::string> found(const policy::CheckedPolicy& policy, std::string_view text) {
  const auto pattern = parse_pattern(text);
  BOOST_REQUIRE(pattern.has_value());
  std::vector<std::string> lines;
  for (const auto& match : search(policy, *pattern)) {
    for (const auto& reason : match.reasons) {
      lines.push_back(std::string{match.kind} + " " + match.id + ": " +
                      std::string{relation_name(reason.relation)} + " " + reason.key + " " +
                      reason.what);
    }
  }
  return lines;
}

BOOST_AUTO_TEST_CASE(what_is_found) {
  struct Case {
    std::string_view pattern;
    std::vector<std::string> want;
  };
  const Case kCases[] = {
      {"10.64.37.5",
       {"unit czj: contains prefixes 10.64.37.0/27", "unit hrss: contains prefixes 10.64.0.0/16",
        "terminal 10.64.37.5: equals addresses 10.64.37.5"}},
      {"[2001:db8:1::5]",
       {"unit czj: contains prefixes 2001:db8:1::/64",
        "terminal 10.64.37.5: equals addresses 2001:db8:1::5"}},
      {"10.64.37.0/27",
       {"unit czj: equals prefixes 10.64.37.0/27", "unit hrss: contains prefixes 10.64.0.0/16",
        "terminal 10.64.37.5: inside addresses 10.64.37.5",
        "group desks: inside members net:10.64.37.16/28"}},
      {"10.64.37.20",
       {"unit czj: contains prefixes 10.64.37.0/27", "unit hrss: contains prefixes 10.64.0.0/16",
        "group desks: contains members net:10.64.37.16/28"}},
      {"59.205.16.10",
       {"service budget: contains endpoints 59.205.16.0/28:9520-9530/tcp",
        "service budget: equals endpoints 59.205.16.10:443/tcp"}},
      {"59.205.16.10:443/tcp", {"service budget: equals endpoints 59.205.16.10:443/tcp"}},
      {"59.205.16.10:9525/tcp",
       {"service budget: contains endpoints 59.205.16.0/28:9520-9530/tcp"}},
      {"59.205.16.0/24:9525/tcp",
       {"service budget: overlaps endpoints 59.205.16.0/28:9520-9530/tcp",
        "service names: overlaps endpoints 59.205.16.78/any"}},
      {"443",
       {"service budget: equals endpoints 59.205.16.10:443/tcp",
        "service names: contains endpoints 59.205.16.78/any",
        "rule 360121/pay: equals ports 443/tcp", "rule 360121/pay: named comment 经 443 付款"}},
      {"9525/tcp",
       {"service budget: contains endpoints 59.205.16.0/28:9520-9530/tcp",
        "service names: contains endpoints 59.205.16.78/any"}},
      {"9530-9600",
       {"service budget: overlaps endpoints 59.205.16.0/28:9520-9530/tcp",
        "service names: contains endpoints 59.205.16.78/any"}},
      {"53/tcp", {"service names: contains endpoints 59.205.16.78/any"}},
      {"1-1000/udp",
       {"service names: inside endpoints [2001:db8::10]:53/udp",
        "service names: contains endpoints 59.205.16.78/any"}},
      {"icmp/8",
       {"service budget: contains endpoints 59.205.16.9/icmp",
        "service names: contains endpoints 59.205.16.78/any",
        "rule 360121/pay: equals ports icmp/8"}},
      {"proto-47",
       {"service names: equals endpoints 59.205.16.77/proto-47",
        "service names: contains endpoints 59.205.16.78/any"}},
      {"财政", {"unit czj: named name 财政局"}},
      {"finance", {"unit czj: equals labels Finance", "rule 360121/pay: named from label:Finance"}},
      {"BUDGET", {"service budget: equals id budget", "rule 360121/pay: named to service:budget"}},
      {"hrss",
       {"zone vpn-hrss: named id vpn-hrss", "unit hrss: equals id hrss",
        "group desks: named members unit:hrss"}},
      {"52:54:00:12:34:56", {"terminal 10.64.37.5: equals mac 52:54:00:12:34:56"}},
      {"52:54:00", {"terminal 10.64.37.5: named mac 52:54:00:12:34:56"}},
      {"南昌", {"node 360121: named name 南昌县"}},
      {"360121", {"node 360121: equals id 360121", "rule 360121/pay: named id 360121/pay"}},
      {"nobody", {}},
      {"192.0.2.1", {}},
      {"22/sctp", {"service names: contains endpoints 59.205.16.78/any"}},
  };
  const auto policy = policy::load_policy_text("p.toml", kPolicy);
  BOOST_REQUIRE(policy.has_value());
  for (const auto& test : kCases) {
    const auto got = found(*policy, test.pattern);
    BOOST_TEST(got == test.want, test.pattern);
    for (const auto& line : got) BOOST_TEST_MESSAGE(line);
  }
}

BOOST_AUTO_TEST_CASE(patterns_that_are_refused) {
  const std::string long_one(300, 'a');
  for (const std::string_view text :
       {std::string_view{""}, std::string_view{long_one}, std::string_view{"10.64.37.5/27"},
        std::string_view{"10.64.37.5/33"}, std::string_view{"10.64.37.5:0/tcp"},
        std::string_view{"[2001:db8::1]:443/nonsense"}, std::string_view{"2001:db8::1/129"}}) {
    BOOST_TEST(!parse_pattern(text).has_value(), text);
  }
}

}  // namespace
}  // namespace meiguan::analysis
