// The capture reader under hostile bytes: it ends, stays inside them, and says why it stopped.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <vector>

#include "controlplane/analysis/capture.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  // An exact copy, so that one byte too far is caught.
  const std::vector<std::uint8_t> bytes(data, data + size);
  auto reader = meiguan::analysis::CaptureReader::open(bytes);
  if (!reader) return 0;
  std::uint64_t sum = 0;
  std::size_t last = 0;
  while (const auto frame = reader->next()) {
    for (const auto byte : frame->bytes) sum += byte;
    if (reader->position() <= last || frame->bytes.size() > meiguan::analysis::kMaxFrameBytes ||
        frame->time_digits > 9) {
      std::abort();
    }
    last = reader->position();
  }
  if (!reader->fault() && reader->position() != bytes.size()) std::abort();
  volatile std::uint64_t used = sum;
  static_cast<void>(used);
  return 0;
}
