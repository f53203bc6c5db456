#include "controlplane/report/collector.h"

#include <algorithm>
#include <array>
#include <utility>

namespace meiguan::report {
namespace {

constexpr std::chrono::milliseconds kDrainEvery{10};
constexpr std::chrono::milliseconds kSampleEvery{1000};
constexpr std::size_t kReadingsKept = 3;  // rates are over the two seconds before the latest
constexpr std::size_t kGroupsKept = 4096;
constexpr std::size_t kEventsKept = 1024;
constexpr std::size_t kEventsAtOnce = 256;
constexpr std::size_t kRoundsAtOnce = 64;  // the lock is let go after so many

void keep(std::deque<SeenEvent>& events, const fastpath::Event& event, WallTime at) {
  events.push_front({event, at});
  if (events.size() > kEventsKept) events.pop_back();
}

}  // namespace

Collector::Collector(CollectorSink* sink, PortBlockLog* log)
    : sink_{sink}, block_log_{log}, thread_{[this] { run(); }} {}

Collector::~Collector() {
  {
    const std::lock_guard lock{mutex_};
    stopping_ = true;
  }
  wake_.notify_all();
  thread_.join();
  const std::lock_guard lock{mutex_};
  sample_locked();
}

void Collector::run() {
  auto next_sample = std::chrono::steady_clock::now();
  std::unique_lock lock{mutex_};
  while (!stopping_) {
    lock.unlock();
    drain();
    if (const auto now = std::chrono::steady_clock::now(); now >= next_sample) {
      sample();
      next_sample = now + kSampleEvery;
    }
    lock.lock();
    wake_.wait_for(lock, kDrainEvery, [this] { return stopping_; });
  }
}

void Collector::attach(Segment segment) {
  const std::lock_guard lock{mutex_};
  end_reading();
  segment_.emplace(std::move(segment));
  history_.clear();
  groups_.clear();
  denials_.clear();
  flow_ends_.clear();
  attacks_.clear();
  const auto now = std::chrono::system_clock::now();
  port_blocks_.end_all(now);
  if (block_log_ != nullptr) block_log_->attached(segment_->identity(), now);
  forgotten_ = 0;
  if (sink_ != nullptr) sink_->attached(add_up(*segment_, extent_));
}

void Collector::detach() {
  const std::lock_guard lock{mutex_};
  end_reading();
  segment_.reset();
}

void Collector::set_extent(const Extent& extent) {
  const std::lock_guard lock{mutex_};
  extent_ = extent;
}

void Collector::drain() {
  const std::lock_guard lock{mutex_};
  drain_locked();
}

// What a data plane left behind when it ended is in its memory as long as we have it.
void Collector::end_reading() {
  if (!segment_) return;
  drain_locked();
  sample_locked();
  if (sink_ != nullptr) sink_->detached();
}

void Collector::drain_locked() {
  if (!segment_) return;
  const auto now = std::chrono::system_clock::now();
  std::array<fastpath::Event, kEventsAtOnce> events;
  std::size_t number = 0;
  for (auto& ring : segment_->rings()) {
    for (std::size_t round = 0; round < kRoundsAtOnce; ++round) {
      const std::size_t n = ring.pop(events);
      for (std::size_t i = 0; i < n; ++i) {
        take(events[i], now);
        if (sink_ != nullptr) sink_->heard(events[i], number, now);
      }
      if (n < events.size()) break;
    }
    ++number;
  }
}

void Collector::take(const fastpath::Event& event, WallTime at) {
  if (event.kind == fastpath::EventKind::kFlowEnd) {
    keep(flow_ends_, event, at);
    return;
  }
  if (event.kind == fastpath::EventKind::kAttack) {
    attacks_.take(event, at);
    return;
  }
  if (event.kind == fastpath::EventKind::kBlockTaken ||
      event.kind == fastpath::EventKind::kBlockReturned) {
    port_blocks_.take(event, at);
    if (block_log_ != nullptr) block_log_->take(event, at);
    return;
  }
  if (event.kind != fastpath::EventKind::kDenial) return;
  keep(denials_, event, at);
  // A unit's denials are one sender's; those of no unit are told apart by address.
  const GroupKey key{event.unit.value(), event.unit.is_some() ? net::Address{} : event.source,
                     event.reason, event.rule.value()};
  auto found = groups_.find(key);
  if (found == groups_.end()) {
    if (groups_.size() >= kGroupsKept) {
      // A scan with changing addresses: the oldest go, and it is said how many.
      const auto oldest = std::ranges::min_element(groups_, {}, [](const auto& entry) {
        return entry.second.last;
      });
      groups_.erase(oldest);
      ++forgotten_;
    }
    found = groups_.emplace(key, DenialGroup{}).first;
  }
  DenialGroup& group = found->second;
  group.reason = event.reason;
  group.rule = event.rule;
  group.unit = event.unit;
  group.source = event.source;
  group.destination = event.destination;
  group.protocol = event.protocol;
  group.destination_port = event.destination_port;
  group.to_unit = event.to_unit;
  group.service = event.service;
  group.packets += std::max<std::uint64_t>(event.packets, 1);
  group.last = at;
}

void Collector::sample() {
  const std::lock_guard lock{mutex_};
  sample_locked();
}

void Collector::sample_locked() {
  if (!segment_) return;
  // First the events, then the counters: what was told of is counted by then.
  drain_locked();
  if (block_log_ != nullptr) block_log_->flush();
  const auto now = std::chrono::steady_clock::now();
  const auto last = history_.empty() ? now : history_.back().at;
  history_.push_back({add_up(*segment_, extent_), now});
  if (sink_ != nullptr) {
    sink_->counted(history_.back().sums, std::chrono::system_clock::now(),
                   std::chrono::round<std::chrono::milliseconds>(now - last));
  }
  while (history_.size() > kReadingsKept) history_.pop_front();
}

Readings Collector::readings() const {
  const std::lock_guard lock{mutex_};
  Readings result;
  if (history_.empty()) return result;
  result.now = history_.back().sums;
  result.before = history_.front().sums;
  result.seconds = std::chrono::duration<double>(history_.back().at - history_.front().at).count();
  return result;
}

std::vector<DenialGroup> Collector::denials() const {
  const std::lock_guard lock{mutex_};
  std::vector<DenialGroup> result;
  for (const auto& [key, group] : groups_) result.push_back(group);
  std::ranges::stable_sort(result, std::ranges::greater{}, &DenialGroup::last);
  return result;
}

std::vector<SeenEvent> Collector::recent_denials() const {
  const std::lock_guard lock{mutex_};
  return {denials_.begin(), denials_.end()};
}

std::vector<SeenEvent> Collector::recent_flow_ends() const {
  const std::lock_guard lock{mutex_};
  return {flow_ends_.begin(), flow_ends_.end()};
}

std::vector<Attack> Collector::attacks() const {
  const std::lock_guard lock{mutex_};
  return attacks_.list();
}

std::uint64_t Collector::forgotten_attacks() const {
  const std::lock_guard lock{mutex_};
  return attacks_.forgotten();
}

std::vector<PortBlockHeld> Collector::port_blocks() const {
  const std::lock_guard lock{mutex_};
  return port_blocks_.list();
}

std::uint64_t Collector::forgotten_port_blocks() const {
  const std::lock_guard lock{mutex_};
  return port_blocks_.forgotten();
}

std::uint64_t Collector::forgotten_groups() const {
  const std::lock_guard lock{mutex_};
  return forgotten_;
}

}  // namespace meiguan::report
