// A signed bundle as it comes over the network: what is read is what the writer would write.

#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "controlplane/lifecycle/signed_bundle.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan::lifecycle;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  const auto bundle = bundle_from_bytes(bytes);
  if (bundle && to_bytes(*bundle) != bytes) std::abort();
  const auto manifest = manifest_from_text(bytes);
  if (manifest && to_text(*manifest) != bytes) std::abort();
  return 0;
}
