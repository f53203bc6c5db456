#include "dataplane/image/block_list.h"

#include <algorithm>
#include <bit>
#include <cstring>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace meiguan::image {
namespace {

constexpr std::uint64_t kHigh = ~std::uint64_t{0};

std::uint64_t swapped(std::uint64_t word) noexcept {
  return std::endian::native == std::endian::little ? __builtin_bswap64(word) : word;
}

// The upper `bits` of 64, as a word in network order.
std::uint64_t upper(unsigned bits) noexcept {
  return bits == 0 ? 0 : swapped(kHigh << (64 - bits));
}

// IPv4 is held in the last 4 of 16 bytes; the 12 before them are part of the key.
net::Address masked(const net::Address& address, unsigned length, bool v4) noexcept {
  std::array<std::uint64_t, 2> words;
  std::memcpy(words.data(), address.bytes().data(), sizeof words);
  const unsigned bits = v4 ? 96 + length : length;
  words[0] &= upper(std::min(bits, 64U));
  words[1] &= upper(bits > 64 ? bits - 64 : 0);
  return net::Address::v6(std::bit_cast<std::array<std::uint8_t, 16>>(words));
}

}  // namespace

std::uint64_t space_key(std::string_view zone) noexcept {
  if (zone.empty()) return 0;
  const std::uint64_t key = XXH3_64bits(zone.data(), zone.size());
  return key != 0 ? key : 1;
}

std::uint64_t block_hash(std::uint64_t seed, std::uint16_t space, const net::Address& address,
                         std::uint8_t length) noexcept {
  const std::uint64_t kind = std::uint64_t{space} << 8 | length;
  return XXH3_64bits_withSeed(address.bytes().data(), address.bytes().size(),
                              seed + kind * 0x9e37'79b9'7f4a'7c15);
}

std::uint64_t BlockList::checksum() const noexcept {
  BlockHeader header;
  std::memcpy(&header, bytes_.data(), sizeof header);  // open() checked the size
  return header.checksum;
}

std::uint32_t BlockList::probe(std::uint16_t space, const net::Address& address,
                               std::uint8_t length) const noexcept {
  const std::uint64_t hash = block_hash(seed_, space, address, length);
  const auto tag = static_cast<std::uint32_t>(hash >> 32);
  const std::size_t mask = slots_.size() - 1;
  for (std::uint32_t i = 0; i < kMostBlockProbes; ++i) {
    const BlockSlot& slot = slots_[(hash + i) & mask];
    if (slot.record == kNone) return kNone;
    if (slot.tag != tag) continue;
    const BlockRecord& record = records_[slot.record];
    if (record.address == address && record.length == length && record.space == space) {
      return slot.record;
    }
  }
  return kNone;
}

std::uint32_t BlockList::find(std::size_t space, const net::Address& address,
                              std::int64_t at) const noexcept {
  if (slots_.empty()) return kNone;
  const BlockSpace& there = spaces_[space];
  const auto number = static_cast<std::uint16_t>(space);
  const auto look = [&](std::uint64_t lengths, unsigned base, bool v4) noexcept {
    while (lengths != 0) {
      const auto bit = static_cast<unsigned>(std::bit_width(lengths)) - 1;
      lengths ^= std::uint64_t{1} << bit;
      const auto length = static_cast<std::uint8_t>(base + bit);
      const std::uint32_t found = probe(number, masked(address, length, v4), length);
      if (found != kNone && at < records_[found].ends) return found;
    }
    return kNone;
  };
  if (address.family() == net::Family::kIpv4) return look(there.lengths_v4, 0, true);
  for (unsigned word = 3; word-- > 0;) {
    if (const std::uint32_t found = look(there.lengths_v6[word], word * 64, false);
        found != kNone) {
      return found;
    }
  }
  return kNone;
}

Blocks::Blocks(const BlockList& list, const Image& image, std::int64_t at) noexcept
    : list_{list.records().empty() ? nullptr : &list}, at_{at} {
  spaces_.fill(kNoSpace);
  const auto keys = image.space_keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const auto there = std::ranges::find(list.spaces(), keys[i], &BlockSpace::key);
    if (there == list.spaces().end()) continue;
    spaces_[i] = static_cast<std::uint8_t>(there - list.spaces().begin());
  }
}

BlockSpan span_at(const BlockList& list, std::int64_t at) noexcept {
  BlockSpan span;
  for (const BlockRecord& record : list.records()) {
    if (record.ends <= at) {
      span.from = std::max(span.from, record.ends);
    } else {
      span.until = std::min(span.until, record.ends);
    }
  }
  return span;
}

}  // namespace meiguan::image
