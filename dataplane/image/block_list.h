#pragma once

// The block list: addresses that nothing may come from or go to, each until its end. A small file
// beside the policy image, of the same kind: flat, position-independent, in the byte order of the
// machine, checked in full before it is used. It names address spaces by their key, so that it
// holds whatever image stands beside it.
//
//   BlockHeader | BlockSpace... | BlockRecord... | BlockSlot...     each part 64-byte aligned
//
//   address --the lengths that the space has, longest first--> slot by hash --> BlockRecord
//
// A look-up costs one line for each different length of prefix in the address's space and family,
// whatever the number of entries; a list of addresses and a few sizes of networks has two to four.
// (A trie of 256-way nodes, as routes have it, takes 1 KB for each scattered address: a hundred
// megabytes for a hundred thousand.) A longer prefix that has ended does not hide a shorter one.

#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <span>
#include <string_view>

#include "dataplane/base/result.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/image/format.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::image {

inline constexpr std::array<char, 8> kBlockMagic{'M', 'G', 'B', 'L', 'O', 'C', 'K', '\n'};
inline constexpr std::uint32_t kBlockVersion = 1;
inline constexpr std::uint32_t kMaxBlockSpaces = kMaxSpaces;
inline constexpr std::uint32_t kMaxBlocks = 4'000'000;
// A search looks at no more slots than this for one length of prefix.
inline constexpr std::uint32_t kMostBlockProbes = 64;
inline constexpr std::int64_t kBlockForEver = std::numeric_limits<std::int64_t>::max();

struct BlockHeader {
  std::array<char, 8> magic;
  std::uint32_t version;
  std::uint32_t spaces;
  std::uint64_t bytes;     // of the whole file
  std::uint64_t checksum;  // XXH3-64 over the file with this field zero
  std::uint64_t seed;      // of the hash; whoever knows addresses cannot choose their slots
  std::uint32_t records;
  std::uint32_t slots;  // a power of two, at least twice the records; 0 without any
  std::array<std::uint64_t, 2> reserved;
};
static_assert(sizeof(BlockHeader) == 64);

// Bit n of `lengths`: there is a record of that length in the family.
struct BlockSpace {
  std::uint64_t key;                          // of an image's space
  std::uint64_t lengths_v4;                   // 0 to 32
  std::array<std::uint64_t, 3> lengths_v6{};  // 0 to 128
  std::array<std::uint64_t, 3> reserved{};
};
static_assert(sizeof(BlockSpace) == 64);

// Ascending by space, address, length; no two alike but for `ends`.
struct BlockRecord {
  net::Address address;  // its host bits are zero
  std::int64_t ends;     // seconds since 1970-01-01T00:00Z from which on it is not there
  std::uint16_t space;   // of the list's
  std::uint8_t length;
  std::array<std::uint8_t, 5> reserved{};
};
static_assert(sizeof(BlockRecord) == 32);

// The upper half of the hash beside the record's number, so that what is not blocked costs no
// further line; number kNone: empty.
struct BlockSlot {
  std::uint32_t tag;
  std::uint32_t record;
};
static_assert(sizeof(BlockSlot) == 8);

// The key of the space of a private zone by the zone's id; 0, that of the shared space, for none.
[[nodiscard]] std::uint64_t space_key(std::string_view zone) noexcept;

// A validated view of a block list's bytes; it owns nothing.
class BlockList {
 public:
  // `bytes` must be 64-byte aligned and outlive the view. Errors: not a block list, another
  // version, damaged; also where a record could not be found by its own address.
  [[nodiscard]] static Result<BlockList> open(std::span<const std::byte> bytes);

  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t checksum() const noexcept;
  [[nodiscard]] std::span<const BlockSpace> spaces() const noexcept { return spaces_; }
  [[nodiscard]] std::span<const BlockRecord> records() const noexcept { return records_; }

  // The number of the longest record that holds the address in the list's space `space` and is
  // there at `at`; kNone for none.
  [[nodiscard]] std::uint32_t find(std::size_t space, const net::Address& address,
                                   std::int64_t at) const noexcept;

 private:
  BlockList() = default;
  friend class BlockCheck;  // the only maker
  struct Masked;

  [[nodiscard]] std::uint32_t probe(std::uint16_t space, const net::Address& masked,
                                    std::uint8_t length) const noexcept;

  std::span<const std::byte> bytes_;
  std::uint64_t seed_{0};
  std::span<const BlockSpace> spaces_;
  std::span<const BlockRecord> records_;
  std::span<const BlockSlot> slots_;
};

// The list's hash of a record; shared by the writer and the look-up.
[[nodiscard]] std::uint64_t block_hash(std::uint64_t seed, std::uint16_t space,
                                       const net::Address& address, std::uint8_t length) noexcept;

// A block list at a moment, asked by the address spaces of an image. Plain data that refers to the
// list; the default blocks nothing.
class Blocks {
 public:
  Blocks() = default;
  // Spaces of the list that the image does not have are nobody's. `list` outlives it.
  Blocks(const BlockList& list, const Image& image, std::int64_t at) noexcept;

  [[nodiscard]] bool any() const noexcept { return list_ != nullptr; }
  // The number of the record that blocks the address, or kNone.
  [[nodiscard]] std::uint32_t find(SpaceId space, const net::Address& address) const noexcept {
    if (list_ == nullptr || space.index() >= spaces_.size()) return kNone;
    const std::uint8_t number = spaces_[space.index()];
    return number == kNoSpace ? kNone : list_->find(number, address, at_);
  }
  // The same list at the same moment holds for a time: at `at` and later, as far as `until`.
  [[nodiscard]] std::int64_t at() const noexcept { return at_; }

 private:
  static constexpr std::uint8_t kNoSpace = 0xff;
  const BlockList* list_{nullptr};
  std::int64_t at_{0};
  std::array<std::uint8_t, kMaxSpaces> spaces_{};  // of the list, by the image's
};

// From `from` until before `until` the same records are there as at `at`.
struct BlockSpan {
  std::int64_t from{std::numeric_limits<std::int64_t>::min()};
  std::int64_t until{kBlockForEver};
  [[nodiscard]] bool covers(std::int64_t at) const noexcept { return from <= at && at < until; }
};
[[nodiscard]] BlockSpan span_at(const BlockList& list, std::int64_t at) noexcept;

}  // namespace meiguan::image
