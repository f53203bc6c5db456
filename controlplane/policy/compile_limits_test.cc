// Small policies that would take long or much: refused before the work is done, and the error names
// who wrote them.

#include <fmt/format.h>

#include <boost/test/unit_test.hpp>

#include <string>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"

namespace meiguan::policy {
namespace {

const std::string kHead = R"([node]
code = "1"
name = "r"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "e"
kind = "extranet"
)";

// Rules with a port of their own each, between prefixes that lie one inside the other.
std::string nested_nets(std::size_t rules) {
  std::string text = kHead;
  for (std::size_t i = 0; i < rules; ++i) {
    text += fmt::format(
        "[[rule]]\nid = \"r{}\"\naction = \"allow\"\nfrom = [\"any\"]\n"
        "to = [\"net:2001:db8::/{}\"]\nports = [\"{}/tcp\"]\n",
        i, 32 + i % 96, 2 * i + 1);
  }
  return text;
}

// One service that listens at many ports of one address.
std::string many_ports(std::size_t ports) {
  std::string text = kHead + "[[service]]\nid = \"s\"\nname = \"s\"\nzone = \"e\"\nendpoints = [";
  for (std::size_t i = 0; i < ports; ++i) text += fmt::format("\"10.0.0.1:{}/tcp\",", 2 * i + 1);
  return text + "]\n";
}

// Private networks that rules name, and rules for everybody but one.
std::string wide_rules(std::size_t zones, std::size_t rules) {
  std::string text = kHead;
  for (std::size_t z = 0; z < zones; ++z) {
    text += fmt::format(
        "[[zone]]\nid = \"p{0}\"\nkind = \"private\"\n"
        "[[unit]]\nid = \"u{0}\"\nzone = \"p{0}\"\nprefixes = [\"10.0.0.0/24\"]\n"
        "[[rule]]\nid = \"z{0}\"\naction = \"deny\"\nfrom = [\"zone:p{0}\"]\nto = "
        "[\"unit:u{0}\"]\n",
        z);
  }
  for (std::size_t i = 0; i < rules; ++i) {
    text += fmt::format(
        "[[rule]]\nid = \"r{}\"\naction = \"deny\"\nfrom = [\"any\"]\n"
        "except_from = [\"unit:u{}\", \"unit:u{}\"]\nto = [\"unit:u1\"]\n",
        i, i % zones, i * 7 % (zones - 1));
  }
  return text;
}

struct Case {
  const char* name;
  std::string text;
  const char* told;  // in the error; null where the policy compiles
};

BOOST_AUTO_TEST_CASE(what_would_take_too_long_is_refused_and_names_a_rule) {
  const Case cases[] = {
      {"nested prefixes with few ports", nested_nets(100), nullptr},
      {"nested prefixes with many ports", nested_nets(1000), "1/r"},
      {"a service with some ports", many_ports(1000), nullptr},
      {"a service with very many ports", many_ports(20000), "s (node.toml:"},
      {"some private zones and rules for all but one", wide_rules(20, 30), nullptr},
      {"many private zones and rules for all but one", wide_rules(240, 600), "1/r"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      const auto policy = load_policy_text("node.toml", c.text);
      BOOST_REQUIRE(policy.has_value());
      const auto compiled = compile(*policy, nullptr, nullptr);
      BOOST_REQUIRE_EQUAL(compiled.has_value(), c.told == nullptr);
      if (compiled) continue;
      const Text& message = compiled.error().message;
      BOOST_TEST(message.english.find(c.told) != std::string::npos, message.english);
      BOOST_TEST(message.english.find("can be worked out") != std::string::npos);
      BOOST_TEST(message.chinese.find("无法全部算出") != std::string::npos);
    }
  }
}

}  // namespace
}  // namespace meiguan::policy
