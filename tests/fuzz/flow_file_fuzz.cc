// The reader of flow records under hostile bytes: it ends, stays inside them, and hands out lines
// of whole blocks only.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "controlplane/report/flow_file.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using meiguan::report::read_flow_file;
  // An exact copy, so that one byte too far is caught.
  const std::vector<std::uint8_t> bytes(data, data + size);
  std::uint64_t sum = 0;
  const auto take = [&](std::string_view line) {
    if (line.empty() || line.find('\n') != std::string_view::npos) std::abort();
    for (const char c : line) sum += static_cast<unsigned char>(c);
    return true;
  };
  const auto file = std::as_bytes(std::span{bytes});
  const auto all = read_flow_file(file, INT64_MIN, INT64_MAX, take);
  const auto some = read_flow_file(file, 1000, 2000, take);
  if (all.enough || some.blocks > all.blocks) std::abort();

  // What was written as such a block is read as it was.
  const std::string lines(reinterpret_cast<const char*>(data), size);
  if (size == 0 || size > meiguan::report::kMaxFlowBlockBytes / 2) return 0;
  const auto block = std::string{meiguan::report::kFlowFileMagic} +
                     meiguan::report::pack_flow_block(lines, 1, 5, 5);
  const auto again = read_flow_file(std::as_bytes(std::span{block}), 5, 5, take);
  if (again.blocks != 1 || again.damaged != 0) std::abort();
  volatile std::uint64_t used = sum;
  static_cast<void>(used);
  return 0;
}
