#include "dataplane/runtime/segments.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <new>
#include <utility>

namespace meiguan::runtime {
namespace {

constexpr std::size_t kFirstBlock = 4096;
static_assert(sizeof(fastpath::SegmentHeader) <= kFirstBlock);

std::size_t aligned_block_bytes(const fastpath::CounterCapacity& capacity) noexcept {
  return (fastpath::CounterBlock::block_bytes(capacity) + 4095) / 4096 * 4096;
}

}  // namespace

Outcome<Segments> Segments::create(std::uint32_t workers, const fastpath::CounterCapacity& capacity,
                                   std::uint32_t flow_capacity, std::uint64_t ring_events) {
  Segments segments;
  segments.capacity_ = capacity;
  segments.ring_events_ = ring_events;
  const std::size_t block = aligned_block_bytes(capacity);
  auto counters = SharedMemory::make("meiguan-counters", kFirstBlock + block * (workers + 1));
  if (!counters) return std::unexpected{counters.error()};
  segments.counters_ = std::move(*counters);

  auto* header = ::new (segments.counters_.data()) fastpath::SegmentHeader{};
  header->blocks = workers + 1;
  header->ports = capacity.ports;
  header->units = capacity.units;
  header->services = capacity.services;
  header->rules = capacity.rules;
  header->flow_capacity = flow_capacity;
  header->block_bytes = block;
  header->first_block = kFirstBlock;
  header->magic = fastpath::SegmentHeader::kMagic;
  const std::string path = fmt::format("/proc/self/fd/{}", segments.counters_.descriptor());
  segments.readable_ = Descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};

  const std::size_t ring_bytes = fastpath::EventRing::ring_bytes(ring_events);
  for (std::uint32_t i = 0; i < workers; ++i) {
    auto ring = SharedMemory::make("meiguan-events", ring_bytes);
    if (!ring) return std::unexpected{ring.error()};
    segments.rings_.emplace_back(ring->data(), ring_events, true);
    segments.ring_memory_.push_back(std::move(*ring));
  }
  return segments;
}

fastpath::CounterBlock Segments::block(std::uint32_t index) const noexcept {
  return {counters_.data() + kFirstBlock + index * aligned_block_bytes(capacity_), capacity_};
}

std::uint64_t Segments::ring_bytes() const noexcept {
  return fastpath::EventRing::ring_bytes(ring_events_);
}

std::vector<int> Segments::descriptors() const {
  std::vector<int> result;
  result.push_back(readable_ ? readable_.get() : counters_.descriptor());
  for (const SharedMemory& ring : ring_memory_) result.push_back(ring.descriptor());
  return result;
}

}  // namespace meiguan::runtime
