// Any bytes are a policy or a list of errors, and never anything worse; the same for a gateway file
// checked against a small policy.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controlplane/policy/load.h"

namespace {

using meiguan::Language;
using namespace meiguan::policy;

constexpr std::string_view kSmallPolicy = R"(
[node]
code = "360121"
name = "x"
tier = "county"
[policy]
schema = 1
[[zone]]
id = "extranet"
kind = "extranet"
[[zone]]
id = "vpn"
kind = "private"
)";

// Errors must point into the text and must be printable.
void look_at(const Diagnostics& errors) {
  if (errors.empty()) std::abort();
  for (const Diagnostic& error : errors) {
    if (error.line == 0 || error.column == 0 || error.message.english.empty() ||
        error.message.chinese.empty()) {
      std::abort();
    }
    static_cast<void>(render(error, Language::kEnglish, true));
    static_cast<void>(render(error, Language::kChinese, false));
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto policy = load_policy_text("fuzz.toml", text);
  if (!policy) look_at(policy.error());
  static const auto small = load_policy_text("small.toml", kSmallPolicy);
  const auto gateway = load_gateway_text("gateway.toml", text, *small);
  if (!gateway) look_at(gateway.error());
  return 0;
}
