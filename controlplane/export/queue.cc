#include "controlplane/export/queue.h"

#include <algorithm>
#include <utility>

namespace meiguan::exporting {

RecordQueue::RecordQueue(std::size_t capacity) : ring_(std::max<std::size_t>(capacity, 1)) {}

void RecordQueue::push(const Record& record) {
  bool first = false;
  {
    const std::lock_guard lock{mutex_};
    if (count_ == ring_.size()) {
      const Record& oldest = ring_[first_];
      ++dropped_.records;
      dropped_.packets += oldest.more[0] + oldest.more[2];
      dropped_.bytes += oldest.more[1] + oldest.more[3];
      if (dropped_.first_ms == 0) dropped_.first_ms = oldest.at_ms;
      dropped_.last_ms = oldest.at_ms;
      first_ = (first_ + 1) % ring_.size();
      --count_;
    }
    ring_[(first_ + count_) % ring_.size()] = record;
    first = count_++ == 0;
  }
  if (first) filled_.notify_one();
}

std::vector<Record> RecordQueue::take(std::size_t most,
                                      std::chrono::steady_clock::time_point until) {
  std::unique_lock lock{mutex_};
  filled_.wait_until(lock, until, [this] { return count_ > 0 || awake_; });
  std::vector<Record> taken;
  taken.reserve(std::min(most, count_));
  while (count_ > 0 && taken.size() < most) {
    // Moved out, so that no names are kept alive by an empty place.
    taken.push_back(std::exchange(ring_[first_], Record{}));
    first_ = (first_ + 1) % ring_.size();
    --count_;
  }
  return taken;
}

void RecordQueue::wake() {
  {
    const std::lock_guard lock{mutex_};
    awake_ = true;
  }
  filled_.notify_all();
}

std::size_t RecordQueue::size() const {
  const std::lock_guard lock{mutex_};
  return count_;
}

NotSent RecordQueue::dropped() const {
  const std::lock_guard lock{mutex_};
  return dropped_;
}

}  // namespace meiguan::exporting
