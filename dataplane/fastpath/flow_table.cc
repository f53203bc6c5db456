#include "dataplane/fastpath/flow_table.h"

#include <sys/mman.h>

#include <algorithm>
#include <memory>
#include <new>

namespace meiguan::fastpath {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;
constexpr std::size_t kSmallPage = 4096;

constexpr std::size_t round_up(std::size_t bytes, std::size_t unit) noexcept {
  return (bytes + unit - 1) & ~(unit - 1);
}

}  // namespace

FlowTable::FlowTable(std::uint32_t capacity, const HashSeed& seed)
    : seed_{seed}, capacity_{std::max(capacity, 16U)}, bucket_count_{(capacity_ + 3) / 4} {
  const std::size_t record_bytes = round_up(std::size_t{capacity_} * sizeof(FlowRecord), 64);
  const std::size_t bucket_bytes = std::size_t{bucket_count_} * sizeof(Bucket);
  const std::size_t time_bytes = std::size_t{capacity_} * sizeof(FlowTime);
  // A page more, so that the start can be aligned.
  memory_bytes_ = round_up(record_bytes + bucket_bytes + time_bytes, kHugePage) + kHugePage;
  memory_ = mmap(nullptr, memory_bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                 0);
  if (memory_ == MAP_FAILED) throw std::bad_alloc{};
  std::size_t space = memory_bytes_;
  void* aligned = memory_;
  std::align(kHugePage, memory_bytes_ - kHugePage, aligned, space);
  auto* bytes = static_cast<std::byte*>(aligned);
  const std::size_t in_use = record_bytes + bucket_bytes + time_bytes;
  // Advice only: without huge pages all works, with more TLB misses.
  if (in_use >= kHugePage) (void)madvise(bytes, memory_bytes_ - kHugePage, MADV_HUGEPAGE);
  // Touched now, so that no packet waits for the kernel to find a page.
  for (std::size_t at = 0; at < in_use; at += kSmallPage) {
    const_cast<volatile std::byte*>(bytes)[at] = std::byte{0};
  }
  // Zeroed memory is a valid array of empty buckets; records and times begin to live in `insert`.
  records_ = reinterpret_cast<FlowRecord*>(bytes);
  buckets_ = reinterpret_cast<Bucket*>(bytes + record_bytes);
  times_ = reinterpret_cast<FlowTime*>(bytes + record_bytes + bucket_bytes);
}

FlowTable::~FlowTable() { munmap(memory_, memory_bytes_); }

FlowRecord* FlowTable::insert(const FlowKey& key, std::uint64_t hash) noexcept {
  constexpr unsigned kFull = (1U << kSlots) - 1;
  if (free_ == kNone && used_ == capacity_) return nullptr;
  Bucket& first = buckets_[home(hash)];
  Bucket* bucket = &first;
  if (first.used == kFull) {
    bucket = &buckets_[other(hash)];
    if (bucket->used == kFull) return nullptr;
    ++first.spilled;
  }
  std::uint32_t number = free_;
  if (number != kNone) {
    free_ = records_[number].route[0];
  } else {
    number = used_++;
  }
  const auto slot = static_cast<unsigned>(std::countr_one(bucket->used));
  bucket->used = static_cast<std::uint16_t>(bucket->used | 1U << slot);
  bucket->tags[slot] = tag_of(hash);
  bucket->records[slot] = number;
  auto* const record = new (&records_[number]) FlowRecord{};
  record->key = key;
  times_[number] = kNever;
  ++live_;
  return record;
}

bool FlowTable::remove_from(Bucket& bucket, std::uint32_t number) noexcept {
  for (unsigned slots = bucket.used; slots != 0; slots &= slots - 1) {
    const auto slot = static_cast<unsigned>(std::countr_zero(slots));
    if (bucket.records[slot] == number) {
      bucket.used = static_cast<std::uint16_t>(bucket.used & ~(1U << slot));
      return true;
    }
  }
  return false;
}

void FlowTable::erase(FlowRecord& record) noexcept {
  const std::uint32_t number = number_of(record);
  const std::uint64_t key_hash = hash(record.key);
  Bucket& first = buckets_[home(key_hash)];
  if (!remove_from(first, number) && remove_from(buckets_[other(key_hash)], number)) {
    --first.spilled;
  }
  record.key = FlowKey{};
  record.key.space = FlowRecord::kFree;
  record.route[0] = free_;
  free_ = number;
  times_[number] = kNever;
  --live_;
}

}  // namespace meiguan::fastpath
