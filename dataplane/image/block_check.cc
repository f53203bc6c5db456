// Whether bytes are a block list: after this no look-up can leave them, and every record is found.

#include <fmt/core.h>

#include <bit>
#include <cstring>
#include <string_view>
#include <tuple>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "dataplane/image/block_check.h"

namespace meiguan::image {
namespace {

std::unexpected<Error> damaged(std::string_view what) {
  return fail(fmt::format("the block list is damaged: {}", what),
              fmt::format("封禁名单已损坏：{}", what));
}

std::size_t aligned(std::size_t offset) {
  return (offset + kSectionAlignment - 1) / kSectionAlignment * kSectionAlignment;
}

bool has(const BlockSpace& space, bool v4, unsigned length) {
  const std::uint64_t word = v4 ? space.lengths_v4 : space.lengths_v6[length / 64];
  return (word >> (length % 64) & 1) != 0;
}

}  // namespace

BlockLayout block_layout(std::uint64_t spaces, std::uint64_t records,
                         std::uint64_t slots) noexcept {
  BlockLayout layout{};
  layout.spaces = sizeof(BlockHeader);
  layout.records = aligned(layout.spaces + spaces * sizeof(BlockSpace));
  layout.slots = aligned(layout.records + records * sizeof(BlockRecord));
  layout.bytes = layout.slots + slots * sizeof(BlockSlot);
  return layout;
}

std::uint64_t block_checksum(std::span<const std::byte> bytes) noexcept {
  BlockHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum = 0;
  const std::uint64_t head = XXH3_64bits(&header, sizeof header);
  return XXH3_64bits_withSeed(bytes.data() + sizeof header, bytes.size() - sizeof header, head);
}

Result<BlockList> BlockCheck::open(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(BlockHeader)) return damaged("its size");
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kSectionAlignment != 0) {
    return damaged("its alignment in memory");
  }
  BlockHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  if (header.magic != kBlockMagic) {
    return fail("this file is not a block list", "此文件不是封禁名单");
  }
  if (header.version != kBlockVersion) {
    return fail(fmt::format("the block list has format version {}, this program reads version {}",
                            header.version, kBlockVersion),
                fmt::format("封禁名单格式版本为 {}，本程序读取版本 {}", header.version,
                            kBlockVersion));
  }
  if (header.records > kMaxBlocks || header.spaces > kMaxBlockSpaces) {
    return damaged("number of its records");
  }
  // All of them are below 2^33, so that no sum wraps.
  const BlockLayout layout = block_layout(header.spaces, header.records, header.slots);
  if (header.bytes != bytes.size() || layout.bytes != bytes.size()) {
    return damaged("it is cut short or has bytes too many");
  }
  if (header.checksum != block_checksum(bytes)) return damaged("its checksum");
  const bool room = header.records == 0 ? header.slots == 0
                                        : std::has_single_bit(header.slots) &&
                                              header.slots >= std::uint64_t{2} * header.records;
  if (!room) return damaged("number of its slots");

  BlockList list;
  list.bytes_ = bytes;
  list.seed_ = header.seed;
  // reinterpret_cast: parts of the layout, aligned and inside the bytes.
  list.spaces_ = {reinterpret_cast<const BlockSpace*>(bytes.data() + layout.spaces), header.spaces};
  list.records_ = {reinterpret_cast<const BlockRecord*>(bytes.data() + layout.records),
                   header.records};
  list.slots_ = {reinterpret_cast<const BlockSlot*>(bytes.data() + layout.slots), header.slots};
  // One after the other: each relies on what those before it found right.
  for (const auto check : {&spaces, &slots, &records}) {
    if (const char* const wrong = check(list); wrong != nullptr) return damaged(wrong);
  }
  return list;
}

const char* BlockCheck::spaces(const BlockList& list) {
  for (std::size_t i = 0; i < list.spaces_.size(); ++i) {
    const BlockSpace& space = list.spaces_[i];
    if (space.lengths_v4 >> 33 != 0 || space.lengths_v6[2] >> 1 != 0) return "lengths of a space";
    for (std::size_t other = 0; other < i; ++other) {
      if (list.spaces_[other].key == space.key) return "a space that stands there twice";
    }
  }
  return nullptr;
}

// Before records(), which looks them up.
const char* BlockCheck::slots(const BlockList& list) {
  std::size_t used = 0;
  for (const BlockSlot& slot : list.slots_) {
    if (slot.record == kNone) continue;
    if (slot.record >= list.records_.size()) return "a slot";
    ++used;
  }
  return used == list.records_.size() ? nullptr : "number of slots in use";
}

const char* BlockCheck::records(const BlockList& list) {
  const BlockRecord* before = nullptr;
  for (std::size_t i = 0; i < list.records_.size(); ++i) {
    const BlockRecord& record = list.records_[i];
    if (record.space >= list.spaces_.size()) return "space of a record";
    const bool v4 = record.address.family() == net::Family::kIpv4;
    if (record.length > net::address_bits(record.address.family())) return "length of a record";
    if (!net::Prefix::make(record.address, record.length)) return "host bits of a record";
    if (!has(list.spaces_[record.space], v4, record.length)) return "lengths of a space";
    if (before != nullptr && std::tie(before->space, before->address, before->length) >=
                                 std::tie(record.space, record.address, record.length)) {
      return "order of the records";
    }
    before = &record;
    // What cannot be found would block nothing.
    if (list.probe(record.space, record.address, record.length) != i) return "place of a record";
  }
  return nullptr;
}

Result<BlockList> BlockList::open(std::span<const std::byte> bytes) {
  return BlockCheck::open(bytes);
}

}  // namespace meiguan::image
