#pragma once

// Files of flow records: lines of text in compressed blocks, each with the times that it holds and
// a checksum, so that a reader passes over what it does not want without unpacking it.
//
//   "MGFLOWS2" | block | block | ...
//   block: FlowBlockHeader | FlowBlockOrigin | zstd frame of `raw_bytes` bytes of lines
// Files of before, "MGFLOWS1", have no origins.
//
// What is read is hostile: every length is compared with what is left and with what a writer makes.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace meiguan::report {

inline constexpr std::string_view kFlowFileMagic = "MGFLOWS2";
inline constexpr std::string_view kFlowFileMagicBefore = "MGFLOWS1";
inline constexpr std::uint32_t kMaxFlowBlockBytes = 1U << 20;  // of lines, and packed

struct FlowBlockHeader {
  static constexpr std::uint32_t kMagic = 0x4b4c4246;  // "FBLK"
  std::uint32_t magic{kMagic};
  std::uint32_t packed_bytes{0};
  std::uint32_t raw_bytes{0};
  std::uint32_t lines{0};
  std::int64_t first_ms{0};  // smallest and largest time of its lines
  std::int64_t last_ms{0};
  std::uint64_t checksum{0};  // XXH3 of the packed bytes, seeded with that of the rest
};
static_assert(sizeof(FlowBlockHeader) == 40);

// Whose lines they are: all nothing where they are the node's own, else a batch that came up.
struct FlowBlockOrigin {
  std::array<char, 32> node{};  // filled up with zeros
  std::uint64_t epoch{0};
  std::uint64_t sequence{0};

  [[nodiscard]] static FlowBlockOrigin of(std::string_view node, std::uint64_t epoch,
                                          std::uint64_t sequence) {
    FlowBlockOrigin origin;
    std::copy_n(node.data(), std::min(node.size(), origin.node.size()), origin.node.data());
    origin.epoch = epoch;
    origin.sequence = sequence;
    return origin;
  }
  [[nodiscard]] std::string_view code() const {
    const std::string_view all{node.data(), node.size()};
    return all.substr(0, all.find('\0'));
  }
};
static_assert(sizeof(FlowBlockOrigin) == 48);

// Header and packed lines; empty where they could not be packed.
[[nodiscard]] std::string pack_flow_block(std::string_view lines, std::uint32_t count,
                                          std::int64_t first_ms, std::int64_t last_ms,
                                          const FlowBlockOrigin& origin = {});

// False: enough, no more lines.
using FlowLineSink = std::function<bool(std::string_view line)>;
// Whether the block that comes next is wanted; it may turn out damaged. Without one all are.
using FlowBlockChoice = std::function<bool(const FlowBlockOrigin& origin)>;

struct FlowFileRead {
  std::uint64_t blocks{0};   // unpacked
  std::uint64_t damaged{0};  // torn, or changed since they were written
  bool enough{false};        // the sink said so
};

// Hands the lines of all blocks that hold some of [since, until] to the sink; those blocks may hold
// others too.
[[nodiscard]] FlowFileRead read_flow_file(std::span<const std::byte> file, std::int64_t since_ms,
                                          std::int64_t until_ms, const FlowLineSink& sink,
                                          const FlowBlockChoice& wanted = {});

}  // namespace meiguan::report
