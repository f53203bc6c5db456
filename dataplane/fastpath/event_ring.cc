#include "dataplane/fastpath/event.h"

#include <algorithm>
#include <new>

namespace meiguan::fastpath {

std::size_t EventRing::ring_bytes(std::uint64_t capacity) noexcept {
  return sizeof(EventRingHeader) + capacity * sizeof(Event);
}

EventRing::EventRing(std::byte* memory, std::uint64_t capacity, bool initialise) noexcept
    : mask_{capacity - 1} {
  if (initialise) {
    header_ = new (memory) EventRingHeader{};
    header_->capacity = capacity;
  } else {
    header_ = reinterpret_cast<EventRingHeader*>(memory);
  }
  events_ = reinterpret_cast<Event*>(memory + sizeof(EventRingHeader));
}

bool EventRing::push(const Event& event) noexcept {
  if (header_ == nullptr) return false;
  const std::uint64_t written = header_->written.load(std::memory_order_relaxed);
  // Acquire: the consumer has copied the slot out before it moved `read` past it.
  if (written - header_->read.load(std::memory_order_acquire) > mask_) return false;
  events_[written & mask_] = event;
  // Release: the event is whole before it can be seen.
  header_->written.store(written + 1, std::memory_order_release);
  return true;
}

std::size_t EventRing::pop(std::span<Event> out) noexcept {
  if (header_ == nullptr) return 0;
  const std::uint64_t read = header_->read.load(std::memory_order_relaxed);
  const std::uint64_t waiting = header_->written.load(std::memory_order_acquire) - read;
  if (header_->capacity != mask_ + 1 || waiting > mask_ + 1) return 0;
  const std::size_t count = std::min<std::size_t>(waiting, out.size());
  for (std::size_t i = 0; i < count; ++i) out[i] = events_[(read + i) & mask_];
  header_->read.store(read + count, std::memory_order_release);
  return count;
}

}  // namespace meiguan::fastpath
