#include "dataplane/image/block_writer.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <unordered_map>

#include "dataplane/image/block_check.h"

namespace meiguan::image {
namespace {

// Whether every record has found a slot that a look-up reaches.
bool place(const std::vector<BlockRecord>& records, std::uint64_t seed,
           std::vector<BlockSlot>& slots) {
  const std::size_t mask = slots.size() - 1;
  for (std::size_t i = 0; i < records.size(); ++i) {
    const BlockRecord& record = records[i];
    const std::uint64_t hash = block_hash(seed, record.space, record.address, record.length);
    std::uint32_t step = 0;
    while (step < kMostBlockProbes && slots[(hash + step) & mask].record != kNone) ++step;
    if (step == kMostBlockProbes) return false;
    slots[(hash + step) & mask] = {static_cast<std::uint32_t>(hash >> 32),
                                   static_cast<std::uint32_t>(i)};
  }
  return true;
}

}  // namespace

std::optional<AlignedBytes> write_block_list(const std::vector<std::uint64_t>& spaces,
                                             const std::vector<BlockedPrefix>& prefixes,
                                             std::uint64_t seed) {
  if (prefixes.size() > kMaxBlocks || spaces.size() > kMaxBlockSpaces) return std::nullopt;
  std::unordered_map<std::uint64_t, std::uint16_t> number;
  std::vector<BlockSpace> space_records;
  for (const std::uint64_t key : spaces) {
    number.emplace(key, static_cast<std::uint16_t>(space_records.size()));
    space_records.push_back({.key = key, .lengths_v4 = 0});
  }
  std::vector<BlockRecord> records;
  records.reserve(prefixes.size());
  for (const BlockedPrefix& blocked : prefixes) {
    const auto space = number.find(blocked.space);
    if (space == number.end()) return std::nullopt;
    const std::uint8_t length = blocked.prefix.length();
    records.push_back({.address = blocked.prefix.address(),
                       .ends = blocked.ends,
                       .space = space->second,
                       .length = length});
    BlockSpace& there = space_records[space->second];
    std::uint64_t& word = blocked.prefix.family() == net::Family::kIpv4
                              ? there.lengths_v4
                              : there.lengths_v6[length / 64];
    word |= std::uint64_t{1} << (length % 64);
  }
  std::size_t room = records.empty() ? 0 : std::bit_ceil(2 * records.size());
  std::vector<BlockSlot> slots(room, {0, kNone});
  while (!records.empty() && !place(records, seed, slots)) {
    room *= 2;
    if (room > 64 * records.size()) return std::nullopt;
    slots.assign(room, {0, kNone});
  }

  const BlockLayout layout = block_layout(space_records.size(), records.size(), slots.size());
  AlignedBytes bytes{layout.bytes};
  std::byte* const out = bytes.span().data();
  const auto put = [out](std::size_t at, const auto& part) {
    if (!part.empty()) std::memcpy(out + at, part.data(), part.size() * sizeof part.front());
  };
  put(layout.spaces, space_records);
  put(layout.records, records);
  put(layout.slots, slots);
  BlockHeader header{};
  header.magic = kBlockMagic;
  header.version = kBlockVersion;
  header.spaces = static_cast<std::uint32_t>(space_records.size());
  header.bytes = layout.bytes;
  header.seed = seed;
  header.records = static_cast<std::uint32_t>(records.size());
  header.slots = static_cast<std::uint32_t>(slots.size());
  std::memcpy(out, &header, sizeof header);
  header.checksum = block_checksum(bytes.span());
  std::memcpy(out, &header, sizeof header);
  return bytes;
}

}  // namespace meiguan::image
