#include "dataplane/fastpath/flow_table.h"

#include <algorithm>
#include <memory>

namespace meiguan::fastpath {

FlowTable::FlowTable(std::uint32_t capacity, const HashSeed& seed, std::uint32_t translations)
    : seed_{seed},
      capacity_{std::max(capacity, 16U)},
      bucket_count_{buckets_for(capacity_, translations)},
      translations_{translations} {
  const std::size_t record_bytes = std::size_t{capacity_} * sizeof(FlowRecord);
  const std::size_t bucket_bytes = std::size_t{bucket_count_} * sizeof(Bucket);
  lines_ = (bytes_for(capacity_, translations) + sizeof(Line) - 1) / sizeof(Line);
  memory_ = HugeAllocator<Line>{}.allocate(lines_);
  auto* const bytes = reinterpret_cast<std::byte*>(memory_);
  // Records and times begin to live in `insert`.
  records_ = reinterpret_cast<FlowRecord*>(bytes);
  buckets_ = reinterpret_cast<Bucket*>(bytes + record_bytes);
  times_ = reinterpret_cast<FlowTime*>(bytes + record_bytes + bucket_bytes);
  std::uninitialized_value_construct_n(buckets_, bucket_count_);
}

FlowTable::~FlowTable() { HugeAllocator<Line>{}.deallocate(memory_, lines_); }

bool FlowTable::put_entry(std::uint64_t hash, std::uint32_t number) noexcept {
  constexpr unsigned kFull = (1U << kSlots) - 1;
  Bucket& first = buckets_[home(hash)];
  Bucket* bucket = &first;
  if (first.used == kFull) {
    bucket = &buckets_[other(hash)];
    if (bucket->used == kFull) return false;
    ++first.spilled;
  }
  const auto slot = static_cast<unsigned>(std::countr_one(bucket->used));
  bucket->used = static_cast<std::uint16_t>(bucket->used | 1U << slot);
  bucket->tags[slot] = tag_of(hash);
  bucket->records[slot] = number;
  return true;
}

FlowRecord* FlowTable::insert(const FlowKey& key, std::uint64_t hash) noexcept {
  std::uint32_t number = free_;
  if (number == kNone) {
    if (used_ == capacity_) return nullptr;
    number = used_;
  }
  if (!put_entry(hash, number)) return nullptr;
  if (number == used_) {
    ++used_;
  } else {
    free_ = records_[number].route[0];
  }
  auto* const record = new (&records_[number]) FlowRecord{};
  record->key = key;
  times_[number] = kNever;
  ++live_;
  return record;
}

Translation* FlowTable::translate(FlowRecord& record, const FlowKey& reply) noexcept {
  const std::uint64_t key_hash = hash(record.key);
  const std::uint64_t reply_hash = hash(reply);
  // Equal hashes: the one entry serves both, as without a translation.
  if (key_hash != reply_hash) {
    // Two entries that could be taken for each other when one of them is removed. One flow in some
    // hundred million meets this.
    const bool alike = tag_of(key_hash) == tag_of(reply_hash);
    const bool meet = home(key_hash) == home(reply_hash) || home(key_hash) == other(reply_hash) ||
                      other(key_hash) == home(reply_hash) || other(key_hash) == other(reply_hash);
    if (alike && meet) return nullptr;
  }
  const std::uint32_t number = translations_.take();
  if (number == TranslationTable::kNone) return nullptr;
  if (key_hash != reply_hash && !put_entry(reply_hash, number_of(record))) {
    translations_.give_back(number);
    return nullptr;
  }
  record.translation = number;
  translations_[number].reply = reply;
  return &translations_[number];
}

// A packet of the initiator comes in as `key` and was sent as `reply` turned round; one of the
// responder comes in as `reply` and was sent as `key` turned round.
unsigned FlowTable::matches_translated(const FlowKey& packet, const FlowRecord& record,
                                       Seen seen) const noexcept {
  const FlowKey& reply = translations_[record.translation].reply;
  if (seen == Seen::kArriving) {
    return (equal(packet, record.key) ? match::kInitiator : 0U) |
           (equal(packet, reply) ? match::kResponder : 0U);
  }
  const FlowKey back = turned(packet);
  return (equal(back, reply) ? match::kInitiator : 0U) |
         (equal(back, record.key) ? match::kResponder : 0U);
}

bool FlowTable::remove_from(Bucket& bucket, std::uint16_t tag, std::uint32_t number) noexcept {
  for (unsigned slots = bucket.matches(tag); slots != 0; slots &= slots - 1) {
    const auto slot = static_cast<unsigned>(std::countr_zero(slots));
    if (bucket.records[slot] == number) {
      bucket.used = static_cast<std::uint16_t>(bucket.used & ~(1U << slot));
      return true;
    }
  }
  return false;
}

void FlowTable::remove_entry(std::uint64_t hash, std::uint32_t number) noexcept {
  Bucket& first = buckets_[home(hash)];
  if (!remove_from(first, tag_of(hash), number) &&
      remove_from(buckets_[other(hash)], tag_of(hash), number)) {
    --first.spilled;
  }
}

void FlowTable::erase(FlowRecord& record) noexcept {
  const std::uint32_t number = number_of(record);
  const std::uint64_t key_hash = hash(record.key);
  remove_entry(key_hash, number);
  if (record.translated()) {
    const std::uint64_t reply_hash = hash(translations_[record.translation].reply);
    if (reply_hash != key_hash) remove_entry(reply_hash, number);
    translations_.give_back(record.translation);
    record.translation = FlowRecord::kNoTranslation;
  }
  record.key = FlowKey{};
  record.key.space = FlowRecord::kFree;
  record.route[0] = free_;
  free_ = number;
  times_[number] = kNever;
  --live_;
}

}  // namespace meiguan::fastpath
