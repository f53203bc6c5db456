// What a roll-up hands out: whole minutes, what came late for them, and the latest ten seconds.

#include <algorithm>
#include <limits>
#include <utility>

#include "controlplane/report/rollup_names.h"

namespace meiguan::report {
namespace {

constexpr std::int64_t kMinuteSeconds = 60;
constexpr std::int64_t kSlotSeconds = 10;
constexpr std::size_t kSlotsKept = 60;

std::int64_t per_second(std::int64_t n) { return (n + kSlotSeconds - 1) / kSlotSeconds; }

}  // namespace

store::Row Rollup::row_of(const Id& id, const store::Sums& sums) const {
  using enum store::Dimension;
  const auto& text = names_->text;
  store::Row row;
  row.key[kNode] = options_.node;
  row.key[kUnit] = text[id.names[0]];
  row.key[kPeer] = text[id.names[1]];
  row.key[kService] = text[id.names[2]];
  row.key[kFromZone] = text[id.names[3]];
  row.key[kToZone] = text[id.names[4]];
  row.key[kRule] = text[id.names[5]];
  const auto* const reason = fastpath::find_reason(static_cast<fastpath::Reason>(id.reason));
  row.key[kReason] = reason != nullptr ? std::string{reason->name}
                                       : "reason-" + std::to_string(id.reason);
  row.key[kFamily] = id.family == 4 ? "ipv4" : id.family == 6 ? "ipv6" : "";
  row.key[kDirection] = id.direction == 1 ? "request" : id.direction == 2 ? "reply" : "";
  row.sums = sums;
  return row;
}

store::Batch Rollup::batch_of(std::int64_t number, const Minute& from) const {
  std::unordered_map<Id, store::Sums, IdHash> rows;
  store::Batch batch;
  batch.node = options_.node;
  batch.minute = number * kMinuteSeconds;
  batch.watch = from.watch;
  for (const Slot& slot : from.slots) {
    batch.watch.folded += slot.folded;
    for (const auto& [id, sums] : slot.rows) {
      store::Sums with_peaks = sums;
      with_peaks.peak_packets = per_second(std::max<std::int64_t>(sums.packets, 0));
      with_peaks.peak_bytes = per_second(std::max<std::int64_t>(sums.bytes, 0));
      rows[id].add(with_peaks);
    }
  }
  for (const auto& [id, sums] : rows) batch.rows.push_back(row_of(id, sums));
  std::ranges::sort(batch.rows, {}, &store::Row::key);
  for (std::size_t i = 0; i < names_->rules.size(); ++i) {
    const auto found = from.hits.find(names_->rules[i]);
    if (found == from.hits.end()) continue;
    batch.hits.push_back({names_->text[names_->rules[i]], found->second[0], found->second[1]});
  }
  batch.rules = names_->list_fingerprint;
  batch.list = names_->list;
  return batch;
}

std::vector<store::Batch> Rollup::take_over(WallMs now) {
  std::vector<store::Batch> batches;
  const std::int64_t seconds = now / 1000;
  for (auto at = minutes_.begin(); at != minutes_.end();) {
    const std::int64_t begin = at->first * kMinuteSeconds;
    const bool over = begin + kMinuteSeconds + options_.open_seconds <= seconds;
    // The clock went back: what it said before would stay open until it comes there again.
    const bool ahead = begin > seconds + kMinuteSeconds;
    if (!over && !ahead) {
      ++at;
      continue;
    }
    batches.push_back(batch_of(at->first, at->second));
    for (std::size_t i = 0; i < at->second.slots.size(); ++i) {
      if (at->second.slots[i].rows.empty()) continue;
      Minute one;
      one.slots[i] = std::move(at->second.slots[i]);
      auto slot = batch_of(at->first, one);
      slot.minute += static_cast<std::int64_t>(i) * kSlotSeconds;
      slot.hits.clear();
      closed_slots_.push_back(std::move(slot));
      if (closed_slots_.size() > kSlotsKept) closed_slots_.pop_front();
    }
    if (over) closed_until_ = std::max(closed_until_, at->first + 1);
    at = minutes_.erase(at);
  }
  // Where it went back by far, minutes that were handed out are open again.
  closed_until_ = std::min(closed_until_, seconds / kMinuteSeconds + 1);
  return batches;
}

std::vector<store::Batch> Rollup::take_all() {
  return take_over(std::numeric_limits<WallMs>::max() / 2);
}

std::vector<store::Batch> Rollup::open_minutes() const {
  std::vector<store::Batch> batches;
  for (const auto& [number, minute] : minutes_) batches.push_back(batch_of(number, minute));
  return batches;
}

std::vector<store::Batch> Rollup::ten_seconds(WallMs since) const {
  std::vector<store::Batch> batches;
  for (const auto& slot : closed_slots_) {
    if (slot.minute * 1000 >= since) batches.push_back(slot);
  }
  for (const auto& [number, minute] : minutes_) {
    for (std::size_t i = 0; i < minute.slots.size(); ++i) {
      Minute one;
      one.slots[i] = minute.slots[i];
      auto slot = batch_of(number, one);
      slot.minute += static_cast<std::int64_t>(i) * kSlotSeconds;
      slot.hits.clear();
      if (!slot.rows.empty() && slot.minute * 1000 >= since) batches.push_back(std::move(slot));
    }
  }
  return batches;
}

}  // namespace meiguan::report
