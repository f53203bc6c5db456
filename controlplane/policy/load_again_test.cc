// A tree that is loaded again and again by one PolicyLoader says at every step what it says when it
// is read anew.

#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <filesystem>
#include <fstream>
#include <string>

#include "controlplane/policy/compile.h"
#include "controlplane/policy/load.h"

namespace meiguan::policy {
namespace {

namespace fs = std::filesystem;

const std::string kNode = R"([node]
code = "36"
name = "r"
tier = "province"
)";
const std::string kPolicy = "[policy]\nschema = 1\n";
const std::string kZones = R"([[zone]]
id = "e"
kind = "extranet"
)";
const std::string kUnits = R"([[unit]]
id = "a"
zone = "e"
prefixes = ["10.0.1.0/24"]
[[unit]]
id = "b"
zone = "e"
prefixes = ["10.0.2.0/24"]
)";

std::string rule(const std::string& id, const std::string& action) {
  return "[[rule]]\nid = \"" + id + "\"\naction = \"" + action +
         "\"\nfrom = [\"unit:a\"]\nto = [\"unit:b\"]\n";
}

// All that a tree says, or what is wrong with it.
std::string told(const std::expected<CheckedPolicy, Diagnostics>& policy) {
  std::string text;
  if (!policy) {
    for (const Diagnostic& d : policy.error()) {
      text += d.file + ":" + std::to_string(d.line) + ": " + d.message.english + "\n";
    }
    return text;
  }
  const auto compiled = compile(*policy, nullptr, nullptr);
  BOOST_REQUIRE(compiled.has_value());
  text = to_json(compiled->catalog) + policy->timezone;
  const auto bytes = compiled->bytes.span();
  // reinterpret_cast: bytes as characters.
  text.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  return text;
}

struct Step {
  const char* name;
  const char* file;
  std::string text;  // empty: the file goes
};

BOOST_AUTO_TEST_CASE(loading_again_is_loading_anew) {
  const fs::path tree = fs::temp_directory_path() / ("meiguan-again-" + std::to_string(::getpid()));
  fs::remove_all(tree);
  const std::string below = "[node]\ncode = \"3601\"\nname = \"n\"\ntier = \"county\"\n";
  const Step steps[] = {
      {"a first tree", "node.toml", kNode + kPolicy + kZones},
      {"units in a file", "units.toml", kUnits},
      {"a rule", "rules.toml", rule("x", "allow")},
      {"nothing changed", "rules.toml", rule("x", "allow")},
      {"another action", "rules.toml", rule("x", "deny")},
      {"lines moved", "rules.toml", "\n\n" + rule("x", "deny")},
      {"an error", "rules.toml", rule("x", "forbid")},
      {"mended", "rules.toml", rule("x", "allow")},
      {"a file before it", "more.toml", rule("y", "allow")},
      {"the same id twice", "more.toml", rule("x", "allow")},
      {"gone", "more.toml", ""},
      {"a node below", "n/node.toml", below},
      {"with a rule that it may not write", "n/rules.toml", rule("z", "allow")},
      {"now a denial", "n/rules.toml", rule("z", "deny")},
      {"the node's code", "n/node.toml", below + "# later\n"},
      {"the policy table goes", "node.toml", kNode + kZones},
      {"to a file of its own", "policy.toml", kPolicy + "timezone = \"UTC\"\n"},
      {"and it stays", "rules.toml", rule("x", "deny")},
      {"twice", "policy2.toml", kPolicy},
      {"once", "policy2.toml", ""},
      {"another zone of time", "policy.toml", kPolicy + "timezone = \"Asia/Shanghai\"\n"},
      {"the node below is no node any more", "n/node.toml", ""},
  };
  PolicyLoader loader;
  for (const Step& step : steps) {
    const fs::path file = tree / step.file;
    if (step.text.empty()) {
      fs::remove(file);
    } else {
      fs::create_directories(file.parent_path());
      std::ofstream(file, std::ios::binary) << step.text;
    }
    BOOST_TEST_CONTEXT(step.name) {
      const std::string anew = told(load_policy(tree));
      BOOST_TEST((told(loader.load(tree)) == anew));
      BOOST_TEST((told(loader.load(tree)) == anew), "a second time");
    }
  }
  fs::remove_all(tree);
}

}  // namespace
}  // namespace meiguan::policy
