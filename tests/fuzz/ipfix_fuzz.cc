// The reader of IPFIX under hostile messages, one behind the other as a collector gets them: it
// ends, stays inside them, and what it hands out is no more than what came.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "controlplane/export/ipfix_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  meiguan::exporting::IpfixDecoder decoder;
  while (size >= 2) {
    const std::size_t length = std::size_t{data[0]} << 8 | data[1];
    data += 2;
    size -= 2;
    const std::size_t taken = length < size ? length : size;
    // An exact copy, so that one byte too far is caught.
    const std::vector<char> message(data, data + taken);
    data += taken;
    size -= taken;
    const auto decoded = decoder.decode({message.data(), message.size()});
    if (!decoded) continue;
    std::size_t bytes = 0;
    for (const auto& record : decoded->records) {
      if (record.fields.empty()) std::abort();
      for (const auto& field : record.fields) bytes += field.bytes.size();
    }
    if (bytes > taken) std::abort();
  }
  return 0;
}
