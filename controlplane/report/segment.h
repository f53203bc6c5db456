#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "dataplane/base/result.h"
#include "dataplane/channel/channel.h"
#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/event.h"

namespace meiguan::report {

// Memory that another process shares with us. Unmapped on destruction.
class Mapping {
 public:
  Mapping() = default;
  // Maps `bytes` bytes of the descriptor, which stays the caller's. Errors: it is smaller.
  [[nodiscard]] static Result<Mapping> map(int descriptor, std::size_t bytes, bool writable);
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping();

  [[nodiscard]] std::byte* data() const noexcept { return data_; }

 private:
  std::byte* data_{nullptr};
  std::size_t bytes_{0};
};

// The data plane's counters and event rings as a reader sees them. Nothing of their headers is
// used before it has been checked, and what was checked is a copy.
class Segment {
 public:
  // `hello` with its descriptors. Errors: what does not fit together.
  [[nodiscard]] static Result<Segment> open(const channel::Message& hello);

  [[nodiscard]] const std::vector<fastpath::CounterBlock>& blocks() const noexcept {
    return blocks_;
  }
  [[nodiscard]] std::vector<fastpath::EventRing>& rings() noexcept { return rings_; }
  [[nodiscard]] const fastpath::CounterCapacity& capacity() const noexcept { return capacity_; }
  [[nodiscard]] std::uint64_t flow_capacity() const noexcept { return flow_capacity_; }
  // Another one for every data plane that ever was, as far as the machine's clock goes.
  [[nodiscard]] const std::string& identity() const noexcept { return identity_; }
  [[nodiscard]] const channel::HelloAnswer& hello() const noexcept { return hello_; }

 private:
  Segment() = default;
  channel::HelloAnswer hello_{};
  fastpath::CounterCapacity capacity_;
  std::uint64_t flow_capacity_{0};
  std::string identity_;
  std::vector<Mapping> mappings_;
  std::vector<fastpath::CounterBlock> blocks_;
  std::vector<fastpath::EventRing> rings_;
};

}  // namespace meiguan::report
