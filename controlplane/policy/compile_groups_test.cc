#include <boost/test/unit_test.hpp>
#include <string>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"

namespace meiguan::policy {
namespace {

constexpr std::string_view kHead = R"([node]
code = "360000"
name = "x"
tier = "province"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[unit]]
id = "unit"
zone = "extranet"
prefixes = ["10.1.0.0/16"]
[[service]]
id = "service"
zone = "extranet"
endpoints = ["10.1.0.1:443/tcp"]
)";

// Each group names the one before twice, by members and where asked by `except` too: followed one
// by one that is 2 to the power of 30 selectors.
std::string doubling(const std::string& id, const std::string& first, bool by_except) {
  std::string text;
  for (int i = 0; i < 30; ++i) {
    const std::string before = i == 0 ? first : "group:" + id + std::to_string(i - 1);
    text += "[[group]]\nid = \"" + id + std::to_string(i) + "\"\nmembers = [\"" + before +
            "\", \"" + before + "\"]\n";
    if (by_except && i > 0) text += "except = [\"" + before + "\", \"" + before + "\"]\n";
  }
  return text;
}

BOOST_AUTO_TEST_CASE(groups_that_double_compile_soon) {
  for (const bool by_except : {false, true}) {
    std::string text(kHead);
    text += doubling("from", "unit:unit", by_except) + doubling("to", "service:service", by_except);
    for (const std::string node : {"local", "mandatory"}) {
      text += "[[rule]]\nid = \"" + node + "\"\nphase = \"" + node +
              "\"\naction = \"allow\"\nfrom = [\"group:from29\"]\nto = [\"group:to29\"]\n"
              "ports = [\"443/tcp\"]\n";
    }
    const auto policy = load_policy_text("doubling.toml", text);
    BOOST_REQUIRE(policy.has_value());
    BOOST_TEST(compile(*policy, nullptr, nullptr).has_value());
  }
}

}  // namespace
}  // namespace meiguan::policy
