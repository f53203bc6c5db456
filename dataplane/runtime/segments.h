#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/event.h"
#include "dataplane/runtime/descriptor.h"
#include "dataplane/runtime/failure.h"
#include "dataplane/runtime/shared_memory.h"

namespace meiguan::runtime {

// Memory shared with the control plane: the counters and, for each worker, an event ring. It is
// the data plane's own, so that a control plane that comes and goes loses nothing that was counted.
class Segments {
 public:
  // A block for each of `workers` and one for the main thread; `ring_events` is a power of two.
  [[nodiscard]] static Outcome<Segments> create(std::uint32_t workers,
                                                const fastpath::CounterCapacity& capacity,
                                                std::uint32_t flow_capacity,
                                                std::uint64_t ring_events);
  Segments(Segments&&) noexcept = default;
  Segments& operator=(Segments&&) noexcept = default;

  [[nodiscard]] std::uint32_t workers() const noexcept {
    return static_cast<std::uint32_t>(rings_.size());
  }
  [[nodiscard]] const fastpath::CounterCapacity& capacity() const noexcept { return capacity_; }
  // `index` is a worker's number, or workers() for the main thread.
  [[nodiscard]] fastpath::CounterBlock block(std::uint32_t index) const noexcept;
  [[nodiscard]] fastpath::EventRing& ring(std::uint32_t worker) noexcept { return rings_[worker]; }

  [[nodiscard]] std::uint64_t segment_bytes() const noexcept { return counters_.bytes(); }
  [[nodiscard]] std::uint64_t ring_events() const noexcept { return ring_events_; }
  [[nodiscard]] std::uint64_t ring_bytes() const noexcept;
  // The counter segment, which cannot be written through this descriptor, then the rings.
  [[nodiscard]] std::vector<int> descriptors() const;

 private:
  Segments() = default;

  fastpath::CounterCapacity capacity_;
  std::uint64_t ring_events_{0};
  SharedMemory counters_;
  Descriptor readable_;
  std::vector<SharedMemory> ring_memory_;
  std::vector<fastpath::EventRing> rings_;
};

}  // namespace meiguan::runtime
