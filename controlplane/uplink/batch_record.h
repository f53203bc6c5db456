#pragma once

// A batch of statistics as it lies in a spool and goes up the tree: the same bytes on disk, on the
// wire, and at every node that passes it on.
//
//   RecordHeader | code of the node | zstd frame of `raw_bytes` bytes of content
//   content: varints (LEB128, signed ones zigzag): minute, watch (3), names (count, each length and
//   bytes), rows (count, each nine names as index + 1 or 0, six sums), hits (count, each name,
//   hits, audited), and behind it, if there is more, the fingerprint of the rules in force and
//   whether their list follows (count, each name); of alarms: when they stand, and how many, each
//   name, kind and about (length and bytes), since and packets; of flows: how many lines, when the
//   first and the last ended, lines
//
// What is read is hostile: every length is bounded before anything is unpacked, a checksum covers
// all, and every number that a sum is made of is bounded so that sums do not overflow.

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "controlplane/store/row.h"
#include "dataplane/base/result.h"

namespace meiguan::uplink {

inline constexpr std::uint32_t kMaxPackedBytes = 4U << 20;
inline constexpr std::uint32_t kMaxRawBytes = 16U << 20;
inline constexpr std::size_t kMaxNodeBytes = 32;  // of a code, as policy has them
inline constexpr std::size_t kMaxNameBytes = 512;
inline constexpr std::size_t kMaxRows = 65'536;  // a roll-up hands out 16,384 and a few
inline constexpr std::size_t kMaxAlarms = 256;
inline constexpr std::size_t kMaxFlowBytes = std::size_t{512} << 10;  // of lines
inline constexpr std::size_t kMaxFlowLineBytes = std::size_t{8} << 10;
inline constexpr std::int64_t kMostOfARow = std::int64_t{1} << 46;  // bytes at 9 Tbit/s

struct RecordHeader {
  static constexpr std::uint32_t kMagic = 0x3142'474d;  // "MGB1"
  std::uint32_t magic{kMagic};
  std::uint8_t stream{0};
  std::uint8_t zero{0};
  std::uint16_t node_bytes{0};
  std::uint32_t packed_bytes{0};
  std::uint32_t raw_bytes{0};
  std::uint64_t epoch{0};
  std::uint64_t sequence{0};
  std::uint64_t lost{0};
  std::uint64_t checksum{0};  // XXH3 of what follows, seeded with that of what stands before
};
static_assert(sizeof(RecordHeader) == 48);

// A whole record of which the header and the checksum are right; a view of someone else's bytes.
struct Record {
  RecordHeader header;
  std::string_view node;
  std::string_view packed;
  std::string_view bytes;  // all of it

  // As store::Batch::source().
  [[nodiscard]] std::string source() const;
};

// Errors: it cannot be packed within the limits above.
[[nodiscard]] Result<std::string> pack_batch(const store::Batch& batch);

// The record at the front of `bytes`, which then begins behind it. Errors: there is none, or only a
// part of it, or it is damaged; `bytes` is then as before.
[[nodiscard]] Result<Record> take_record(std::string_view& bytes);

// The same record with so many declared lost before it.
[[nodiscard]] std::string with_lost(const Record& record, std::uint64_t lost);

// Errors: what it says cannot be.
[[nodiscard]] Result<store::Batch> unpack_batch(const Record& record);

// Content alone; what it consists of hangs on the batch's stream. For unpack_batch() and its fuzz
// target.
[[nodiscard]] std::string content_of(const store::Batch& batch);
[[nodiscard]] Result<void> read_content(std::string_view content, const std::string& node,
                                        store::Batch& batch);

}  // namespace meiguan::uplink
