#include "controlplane/report/flow_progress.h"

#include <xxhash.h>

#include <algorithm>
#include <cstring>

namespace meiguan::report {
namespace {

// A live flow tells once a minute. One that was silent for so long has ended and its end was lost.
constexpr std::uint64_t kSilentMs = 3'600'000;
constexpr std::uint64_t kPruneEveryMs = 60'000;

}  // namespace

void FlowProgress::attach(bool running) {
  running_ = running;
  any_ = {};
  pruned_ = 0;
  told_.clear();
}

FlowProgress::Key FlowProgress::key_of(const fastpath::Event& event, std::size_t ring) {
  // What tells one flow from another, and from a later one with the same addresses.
  struct {
    net::Address source;
    net::Address destination;
    std::uint64_t start;
    std::uint64_t ring;
    std::uint16_t source_port;
    std::uint16_t destination_port;
    std::uint16_t space;
    std::uint16_t protocol;
  } const fields{event.source,
                 event.destination,
                 event.start,
                 ring,
                 event.source_port,
                 event.destination_port,
                 static_cast<std::uint16_t>(event.space.value()),
                 event.protocol};
  static_assert(sizeof fields == 56, "no padding: it would be hashed");
  const auto hash = XXH3_128bits(&fields, sizeof fields);
  return {{hash.low64, hash.high64}};
}

void FlowProgress::see(const fastpath::Event& event, std::size_t ring) {
  const std::size_t i = ring % any_.size();
  if (any_[i]) return;
  any_[i] = true;
  first_[i] = event.time;
}

void FlowProgress::prune(std::uint64_t now) {
  if (now < pruned_ + kPruneEveryMs) return;
  pruned_ = now;
  std::erase_if(told_, [&](const auto& entry) { return entry.second.at + kSilentMs < now; });
}

FlowDelta FlowProgress::take(const fastpath::Event& event, std::size_t ring) {
  const FlowTotals now{event.packets, event.bytes, event.reply_packets, event.reply_bytes};
  const bool ends = event.kind == fastpath::EventKind::kFlowEnd;
  const Key key = key_of(event, ring);
  const auto found = told_.find(key);
  if (found == told_.end()) {
    const std::size_t i = ring % any_.size();
    // Starts are rounded down to 16 ms.
    const bool of_before = running_ && any_[i] && event.start + 16 <= first_[i];
    if (!ends) {
      if (told_.size() >= capacity_) prune(event.time);
      if (told_.size() >= capacity_) {
        ++unfollowed_;
        return {};  // all of it is told when it ends
      }
      told_.emplace(key, Told{now, event.time});
    }
    if (of_before) return {};
    return {now, event.time >= event.start ? event.time - event.start : 0};
  }
  FlowDelta delta;
  Told& told = found->second;
  for (std::size_t i = 0; i < now.size(); ++i) {
    delta.more[i] = now[i] - std::min(now[i], told.totals[i]);
  }
  delta.over_ms = event.time >= told.at ? event.time - told.at : 0;
  if (ends) {
    told_.erase(found);
  } else {
    told = {now, event.time};
  }
  return delta;
}

}  // namespace meiguan::report
