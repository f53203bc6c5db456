// An audit log as it comes from a disk: the verifier reads anything, and says of no log that it is
// whole whose records it did not see.

#include <cstdint>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

#include "controlplane/audit/verify.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan::audit;
  const std::string_view bytes{reinterpret_cast<const char*>(data), size};
  // The head, then two files.
  const auto head = bytes.substr(0, 86);  // head_text()
  const auto rest = bytes.substr(head.size());
  const auto middle = rest.find("\n\n");
  std::uint64_t seen = 0;
  Verifier verifier{{}, [&](const Line&, std::string_view) { ++seen; }};
  verifier.add_file("audit-00000001.log", 1,
                    rest.substr(0, middle == rest.npos ? middle : middle + 1), middle == rest.npos);
  if (middle != rest.npos) {
    verifier.add_file("audit-00000002.log", 2, rest.substr(middle + 2), true);
  }
  const auto verdict = verifier.finish(std::string{head});
  if (verdict.is_whole() && verdict.records != seen) std::abort();
  if (verdict.is_whole() && verdict.last < verdict.records) std::abort();
  return 0;
}
