#include "dataplane/image/writer.h"

#include "dataplane/image/validator.h"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace meiguan::image {
namespace {

std::size_t aligned(std::size_t offset) {
  return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
}

}  // namespace

std::uint64_t Writer::digest() const noexcept {
  std::uint64_t seed = 0;
  for (const Part& part : parts_) {
    seed = XXH3_64bits_withSeed(part.bytes.data(), part.bytes.size(), seed);
  }
  return seed;
}

AlignedBytes Writer::finish() const {
  FileHeader header{};
  header.magic = kMagic;
  header.version = kFormatVersion;
  header.section_count = kSections;
  std::size_t offset = sizeof(FileHeader);
  for (std::size_t i = 0; i < kSections; ++i) {
    offset = aligned(offset);
    header.sections[i] = {offset, parts_[i].count, parts_[i].size};
    offset += parts_[i].bytes.size();
  }
  header.bytes = offset;
  AlignedBytes result{offset};
  std::byte* const out = result.span().data();
  for (std::size_t i = 0; i < kSections; ++i) {
    if (parts_[i].bytes.empty()) continue;
    std::memcpy(out + header.sections[i].offset, parts_[i].bytes.data(), parts_[i].bytes.size());
  }
  std::memcpy(out, &header, sizeof header);
  header.checksum = checksum_of(result.span());
  std::memcpy(out, &header, sizeof header);
  return result;
}

}  // namespace meiguan::image
