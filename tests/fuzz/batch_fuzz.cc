// What a child sends, under hostile bytes: records as they come, and their content behind the
// checksum and the packing.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "controlplane/uplink/batch_record.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace meiguan;
  // An exact copy, so that one byte too far is caught.
  const std::vector<char> bytes(data, data + size);
  std::string_view rest{bytes.data(), bytes.size()};
  while (const auto record = uplink::take_record(rest)) {
    if (record->bytes.empty()) std::abort();
    static_cast<void>(uplink::unpack_batch(*record));
  }
  const std::string_view content{bytes.data(), bytes.size()};
  for (std::size_t stream = 0; stream < store::kStreams; ++stream) {
    store::Batch batch;
    batch.stream = static_cast<store::Stream>(stream);
    if (!uplink::read_content(content, "360121", batch)) continue;
    if (batch.rows.size() > uplink::kMaxRows || batch.alarms.size() > uplink::kMaxAlarms) {
      std::abort();
    }
    // What was read says the same when it is written and read again.
    store::Batch again;
    again.stream = batch.stream;
    const auto written = uplink::content_of(batch);
    if (!uplink::read_content(written, "360121", again)) std::abort();
    if (uplink::content_of(again) != written) std::abort();
  }
  return 0;
}
