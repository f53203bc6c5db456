// The block list: from the last start, from the control plane, and what it has dropped.

#include <fmt/format.h>

#include <cstring>
#include <utility>
#include <vector>

#include "dataplane/runtime/clock.h"
#include "dataplane/runtime/dataplane.h"
#include "dataplane/runtime/log.h"

namespace meiguan::runtime {
void Dataplane::start_with_blocks() {
  const std::filesystem::path last = options_.state_dir / kLastBlocks;
  std::error_code error;
  if (!std::filesystem::exists(last, error)) return;
  auto loaded = LoadedBlocks::from_file(last, segments_.workers(), !options_.no_huge);
  if (loaded) {
    blocks_ = std::move(*loaded);
    return;
  }
  blocks_lost_ = true;
  const Text& why = loaded.error().message;
  log(Level::kError,
      {fmt::format("{}; nothing is forwarded until the control plane has sent the block list",
                   why.english),
       fmt::format("{}；在控制面发来封禁名单之前不转发任何报文", why.chinese)});
}

Outcome<void> Dataplane::take_blocks(std::unique_ptr<LoadedBlocks> loaded) {
  // Before it is in force: what is not kept would be gone with the next start.
  if (auto kept = save_last(options_.state_dir, kLastBlocks, loaded->list().bytes()); !kept) {
    return environment(kept.error());
  }
  const std::shared_ptr<LoadedBlocks> before = std::exchange(blocks_, std::move(loaded));
  const bool waiting = std::exchange(blocks_lost_, false);
  if (in_force_) {
    auto next = std::make_unique<InForce>(*in_force_);
    ++next->generation;
    next->take_blocks(blocks_, wall_seconds(), in_force_->block_revision + 1);
    put_in_force(std::move(next));
  }
  // No worker counts for the list before any more.
  if (before) blocks_->inherit(*before);
  log_info(fmt::format("a block list of {} entries is in force", blocks_->list().records().size()),
           fmt::format("封禁名单已生效，共 {} 条", blocks_->list().records().size()));
  if (!waiting) return {};
  // The control plane will publish one, too: the list is good whatever became of the image.
  if (auto started = start_with_image(); !started) log(Level::kError, started.error().message);
  return {};
}

Result<Answer> Dataplane::publish_blocks(channel::Message& request) {
  const auto memfd = sealed_memfd_of(request, {"the block list", "封禁名单"});
  if (!memfd) return std::unexpected{memfd.error()};
  auto loaded = LoadedBlocks::from_descriptor(memfd->get(), segments_.workers(), !options_.no_huge);
  if (!loaded) return std::unexpected{loaded.error()};
  if (auto taken = take_blocks(std::move(*loaded)); !taken) {
    log(Level::kWarning, taken.error().message);
    return std::unexpected{Error{taken.error().message}};
  }
  Answer answer;
  answer.put(channel::BlocksAnswer{blocks_->list().checksum(),
                                   in_force_ ? in_force_->generation : 0,
                                   static_cast<std::uint32_t>(blocks_->list().records().size())});
  return answer;
}

Result<Answer> Dataplane::block_hits(const channel::Message& request) const {
  std::uint32_t cursor = 0;
  if (request.payload.size() != sizeof cursor) {
    return fail("a request for hits carries a cursor of 4 bytes", "命中查询应携带 4 字节游标");
  }
  std::memcpy(&cursor, request.payload.data(), sizeof cursor);
  constexpr std::size_t kMost = (channel::kMaxMessageBytes - sizeof(channel::MessageHeader) -
                                 sizeof(channel::BlockHitsAnswer)) /
                                sizeof(channel::BlockHit);
  channel::BlockHitsAnswer head{blocks_ ? blocks_->list().checksum() : 0, 0, 0};
  std::vector<channel::BlockHit> hits;
  const std::size_t records = blocks_ ? blocks_->list().records().size() : 0;
  for (std::size_t i = cursor; i < records; ++i) {
    const std::uint64_t packets = blocks_->dropped(i);
    if (packets == 0) continue;
    if (hits.size() == kMost) {
      head.next_cursor = static_cast<std::uint32_t>(i);
      break;
    }
    hits.push_back({static_cast<std::uint32_t>(i), 0, packets});
  }
  head.hits = static_cast<std::uint32_t>(hits.size());
  Answer answer;
  answer.put(head);
  for (const channel::BlockHit& hit : hits) answer.put(hit);
  return answer;
}

}  // namespace meiguan::runtime
