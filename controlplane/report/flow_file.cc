#include "controlplane/report/flow_file.h"

#include <xxhash.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>

namespace meiguan::report {
namespace {

constexpr int kLevel = 3;

std::uint64_t checksum_of(const FlowBlockHeader& header, const void* packed) {
  const auto seed = XXH3_64bits(&header, offsetof(FlowBlockHeader, checksum));
  return XXH3_64bits_withSeed(packed, header.packed_bytes, seed);
}

// The lines of a block whose lengths were found to fit; nothing where it is not as it was written.
std::optional<std::string> unpack(const FlowBlockHeader& header, const std::byte* packed) {
  if (checksum_of(header, packed) != header.checksum) return std::nullopt;
  std::string lines(header.raw_bytes, '\0');
  const std::size_t bytes = ZSTD_decompress(lines.data(), lines.size(), packed,
                                            header.packed_bytes);
  if (ZSTD_isError(bytes) != 0 || bytes != lines.size()) return std::nullopt;
  return lines;
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
                            std::int64_t last_ms) {
  FlowBlockHeader header;
  std::string block(sizeof header + ZSTD_compressBound(lines.size()), '\0');
  const std::size_t bytes = ZSTD_compress(block.data() + sizeof header,
                                          block.size() - sizeof header, lines.data(), lines.size(),
                                          kLevel);
  if (ZSTD_isError(bytes) != 0 || bytes > kMaxFlowBlockBytes) return {};
  block.resize(sizeof header + bytes);
  header.packed_bytes = static_cast<std::uint32_t>(bytes);
  header.raw_bytes = static_cast<std::uint32_t>(lines.size());
  header.lines = count;
  header.first_ms = first_ms;
  header.last_ms = last_ms;
  header.checksum = checksum_of(header, block.data() + sizeof header);
  std::memcpy(block.data(), &header, sizeof header);
  return block;
}

FlowFileRead read_flow_file(std::span<const std::byte> file, std::int64_t since_ms,
                            std::int64_t until_ms, const FlowLineSink& sink) {
  FlowFileRead result;
  if (file.size() < kFlowFileMagic.size() ||
      std::memcmp(file.data(), kFlowFileMagic.data(), kFlowFileMagic.size()) != 0) {
    result.damaged = file.empty() ? 0 : 1;
    return result;
  }
  file = file.subspan(kFlowFileMagic.size());
  while (!file.empty()) {
    FlowBlockHeader header;
    if (file.size() < sizeof header) {
      ++result.damaged;
      return result;
    }
    std::memcpy(&header, file.data(), sizeof header);
    file = file.subspan(sizeof header);
    // Where the lengths cannot be trusted, neither can what follows.
    if (header.magic != FlowBlockHeader::kMagic || header.packed_bytes > file.size() ||
        header.packed_bytes > kMaxFlowBlockBytes || header.raw_bytes > kMaxFlowBlockBytes) {
      ++result.damaged;
      return result;
    }
    const auto* const packed = file.data();
    file = file.subspan(header.packed_bytes);
    if (header.last_ms < since_ms || header.first_ms > until_ms) continue;
    const auto lines = unpack(header, packed);
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
