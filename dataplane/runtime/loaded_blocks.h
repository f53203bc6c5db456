#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <vector>

#include "dataplane/fastpath/counters.h"
#include "dataplane/image/block_list.h"
#include "dataplane/runtime/own_memory.h"

namespace meiguan::runtime {

// A validated block list in memory of our own, and what it has dropped: a counter for each of its
// records and each worker.
class LoadedBlocks {
 public:
  // Errors: unreadable, too long, and whatever BlockList::open says.
  [[nodiscard]] static Result<std::unique_ptr<LoadedBlocks>> from_descriptor(int descriptor,
                                                                             unsigned workers,
                                                                             bool huge_pages);
  [[nodiscard]] static Result<std::unique_ptr<LoadedBlocks>> from_file(
      const std::filesystem::path& file, unsigned workers, bool huge_pages);
  LoadedBlocks(const LoadedBlocks&) = delete;
  LoadedBlocks& operator=(const LoadedBlocks&) = delete;

  [[nodiscard]] const image::BlockList& list() const noexcept { return list_; }
  // The one writer of a worker's counters is that worker.
  [[nodiscard]] std::span<fastpath::Counter> hits(unsigned worker) const noexcept;
  // Of a record, by all workers and by the lists before this one. On the main thread.
  [[nodiscard]] std::uint64_t dropped(std::size_t record) const noexcept;
  // Takes over what `before` has counted for the records that are in this list, too; no worker
  // counts there any more.
  void inherit(const LoadedBlocks& before);

 private:
  LoadedBlocks(OwnMemory memory, const image::BlockList& list, unsigned workers);

  OwnMemory memory_;
  image::BlockList list_;
  std::size_t room_;  // counters of a worker, whole lines
  std::unique_ptr<fastpath::Counter[]> hits_;
  unsigned workers_;
  std::vector<std::uint64_t> inherited_;  // empty: none
};

// The last block list on disk, in the state directory.
inline constexpr const char* kLastBlocks = "blocks.last";
inline constexpr std::size_t kMaxBlockBytes = std::size_t{1} << 30;

}  // namespace meiguan::runtime
