#include "controlplane/syslog/event_queue.h"

#include <algorithm>
#include <iterator>
#include <utility>

namespace meiguan::syslog {

EventQueue::EventQueue(std::uint32_t per_second) : per_second_{static_cast<double>(per_second)} {
  for (auto& bucket : buckets_) bucket.tokens = per_second_;
}

void EventQueue::offer(EventKind kind, std::uint64_t packets, Instant now,
                       const std::function<Message()>& make) {
  const std::lock_guard lock{mutex_};
  auto& bucket = buckets_[static_cast<std::size_t>(kind)];
  if (bucket.filled != Instant{}) {
    const std::chrono::duration<double> passed = now - bucket.filled;
    bucket.tokens = std::min(per_second_,
                             bucket.tokens + std::max(passed.count(), 0.0) * per_second_);
  }
  bucket.filled = now;
  if (bucket.tokens < 1 || waiting_.size() >= kMost) {
    auto& count = suppressed_[static_cast<std::size_t>(kind)];
    ++count.events;
    count.packets += packets;
    return;
  }
  bucket.tokens -= 1;
  waiting_.push_back(make());
}

std::vector<Message> EventQueue::take() {
  const std::lock_guard lock{mutex_};
  std::vector<Message> messages{std::make_move_iterator(waiting_.begin()),
                                std::make_move_iterator(waiting_.end())};
  waiting_.clear();
  return messages;
}

void EventQueue::put_back(std::vector<Message> messages) {
  const std::lock_guard lock{mutex_};
  waiting_.insert(waiting_.begin(), std::make_move_iterator(messages.begin()),
                  std::make_move_iterator(messages.end()));
}

EventQueue::AllSuppressed EventQueue::take_suppressed() {
  const std::lock_guard lock{mutex_};
  return std::exchange(suppressed_, {});
}

void EventQueue::put_back(const AllSuppressed& suppressed) {
  const std::lock_guard lock{mutex_};
  for (std::size_t i = 0; i < kEventKinds; ++i) {
    suppressed_[i].events += suppressed[i].events;
    suppressed_[i].packets += suppressed[i].packets;
  }
}

}  // namespace meiguan::syslog
