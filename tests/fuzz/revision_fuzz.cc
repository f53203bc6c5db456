// What a disk may say of revisions: their files, and the contents that they name. What is taken
// says the same when it is written again.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "controlplane/lifecycle/digest.h"
#include "controlplane/lifecycle/revision.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan::lifecycle;
  const std::vector<char> bytes(data, data + size);
  const std::string_view text{bytes.data(), bytes.size()};
  if (const auto content = content_from_bytes(text)) {
    if (to_bytes(*content) != text) std::abort();
  }
  if (const auto inner = without_digest(text); inner && with_digest(std::string{*inner}) != text) {
    std::abort();
  }
  // As it stands, and with the checksum that whoever damages it would put right.
  for (const auto& whole : {std::string{text}, with_digest(std::string{text})}) {
    const auto revision = revision_from_text(whole);
    if (!revision) continue;
    const auto again = revision_from_text(to_text(*revision));
    if (!again || to_text(*again) != to_text(*revision)) std::abort();
  }
  return 0;
}
