// `policy import terminals` under any bytes: a list of problems, or tables that load beside the
// policy, as many as are told of.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "controlplane/policy/import_terminals.h"
#include "controlplane/policy/load.h"

namespace {

constexpr std::string_view kPolicy = R"(
[node]
code = "360121"
name = "x"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[unit]]
id = "czj"
name = "财政局"
zone = "extranet"
prefixes = ["10.64.37.0/27", "2001:db8:1:36::/64"]
[[unit]]
id = "mzj"
name = "民政局"
zone = "extranet"
prefixes = ["10.64.37.32/27"]
[[terminal]]
unit = "czj"
addresses = ["10.64.37.5"]
)";

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan::policy;
  static const auto policy = load_policy_text("fuzz.toml", kPolicy);
  // reinterpret_cast: bytes as characters.
  const std::string_view csv(reinterpret_cast<const char*>(data), size);
  const auto imported = import_terminals(csv, *policy, meiguan::NodeId{0}, "fuzz.csv");
  if (!imported) {
    if (imported.error().empty()) std::abort();
    for (const auto& problem : imported.error()) {
      if (problem.message.english.empty() || problem.message.chinese.empty()) std::abort();
    }
    return 0;
  }
  const auto whole = load_policy_text("fuzz.toml", std::string{kPolicy} + imported->toml);
  if (!whole || whole->terminals.size() != 1 + imported->terminals) std::abort();
  return 0;
}
