#include "controlplane/lifecycle/block_entries.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>
#include <utility>

#include "dataplane/image/block_writer.h"

namespace meiguan::lifecycle {
namespace {

auto key(const BlockEntry& entry) { return std::tie(entry.zone, entry.prefix); }
bool before(const BlockEntry& a, const BlockEntry& b) { return key(a) < key(b); }

std::shared_ptr<const BlockNote> merged(const std::shared_ptr<const BlockNote>& old,
                                        const std::shared_ptr<const BlockNote>& given) {
  if (old == given || *old == *given) return old;
  const auto pick = [](const std::string& a, const std::string& b) { return b.empty() ? a : b; };
  BlockNote note{pick(old->reason, given->reason), pick(old->ticket, given->ticket),
                 pick(old->by, given->by)};
  if (note == *given) return given;
  return std::make_shared<const BlockNote>(std::move(note));
}

// `later` says the same prefix once more.
void merge(BlockEntry& entry, const BlockEntry& later) {
  entry.since = std::min(entry.since, later.since);
  entry.ends = std::max(entry.ends, later.ends);
  entry.note = merged(entry.note, later.note);
}

}  // namespace

std::string block_text(const std::string& zone, const net::Prefix& prefix) {
  return zone.empty() ? net::to_string(prefix) : net::to_string(prefix) + "@" + zone;
}

std::string to_string(const BlockEntry& entry) { return block_text(entry.zone, entry.prefix); }

const BlockEntry* BlockEntries::find(const std::string& zone, const net::Prefix& prefix) const {
  const auto at = std::ranges::lower_bound(entries_, std::tie(zone, prefix), std::less<>{},
                                           [](const BlockEntry& entry) {
                                             return std::tie(entry.zone, entry.prefix);
                                           });
  return at != entries_.end() && at->zone == zone && at->prefix == prefix ? &*at : nullptr;
}

BlockEntries BlockEntries::with(std::vector<BlockEntry> added, BlockChange& change) const {
  std::ranges::stable_sort(added, before);
  BlockEntries result;
  result.entries_.reserve(entries_.size() + added.size());
  auto old = entries_.begin();
  for (std::size_t i = 0; i < added.size();) {
    while (old != entries_.end() && before(*old, added[i])) result.entries_.push_back(*old++);
    const bool there = old != entries_.end() && key(*old) == key(added[i]);
    BlockEntry entry = there ? *old++ : added[i++];
    while (i < added.size() && key(added[i]) == key(entry)) merge(entry, added[i++]);
    ++(there ? change.merged : change.added);
    result.entries_.push_back(std::move(entry));
  }
  result.entries_.insert(result.entries_.end(), old, entries_.end());
  return result;
}

BlockEntries BlockEntries::without(const std::vector<BlockEntry>& removed,
                                   BlockChange& change) const {
  std::vector<const BlockEntry*> gone;
  gone.reserve(removed.size());
  for (const BlockEntry& entry : removed) gone.push_back(&entry);
  const auto less = [](const BlockEntry* a, const BlockEntry* b) { return before(*a, *b); };
  std::ranges::sort(gone, less);
  BlockEntries result;
  for (const BlockEntry& entry : entries_) {
    if (std::ranges::binary_search(gone, &entry, less)) {
      ++change.removed;
    } else {
      result.entries_.push_back(entry);
    }
  }
  return result;
}

BlockEntries BlockEntries::at(std::int64_t now, BlockChange& change) const {
  BlockEntries result;
  result.entries_.reserve(entries_.size());
  for (const BlockEntry& entry : entries_) {
    if (entry.ends > now) result.entries_.push_back(entry);
  }
  change.ended += entries_.size() - result.entries_.size();
  return result;
}

Result<image::AlignedBytes> BlockEntries::image(std::uint64_t seed) const {
  std::vector<std::uint64_t> spaces;
  std::vector<image::BlockedPrefix> prefixes;
  prefixes.reserve(entries_.size());
  const std::string* zone = nullptr;
  for (const BlockEntry& entry : entries_) {
    if (zone == nullptr || *zone != entry.zone) spaces.push_back(image::space_key(entry.zone));
    zone = &entry.zone;
    prefixes.push_back({spaces.back(), entry.prefix, entry.ends});
  }
  for (std::uint64_t attempt = 0; attempt < 8; ++attempt) {
    auto bytes = image::write_block_list(spaces, prefixes, seed + attempt);
    if (bytes) return std::move(*bytes);
  }
  return fail(
      fmt::format("the block list has {} entries in {} address spaces; it may have {} in {}",
                  prefixes.size(), spaces.size(), image::kMaxBlocks, image::kMaxBlockSpaces),
      fmt::format("封禁名单有 {} 条、{} 个地址空间，最多 {} 条、{} 个", prefixes.size(),
                  spaces.size(), image::kMaxBlocks, image::kMaxBlockSpaces));
}

}  // namespace meiguan::lifecycle
