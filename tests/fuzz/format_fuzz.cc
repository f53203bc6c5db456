// `policy fmt` under any bytes: what it gives says the same as before, is not changed again, and
// loads if and only if the text did.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controlplane/policy/format_policy.h"
#include "controlplane/policy/load.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan::policy;
  // reinterpret_cast: bytes as characters.
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto once = format_policy_text("fuzz.toml", text);
  const auto loaded = load_policy_text("fuzz.toml", text);
  if (!once) {
    // Left alone for a reason that the loader has as well.
    if (once.error().empty() || loaded) std::abort();
    return 0;
  }
  const auto twice = format_policy_text("fuzz.toml", *once);
  if (!twice || *twice != *once) std::abort();
  if (load_policy_text("fuzz.toml", *once).has_value() != loaded.has_value()) std::abort();
  return 0;
}
