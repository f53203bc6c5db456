#pragma once

// The flows of one worker, IPv4 and IPv6 alike.
//
//   hash --high 32 bits--> home bucket: one cache line with ten tags (16 bits) and ten record
//   numbers
//        --mixed again---> other bucket, used only while the home bucket is full
//   record number --> FlowRecord, two cache lines
//
// A bucket counts how many of its flows live in their other bucket, so that a search that finds
// nothing ends after one line but for the rare full bucket. With 2.5 slots for each flow a home
// bucket is full for 0.8 % of the flows of a full table (Poisson, mean 4), both are for one in 15
// 000.
//
// A flow with a Translation has a second entry, for its other key, that leads to the same record.
//
// Expiry is a rotation over an array of one 4-byte time for each record, before which the flow need
// not be looked at; packets do not write it. All together 148 bytes for each flow, and 8 more where
// half of them have such an entry, taken at construction and never again.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#endif

#include "dataplane/base/huge_memory.h"
#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/prefetch.h"
#include "dataplane/fastpath/translation.h"

namespace meiguan::fastpath {

class FlowTable {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  // Takes memory for `capacity` flows (at least 16), of which `translations` may be translated;
  // throws std::bad_alloc where there is none.
  FlowTable(std::uint32_t capacity, const HashSeed& seed, std::uint32_t translations = 0);
  // What it takes for that beside the translations themselves, in bytes.
  [[nodiscard]] static constexpr std::size_t bytes_for(std::uint32_t capacity,
                                                       std::uint32_t translations) noexcept {
    return std::size_t{capacity} * (sizeof(FlowRecord) + sizeof(FlowTime)) +
           std::size_t{buckets_for(capacity, translations)} * sizeof(Bucket);
  }
  ~FlowTable();
  FlowTable(const FlowTable&) = delete;
  FlowTable& operator=(const FlowTable&) = delete;

  [[nodiscard]] std::uint64_t hash(const FlowKey& key) const noexcept {
    return flow_hash(key, seed_);
  }

  // The stages of a search, one cache line each, so that bursts can overlap them.
  void prefetch(std::uint64_t hash) const noexcept { fastpath::prefetch(&buckets_[home(hash)]); }
  // The second one gives the record that it fetches: nearly always that of the packet's flow, or
  // null where the packet most likely has none.
  [[nodiscard]] FlowRecord* prefetch_record(std::uint64_t hash) const noexcept {
    const Bucket& bucket = buckets_[home(hash)];
    const unsigned found = bucket.matches(tag_of(hash));
    if (found == 0) return nullptr;
    const auto slot = static_cast<unsigned>(std::countr_zero(found));
    FlowRecord& record = records_[bucket.records[slot]];
    fastpath::prefetch(&record);
    fastpath::prefetch(&record.sides);
    return &record;
  }
  void prefetch_translation(const FlowRecord* record) const noexcept {
    if (record != nullptr && record->translated()) {
      fastpath::prefetch(&translations_[record->translation]);
    }
  }

  // The flow that a packet belongs to, or null. `mask` holds the directions that the packet may
  // match; `direction` becomes 0 where it goes from the initiator, 1 where from the responder.
  [[nodiscard]] FlowRecord* find(const FlowKey& key, std::uint64_t hash, std::uint8_t mask,
                                 unsigned& direction) noexcept {
    return find_by<Seen::kArriving>(key, hash, mask, direction);
  }
  // The same where `prefetch_record` gave `likely`, whatever has become of that record since.
  [[nodiscard]] FlowRecord* find(FlowRecord* likely, const FlowKey& key, std::uint64_t hash,
                                 std::uint8_t mask, unsigned& direction) noexcept {
    // A record that has been given back keeps what it says of a translation.
    if (likely != nullptr && likely->live()) [[likely]] {
      const unsigned matched = (likely->translated()
                                    ? matches_translated(key, *likely, Seen::kArriving)
                                    : fastpath::matches(key, likely->key)) &
                               mask;
      if (matched != 0) [[likely]] {
        direction = (matched & match::kInitiator) != 0 ? 0 : 1;
        return likely;
      }
    }
    return find(key, hash, mask, direction);
  }
  // The same for a packet that an ICMP error quotes: as the gateway sent it.
  [[nodiscard]] FlowRecord* find_quoted(const FlowKey& key, std::uint64_t hash, std::uint8_t mask,
                                        unsigned& direction) noexcept {
    return find_by<Seen::kSent>(key, hash, mask, direction);
  }

  // A new record with this key, all else as born; null where there is no room. The flow must not
  // be there already.
  [[nodiscard]] FlowRecord* insert(const FlowKey& key, std::uint64_t hash) noexcept;
  void erase(FlowRecord& record) noexcept;

  // Gives a flow that has none a translation with this reply key; null where there is no room for
  // it. No flow may have packets with that key already.
  [[nodiscard]] Translation* translate(FlowRecord& record, const FlowKey& reply) noexcept;
  // Of a flow that has one.
  [[nodiscard]] Translation& translation(const FlowRecord& record) noexcept {
    return translations_[record.translation];
  }
  [[nodiscard]] const Translation& translation(const FlowRecord& record) const noexcept {
    return translations_[record.translation];
  }
  [[nodiscard]] TranslationTable& translations() noexcept { return translations_; }
  [[nodiscard]] const TranslationTable& translations() const noexcept { return translations_; }

  // The rotation looks at the flow at `time` or soon after, and not before.
  void look_at(const FlowRecord& record, FlowTime time) noexcept {
    times_[number_of(record)] = time == kNever ? time - 1 : time;
  }
  [[nodiscard]] FlowTime looked_at(const FlowRecord& record) const noexcept {
    return times_[number_of(record)];
  }

  // Goes on by `steps` records and calls `visit(FlowRecord&)` for those whose time has come; it
  // may erase the record, or else must give it another time. Before that `prepare(FlowRecord&)` has
  // seen all of a batch, to fetch what `visit` will need.
  template <typename Prepare, typename Visit>
  void rotate(std::uint32_t steps, FlowTime now, Prepare&& prepare, Visit&& visit) noexcept {
    if (steps > used_) steps = used_;  // once round at most: a batch must not hold a record twice
    while (steps != 0) {
      std::array<std::uint32_t, kBatch> due;
      std::uint32_t count = 0;
      for (; steps != 0 && count < kBatch; --steps) {
        if (hand_ >= used_) hand_ = 0;
        if (is_due(times_[hand_], now)) {
          fastpath::prefetch(&records_[hand_]);
          fastpath::prefetch(&records_[hand_].sides);
          due[count++] = hand_;
        }
        ++hand_;
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        if (records_[due[i]].live()) prepare(records_[due[i]]);
      }
      for (std::uint32_t i = 0; i < count; ++i) {
        if (records_[due[i]].live()) visit(records_[due[i]]);
      }
    }
  }

  [[nodiscard]] std::uint32_t number_of(const FlowRecord& record) const noexcept {
    return static_cast<std::uint32_t>(&record - records_);
  }
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
  [[nodiscard]] std::uint32_t capacity() const noexcept { return capacity_; }
  // Record numbers that have ever been in use lie below this.
  [[nodiscard]] std::uint32_t used() const noexcept { return used_; }
  [[nodiscard]] FlowRecord& record(std::uint32_t number) noexcept { return records_[number]; }
  [[nodiscard]] const FlowRecord& record(std::uint32_t number) const noexcept {
    return records_[number];
  }

 private:
  static constexpr std::size_t kSlots = 10;
  static constexpr std::uint32_t kBatch = 16;
  static constexpr FlowTime kNever = 0xffff'ffff;

  // Where a packet was seen that is looked for: on its way in, or behind the gateway.
  enum class Seen : std::uint8_t { kArriving, kSent };

  struct alignas(64) Bucket {
    std::array<std::uint16_t, kSlots> tags;
    std::uint16_t used;     // bit by slot
    std::uint16_t spilled;  // flows at home here that live in their other bucket
    std::array<std::uint32_t, kSlots> records;

    // The slots in use that have this tag, as bits.
    [[nodiscard]] unsigned matches(std::uint16_t tag) const noexcept {
#ifdef __SSE2__
      // Tags 0-7 in one register and 2-9 in the other: ten tags, two loads inside the line.
      const __m128i wanted = _mm_set1_epi16(static_cast<short>(tag));
      const auto* const first = reinterpret_cast<const __m128i*>(tags.data());
      const auto* const second = reinterpret_cast<const __m128i*>(tags.data() + 2);
      const __m128i low = _mm_cmpeq_epi16(_mm_loadu_si128(first), wanted);
      const __m128i high = _mm_cmpeq_epi16(_mm_loadu_si128(second), wanted);
      const auto bits = static_cast<unsigned>(_mm_movemask_epi8(_mm_packs_epi16(low, high)));
      return ((bits & 0xff) | (bits >> 14 << 8)) & used;
#else
      unsigned bits = 0;
      for (std::size_t i = 0; i < kSlots; ++i) bits |= static_cast<unsigned>(tags[i] == tag) << i;
      return bits & used;
#endif
    }
  };
  static_assert(sizeof(Bucket) == 64 && kSlots == 10);
  // Ten slots for every four entries.
  [[nodiscard]] static constexpr std::uint32_t buckets_for(std::uint32_t capacity,
                                                           std::uint32_t translations) noexcept {
    return static_cast<std::uint32_t>((std::uint64_t{capacity} + translations + 3) / 4);
  }

  // Due when `time` is not ahead of `now` on the circle of FlowTime.
  [[nodiscard]] static bool is_due(FlowTime time, FlowTime now) noexcept {
    return time != kNever && static_cast<std::int32_t>(now - time) >= 0;
  }
  // A multiplication maps 32 bits onto the buckets without a division.
  [[nodiscard]] std::uint32_t home(std::uint64_t hash) const noexcept {
    return static_cast<std::uint32_t>((hash >> 32) * bucket_count_ >> 32);
  }
  [[nodiscard]] std::uint32_t other(std::uint64_t hash) const noexcept {
    return home(hash * 0x9e37'79b9'7f4a'7c15);
  }
  [[nodiscard]] static std::uint16_t tag_of(std::uint64_t hash) noexcept {
    return static_cast<std::uint16_t>(hash);
  }
  template <Seen kSeen>
  [[nodiscard]] FlowRecord* find_by(const FlowKey& key, std::uint64_t hash, std::uint8_t mask,
                                    unsigned& direction) noexcept {
    const Bucket& bucket = buckets_[home(hash)];
    FlowRecord* const record = find_in<kSeen>(bucket, key, tag_of(hash), mask, direction);
    if (record != nullptr || bucket.spilled == 0) [[likely]]
      return record;
    return find_in<kSeen>(buckets_[other(hash)], key, tag_of(hash), mask, direction);
  }
  template <Seen kSeen>
  [[nodiscard]] FlowRecord* find_in(const Bucket& bucket, const FlowKey& key, std::uint16_t tag,
                                    std::uint8_t mask, unsigned& direction) noexcept {
    for (unsigned found = bucket.matches(tag); found != 0; found &= found - 1) {
      const auto slot = static_cast<unsigned>(std::countr_zero(found));
      FlowRecord& record = records_[bucket.records[slot]];
      const unsigned matched = (record.translated() ? matches_translated(key, record, kSeen)
                                                    : fastpath::matches(key, record.key)) &
                               mask;
      if (matched != 0) [[likely]] {
        direction = (matched & match::kInitiator) != 0 ? 0 : 1;
        return &record;
      }
    }
    return nullptr;
  }
  [[nodiscard]] unsigned matches_translated(const FlowKey& packet, const FlowRecord& record,
                                            Seen seen) const noexcept;
  // Puts an entry into one of the two buckets of a hash; false where both are full.
  [[nodiscard]] bool put_entry(std::uint64_t hash, std::uint32_t number) noexcept;
  void remove_entry(std::uint64_t hash, std::uint32_t number) noexcept;
  [[nodiscard]] static bool remove_from(Bucket& bucket, std::uint16_t tag,
                                        std::uint32_t number) noexcept;

  HashSeed seed_;
  std::uint32_t capacity_;
  std::uint32_t bucket_count_;
  std::uint32_t live_{0};
  std::uint32_t used_{0};      // records taken from the never used ones
  std::uint32_t free_{kNone};  // the first of the given back ones, chained by route[0]
  std::uint32_t hand_{0};
  struct alignas(64) Line {
    std::array<std::byte, 64> bytes;
  };
  Line* memory_{nullptr};
  std::size_t lines_{0};
  Bucket* buckets_{nullptr};
  FlowRecord* records_{nullptr};
  FlowTime* times_{nullptr};
  TranslationTable translations_;
};

}  // namespace meiguan::fastpath
