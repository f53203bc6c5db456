#include "controlplane/report/flow_file.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace meiguan::report {
namespace {

constexpr int kLevel = 3;

std::uint64_t checksum_of(const FlowBlockHeader& header,
                          const std::optional<FlowBlockOrigin>& origin, const void* packed) {
  auto seed = XXH3_64bits(&header, offsetof(FlowBlockHeader, checksum));
  if (origin) seed = XXH3_64bits_withSeed(&*origin, sizeof *origin, seed);
  return XXH3_64bits_withSeed(packed, header.packed_bytes, seed);
}

// The lines of a block whose lengths were found to fit; nothing where it is not as it was written.
std::optional<std::string> unpack(const FlowBlockHeader& header,
                                  const std::optional<FlowBlockOrigin>& origin,
                                  const std::byte* packed) {
  if (checksum_of(header, origin, packed) != header.checksum) return std::nullopt;
  std::string lines(header.raw_bytes, '\0');
  const std::size_t bytes = ZSTD_decompress(lines.data(), lines.size(), packed,
                                            header.packed_bytes);
  if (ZSTD_isError(bytes) != 0 || bytes != lines.size()) return std::nullopt;
  return lines;
}

bool begins_with(std::span<const std::byte> file, std::string_view magic) {
  return file.size() >= magic.size() && std::memcmp(file.data(), magic.data(), magic.size()) == 0;
}

bool hand_out(std::string_view lines, const FlowLineSink& sink) {
  while (!lines.empty()) {
    const auto end = std::min(lines.find('\n'), lines.size());
    if (end > 0 && !sink(lines.substr(0, end))) return false;
    lines.remove_prefix(std::min(end + 1, lines.size()));
  }
  return true;
}

}  // namespace

std::string pack_flow_block(std::string_view lines, std::uint32_t count, std::int64_t first_ms,
                            std::int64_t last_ms, const FlowBlockOrigin& origin) {
  FlowBlockHeader header;
  constexpr std::size_t kHead = sizeof header + sizeof origin;
  std::string block(kHead + ZSTD_compressBound(lines.size()), '\0');
  const std::size_t bytes = ZSTD_compress(block.data() + kHead, block.size() - kHead, lines.data(),
                                          lines.size(), kLevel);
  if (ZSTD_isError(bytes) != 0 || bytes > kMaxFlowBlockBytes) return {};
  block.resize(kHead + bytes);
  header.packed_bytes = static_cast<std::uint32_t>(bytes);
  header.raw_bytes = static_cast<std::uint32_t>(lines.size());
  header.lines = count;
  header.first_ms = first_ms;
  header.last_ms = last_ms;
  header.checksum = checksum_of(header, origin, block.data() + kHead);
  std::memcpy(block.data(), &header, sizeof header);
  std::memcpy(block.data() + sizeof header, &origin, sizeof origin);
  return block;
}

FlowFileRead read_flow_file(std::span<const std::byte> file, std::int64_t since_ms,
                            std::int64_t until_ms, const FlowLineSink& sink,
                            const FlowBlockChoice& wanted) {
  FlowFileRead result;
  const bool before = begins_with(file, kFlowFileMagicBefore);
  if (!before && !begins_with(file, kFlowFileMagic)) {
    result.damaged = file.empty() ? 0 : 1;
    return result;
  }
  file = file.subspan(kFlowFileMagic.size());
  while (!file.empty()) {
    FlowBlockHeader header;
    std::optional<FlowBlockOrigin> origin;
    if (!before) origin.emplace();
    const auto head = sizeof header + (origin ? sizeof *origin : 0);
    if (file.size() < head) {
      ++result.damaged;
      return result;
    }
    std::memcpy(&header, file.data(), sizeof header);
    if (origin) std::memcpy(&*origin, file.data() + sizeof header, sizeof *origin);
    file = file.subspan(head);
    // Where the lengths cannot be trusted, neither can what follows.
    if (header.magic != FlowBlockHeader::kMagic || header.packed_bytes > file.size() ||
        header.packed_bytes > kMaxFlowBlockBytes || header.raw_bytes > kMaxFlowBlockBytes) {
      ++result.damaged;
      return result;
    }
    const auto* const packed = file.data();
    file = file.subspan(header.packed_bytes);
    if (header.last_ms < since_ms || header.first_ms > until_ms) continue;
    if (wanted && !wanted(origin.value_or(FlowBlockOrigin{}))) continue;
    const auto lines = unpack(header, origin, packed);
    if (!lines) {
      ++result.damaged;
      continue;
    }
    ++result.blocks;
    if (!hand_out(*lines, sink)) {
      result.enough = true;
      return result;
    }
  }
  return result;
}

}  // namespace meiguan::report
