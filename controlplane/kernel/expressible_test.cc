#define BOOST_TEST_MODULE kernel
#include "controlplane/kernel/expressible.h"

#include "controlplane/kernel/test_bundle.h"

namespace meiguan::kernel {
namespace {

BOOST_AUTO_TEST_CASE(what_the_kernel_can_do_is_not_refused) {
  BOOST_TEST(inexpressible(*bundle_of(kPolicyText, kGatewayText)).empty());
}

BOOST_AUTO_TEST_CASE(what_it_cannot_do_is_refused_by_name) {
  const auto with = [](const std::string& text, const std::string& old, const std::string& next) {
    auto changed = text;
    const auto at = changed.find(old);
    BOOST_REQUIRE(at != std::string::npos);
    return changed.replace(at, old.size(), next);
  };
  const std::string dmz = R"([[zone]]
id = "dmz"
kind = "dmz"
[[service]]
id = "portal"
zone = "dmz"
endpoints = ["203.0.113.10:443/tcp"]
publish = true
)";
  const struct {
    const char* name;
    std::string policy;
    std::string gateway;
    const char* file;
    const char* says;
  } kCases[] = {
      {"no gateway file", kPolicyText, "", "", "there is no gateway file"},
      {"publish",
       kPolicyText + dmz +
           "[[publish]]\nservice = \"portal\"\npublic = \"198.51.100.10:443/tcp\"\n",
       kGatewayText, "node.toml", "a [[publish]]"},
      {"egress",
       kPolicyText + "[[egress]]\nid = \"exit\"\nfrom = [\"unit:office\"]\n"
                     "pool = [\"198.51.100.32/28\"]\n",
       kGatewayText, "node.toml", "the [[egress]] `exit`"},
      {"translate",
       kPolicyText + "[[translate]]\nzone = \"vpn\"\ninside = \"10.9.0.0/24\"\n"
                     "outside = \"10.200.0.0/24\"\n",
       kGatewayText, "node.toml", "a [[translate]]"},
      {"limits of a unit",
       with(kPolicyText, "id = \"office\"\nzone", "id = \"office\"\nlimits = { flows = 10 }\nzone"),
       kGatewayText, "node.toml", "the limits of unit `office`"},
      {"limits of a service",
       with(kPolicyText, "id = \"approval\"\n", "id = \"approval\"\nlimits = { flows = 10 }\n"),
       kGatewayText, "node.toml", "the limits of service `approval`"},
      {"limits of a rule",
       with(kPolicyText, "id = \"office\"\naction",
            "id = \"office\"\nlimits = { flows = 10 }\naction"),
       kGatewayText, "node.toml", "the limits of rule `office`"},
      {"a helper",
       kPolicyText + "[[service]]\nid = \"files\"\nzone = \"extranet\"\nhelper = \"ftp\"\n"
                     "endpoints = [\"10.2.0.20:21/tcp\"]\n",
       kGatewayText, "node.toml", "the helper of service `files`"},
      {"time-outs",
       with(kPolicyText, "id = \"approval\"\n",
            "id = \"approval\"\ntimeouts = { udp_answered = \"6m\" }\n"),
       kGatewayText, "node.toml", "the timeouts of service `approval`"},
      {"a port of PCI", kPolicyText, with(kGatewayText, "af_packet:eth1", "pci:0000:04:00.0"),
       "gateway.toml", "port `lan` is no interface of the kernel's"},
      {"a name that is too long", kPolicyText,
       with(with(kGatewayText, "af_xdp:eth2", "af_xdp:enp0s31f6abcde"), "vlan = 7", "vlan = 4000"),
       "gateway.toml", "port `wan.7` has a name of more than 15 characters"},
      {"a TAP", kPolicyText,
       with(kGatewayText, "name = \"lan\"\n",
            "name = \"lan\"\ntap = \"mg-lan\"\nmac = \"02:00:00:00:00:01\"\n"),
       "gateway.toml", "the `tap` of port `lan`"},
      {"routes of the kernel's", kPolicyText,
       with(with(kGatewayText, "name = \"lan\"\n",
                 "name = \"lan\"\ntap = \"mg-lan\"\nmac = \"02:00:00:00:00:01\"\n"),
            "node = \"360121\"\n", "node = \"360121\"\nroutes = \"kernel\"\n"),
       "gateway.toml", "`routes = \"kernel\"`"},
      {"a private zone at a port", kPolicyText,
       with(with(kGatewayText, "\"internet\"", "\"vpn\""), "via = \"198.51.100.254\"",
            "via = \"10.2.0.254\""),
       "gateway.toml", "port `wan.7` lies in a private zone's address space"},
      {"a route of a private zone", kPolicyText,
       kGatewayText + "[[route]]\nprefix = \"10.9.0.0/24\"\nport = \"lan\"\nspace = \"vpn\"\n",
       "gateway.toml", "the route to 10.9.0.0/24 in a private zone's address space"},
      {"limits of the gateway", kPolicyText, kGatewayText + "[limits]\nsource_flows = 100\n",
       "gateway.toml", "[limits] of the gateway file"},
  };
  for (const auto& c : kCases) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto found = inexpressible(*bundle_of(c.policy, c.gateway));
      const auto* const one = [&]() -> const policy::Diagnostic* {
        for (const auto& diagnostic : found) {
          if (diagnostic.message.english.starts_with(c.says)) return &diagnostic;
        }
        return nullptr;
      }();
      for (const auto& diagnostic : found) BOOST_TEST_MESSAGE(diagnostic.message.english);
      BOOST_REQUIRE(one != nullptr);
      BOOST_TEST(one->message.english.ends_with("which `--backend kernel` cannot do"));
      BOOST_TEST(one->file == c.file);
      BOOST_TEST(!one->message.chinese.empty());
    }
  }
}

}  // namespace
}  // namespace meiguan::kernel
