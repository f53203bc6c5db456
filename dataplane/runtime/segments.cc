#include "dataplane/runtime/segments.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
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

Segments::Shared::Shared(Shared&& other) noexcept
    : descriptor{std::move(other.descriptor)},
      memory{std::exchange(other.memory, nullptr)},
      bytes{other.bytes} {}

Segments::Shared& Segments::Shared::operator=(Shared&& other) noexcept {
  std::swap(descriptor, other.descriptor);
  std::swap(memory, other.memory);
  std::swap(bytes, other.bytes);
  return *this;
}

Segments::Shared::~Shared() {
  if (memory != nullptr) ::munmap(memory, bytes);
}

Outcome<Segments::Shared> Segments::share(const char* name, std::size_t bytes) {
  Shared shared;
  shared.bytes = bytes;
  shared.descriptor = Descriptor{::memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING)};
  if (shared.descriptor && ::ftruncate(shared.descriptor.get(), static_cast<off_t>(bytes)) == 0 &&
      // The size is fixed, so that a control plane cannot pull the pages from under a worker.
      ::fcntl(shared.descriptor.get(), F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) ==
          0) {
    void* p = ::mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, shared.descriptor.get(),
                     0);
    if (p != MAP_FAILED) {
      shared.memory = static_cast<std::byte*>(p);
      return shared;
    }
  }
  const char* why = std::strerror(errno);
  return environment(
      fmt::format("no {} bytes of shared memory for {}: {}; give the machine more memory", bytes,
                  name, why),
      fmt::format("无法取得 {} 字节共享内存（{}）：{}；请增加内存", bytes, name, why));
}

Outcome<Segments> Segments::create(std::uint32_t workers, const fastpath::CounterCapacity& capacity,
                                   std::uint32_t flow_capacity, std::uint64_t ring_events) {
  Segments segments;
  segments.capacity_ = capacity;
  segments.ring_events_ = ring_events;
  const std::size_t block = aligned_block_bytes(capacity);
  auto counters = share("meiguan-counters", kFirstBlock + block * (workers + 1));
  if (!counters) return std::unexpected{counters.error()};
  segments.counters_ = std::move(*counters);

  auto* header = ::new (segments.counters_.memory) fastpath::SegmentHeader{};
  header->blocks = workers + 1;
  header->ports = capacity.ports;
  header->units = capacity.units;
  header->services = capacity.services;
  header->rules = capacity.rules;
  header->flow_capacity = flow_capacity;
  header->block_bytes = block;
  header->first_block = kFirstBlock;
  header->magic = fastpath::SegmentHeader::kMagic;
  const std::string path = fmt::format("/proc/self/fd/{}", segments.counters_.descriptor.get());
  segments.readable_ = Descriptor{::open(path.c_str(), O_RDONLY | O_CLOEXEC)};

  const std::size_t ring_bytes = fastpath::EventRing::ring_bytes(ring_events);
  for (std::uint32_t i = 0; i < workers; ++i) {
    auto ring = share("meiguan-events", ring_bytes);
    if (!ring) return std::unexpected{ring.error()};
    segments.rings_.emplace_back(ring->memory, ring_events, true);
    segments.ring_memory_.push_back(std::move(*ring));
  }
  return segments;
}

fastpath::CounterBlock Segments::block(std::uint32_t index) const noexcept {
  return {counters_.memory + kFirstBlock + index * aligned_block_bytes(capacity_), capacity_};
}

std::uint64_t Segments::ring_bytes() const noexcept {
  return fastpath::EventRing::ring_bytes(ring_events_);
}

std::vector<int> Segments::descriptors() const {
  std::vector<int> result;
  result.push_back(readable_ ? readable_.get() : counters_.descriptor.get());
  for (const Shared& ring : ring_memory_) result.push_back(ring.descriptor.get());
  return result;
}

}  // namespace meiguan::runtime
