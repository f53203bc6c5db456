// The block list's check against damage that keeps the checksum right, and against any bytes:
// whatever is accepted must answer every question within its bytes (ASan, UBSan watch), and find
// every one of its records.
//
// Input: the first byte chooses. Even: the rest is a list's bytes, whose checksum is put right.
// Odd: pairs of a 16-bit offset and a byte, laid over a list that is whole.

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "dataplane/image/block_check.h"
#include "dataplane/image/block_writer.h"

namespace {

using namespace meiguan;

void require(bool holds) {
  if (!holds) std::abort();
}

image::AlignedBytes whole() {
  const auto prefix = [](const char* address, std::uint8_t length) {
    return net::Prefix::around(*net::parse_address(address), length);
  };
  auto bytes = image::write_block_list({0, 7},
                                       {{0, prefix("2001:db8::", 32), 100},
                                        {0, prefix("2001:db8::9", 128)},
                                        {7, prefix("10.0.0.0", 8)},
                                        {7, prefix("10.1.0.0", 16), 50},
                                        {7, prefix("10.1.2.3", 32)}},
                                       3);
  require(bytes.has_value());
  return std::move(*bytes);
}

void ask(const image::BlockList& list) {
  for (std::size_t space = 0; space < list.spaces().size(); ++space) {
    for (const char* address : {"10.1.2.3", "0.0.0.0", "255.255.255.255", "2001:db8::9", "::"}) {
      for (const std::int64_t at : {std::int64_t{0}, std::int64_t{75}, image::kBlockForEver}) {
        const std::uint32_t found = list.find(space, *net::parse_address(address), at);
        if (found == image::kNone) continue;
        require(found < list.records().size() && list.records()[found].ends > at);
        require(list.records()[found].space == space);
      }
    }
  }
  for (std::size_t i = 0; i < list.records().size(); ++i) {
    const image::BlockRecord& record = list.records()[i];
    // By its own address at least as long a one is found, unless its time has never come.
    const std::uint32_t found = list.find(record.space, record.address, 0);
    if (record.ends > 0) {
      require(found != image::kNone && list.records()[found].length >= record.length);
    }
  }
  static_cast<void>(image::span_at(list, 60));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const image::AlignedBytes kWhole = whole();
  if (size == 0) return 0;
  image::AlignedBytes bytes;
  if (data[0] % 2 == 0) {
    // reinterpret_cast: bytes as bytes.
    bytes = image::AlignedBytes::copy_of({reinterpret_cast<const std::byte*>(data + 1), size - 1});
  } else {
    bytes = image::AlignedBytes::copy_of(kWhole.span());
    for (std::size_t i = 1; i + 3 <= size && i < 3 * 64; i += 3) {
      std::uint16_t offset = 0;
      std::memcpy(&offset, data + i, 2);
      bytes.span()[offset % bytes.size()] = std::byte{data[i + 2]};
    }
  }
  if (bytes.size() >= sizeof(image::BlockHeader)) {
    image::BlockHeader header;
    std::memcpy(&header, bytes.span().data(), sizeof header);
    header.checksum = image::block_checksum(bytes.span());
    std::memcpy(bytes.span().data(), &header, sizeof header);
  }
  if (const auto list = image::BlockList::open(bytes.span())) ask(*list);
  return 0;
}
