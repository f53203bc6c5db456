#pragma once

// The mappings of one worker: which address and port of a pool an inside address and port has, the
// same towards every remote end (endpoint-independent, RFC 4787 REQ-1), and never the same for two
// (no overloading, REQ-3). Found from both sides; counted by the flows that use them. A mapping
// that no flow uses any more keeps its port for a while: its owner gets the same one again, and
// nobody else does (RFC 6888 REQ-8).

#include <cstdint>

#include "dataplane/base/huge_memory.h"
#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/port_blocks.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

struct alignas(64) Mapping {
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  net::Address inside;
  net::Address outside;
  std::uint16_t inside_port{0};
  std::uint16_t outside_port{0};
  std::uint16_t space{0};  // of the inside address; the outside one is of the shared space
  PortKind kind{};
  std::uint8_t marks{0};  // kWaits, kAgain, kRetired
  std::uint32_t flows{0};
  std::uint32_t block{0};
  std::uint32_t next_inside{kNone};
  std::uint32_t next_outside{kNone};
  std::uint32_t newest{kNone};  // the first of the translations that use it
  FlowTime unused_since{0};

  static constexpr std::uint8_t kWaits = 1;    // stands in the queue of those without flows
  static constexpr std::uint8_t kAgain = 2;    // and was used since it came to stand there
  static constexpr std::uint8_t kRetired = 4;  // its pool is not in force: no new flow gets it
};
static_assert(sizeof(Mapping) == 64);

class MappingTable {
 public:
  static constexpr std::uint32_t kNone = Mapping::kNone;

  MappingTable(std::uint32_t capacity, const HashSeed& seed);

  [[nodiscard]] std::uint32_t find_inside(const net::Address& inside, std::uint16_t port,
                                          std::uint16_t space, PortKind kind) const noexcept;
  [[nodiscard]] std::uint32_t find_outside(const net::Address& outside, std::uint16_t port,
                                           PortKind kind) const noexcept;

  // A new mapping with these ends, used by no flow; kNone where there is no room.
  [[nodiscard]] std::uint32_t add(const Mapping& ends, FlowTime now) noexcept;
  // From now on no new flow finds it from inside.
  void retire(std::uint32_t number) noexcept;
  void use(std::uint32_t number) noexcept { ++mappings_[number].flows; }
  void unuse(std::uint32_t number, FlowTime now) noexcept;

  // Takes out at most `most` mappings that no flow has used for `rest`, and calls
  // `forget(const Mapping&)` for each.
  template <typename Forget>
  void expire(FlowTime now, FlowTime rest, std::uint32_t most, Forget&& forget) noexcept {
    for (; most != 0 && waiting_ != 0; --most) {
      const std::uint32_t number = queue_[queue_head_];
      Mapping& mapping = mappings_[number];
      const bool recent = static_cast<FlowTime>(now - mapping.unused_since) < rest;
      if (mapping.flows == 0 && recent && (mapping.marks & Mapping::kAgain) == 0) return;
      pop();
      if (mapping.flows != 0) continue;
      if (recent) {
        // Used since it came to stand here: to the end of the queue.
        push(number, mapping.unused_since);
        continue;
      }
      forget(const_cast<const Mapping&>(mapping));
      remove(number);
    }
  }

  [[nodiscard]] Mapping& operator[](std::uint32_t number) noexcept { return mappings_[number]; }
  [[nodiscard]] const Mapping& operator[](std::uint32_t number) const noexcept {
    return mappings_[number];
  }
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
  [[nodiscard]] bool full() const noexcept { return live_ == capacity_; }

 private:
  [[nodiscard]] std::uint32_t slot(const net::Address& address, std::uint16_t port,
                                   std::uint16_t space, PortKind kind) const noexcept;
  void push(std::uint32_t number, FlowTime now) noexcept;
  void pop() noexcept;
  void remove(std::uint32_t number) noexcept;

  HashSeed seed_;
  std::uint32_t capacity_;
  std::uint32_t live_{0};
  std::uint32_t used_{0};
  std::uint32_t free_{kNone};  // chained by next_inside
  std::uint32_t mask_;
  std::uint32_t queue_head_{0};  // those without flows, the oldest first
  std::uint32_t waiting_{0};
  HugeVector<Mapping> mappings_;
  HugeVector<std::uint32_t> by_inside_;
  HugeVector<std::uint32_t> by_outside_;
  HugeVector<std::uint32_t> queue_;
};

}  // namespace meiguan::fastpath
