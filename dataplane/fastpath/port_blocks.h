#pragma once

// Who holds which ports of the pool addresses. Ports are given out in blocks, so that one event for
// a block tells whose packets left with any of its ports (RFC 6888 REQ-14):
//
//   inside address --hash--> its blocks, at one pool address (paired pooling, RFC 4787 REQ-2)
//   pool address   --hash--> which of its 1024 units of 64 ports are taken
//   block                    a bit for each of its ports, apart for TCP, UDP and ICMP identifiers
//
// With several workers the ports of one pool address are shared out by port >> 9, so that whoever
// sees a packet knows its owner without asking (`owner_of_port`). Fixed memory, one worker's own.

#include <array>
#include <bit>
#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "dataplane/base/huge_memory.h"
#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

inline constexpr std::uint16_t kLeastBlockPorts = 64;
inline constexpr std::uint16_t kMostBlockPorts = 512;

// The worker whose blocks hold a port of a pool address.
[[nodiscard]] constexpr std::uint32_t owner_of_port(std::uint16_t port,
                                                    std::uint32_t workers) noexcept {
  return (port / kMostBlockPorts) % workers;
}

// What ports are given out for; each has all ports of a block to itself.
enum class PortKind : std::uint8_t { kTcp, kUdp, kIcmp };
inline constexpr std::size_t kPortKinds = 3;

struct PortBlock {
  static constexpr std::uint32_t kNone = 0xffff'ffff;
  static constexpr std::size_t kWords = kMostBlockPorts / 64;

  net::Address inside;
  net::Address outside;
  std::uint16_t space{0};  // of the inside address
  std::uint16_t first_port{0};
  std::uint16_t ports{0};
  std::uint16_t reserved{0};
  std::uint32_t next{kNone};     // of the same inside hash
  std::uint32_t address{kNone};  // number of the pool address
  std::array<std::uint16_t, kPortKinds> used{};
  std::array<std::array<std::uint64_t, kWords>, kPortKinds> taken{};

  [[nodiscard]] bool empty() const noexcept { return used[0] + used[1] + used[2] == 0; }
};

// How ports are shared out (of an [[egress]]).
struct BlockShape {
  std::uint16_t block_ports{kMostBlockPorts};  // a power of two, kLeastBlockPorts..kMostBlockPorts
  std::uint16_t blocks_per_address{8};
  std::uint16_t first_port{1024};
  std::uint16_t last_port{65535};
  bool operator==(const BlockShape&) const noexcept = default;
};

struct PortBlockOptions {
  std::uint32_t blocks{1U << 14};
  std::uint32_t addresses{1U << 12};
  std::uint32_t worker{0};
  std::uint32_t workers{1};
};

class PortBlocks {
 public:
  static constexpr std::uint32_t kNone = PortBlock::kNone;

  PortBlocks(const PortBlockOptions& options, const HashSeed& seed);

  // The first block of an inside address, then the others by PortBlock::next (which also leads to
  // those of other addresses: `is_of` tells). kNone: there is none.
  [[nodiscard]] std::uint32_t first_of(const net::Address& inside,
                                       std::uint16_t space) const noexcept;
  [[nodiscard]] std::uint32_t next_of(std::uint32_t number) const noexcept;

  // A new block for an inside address at a pool address, on the low side (below port 1024) or above
  // it; kNone where the address has none to give, or the tables are full.
  [[nodiscard]] std::uint32_t take(const net::Address& inside, std::uint16_t space,
                                   const net::Address& outside, const BlockShape& shape,
                                   bool low) noexcept;
  void give_back(std::uint32_t number) noexcept;

  // A free port of a block; with `parity` one that is odd where `wanted` is (RFC 4787 REQ-4).
  // Which one cannot be foreseen (RFC 6056). Nothing: there is none.
  [[nodiscard]] std::optional<std::uint16_t> take_port(std::uint32_t number, PortKind kind,
                                                       std::uint16_t wanted, bool parity) noexcept;
  void give_port(std::uint32_t number, PortKind kind, std::uint16_t port) noexcept;

  [[nodiscard]] const PortBlock& operator[](std::uint32_t number) const noexcept {
    return blocks_[number];
  }
  [[nodiscard]] std::uint32_t live() const noexcept { return live_; }
  // Grows with every block given back: what was exhausted may not be any more.
  [[nodiscard]] std::uint64_t returns() const noexcept { return returns_; }
  // The tables have room for one more block.
  [[nodiscard]] bool has_room() const noexcept {
    return (free_ != kNone || used_ < blocks_.size()) &&
           (free_address_ != kNone || used_addresses_ < addresses_.size());
  }
  // Which of `count` pool addresses an inside address tries first: the same on every worker.
  [[nodiscard]] static std::uint64_t choose(const net::Address& inside, std::uint16_t space,
                                            std::uint64_t count) noexcept;

 private:
  static constexpr std::uint32_t kUnit = 64;
  static constexpr std::uint32_t kUnits = 65536 / kUnit;

  struct PoolAddress {
    net::Address address;
    std::uint32_t next{kNone};
    std::uint32_t blocks{0};
    std::array<std::uint64_t, kUnits / 64> taken{};
  };

  [[nodiscard]] std::uint64_t random() noexcept;
  [[nodiscard]] std::uint32_t slot_of(const net::Address& address, std::uint16_t space,
                                      std::size_t slots) const noexcept;
  [[nodiscard]] std::uint32_t find_address(const net::Address& outside) const noexcept;
  [[nodiscard]] std::uint32_t add_address(const net::Address& outside) noexcept;
  void drop_address(std::uint32_t number) noexcept;
  [[nodiscard]] std::optional<std::uint32_t> free_unit(const PoolAddress* at,
                                                       const BlockShape& shape, bool low) noexcept;

  PortBlockOptions options_;
  HashSeed seed_;
  std::uint64_t state_;
  std::uint64_t returns_{0};
  std::uint32_t live_{0};
  std::uint32_t used_{0};
  std::uint32_t free_{kNone};
  std::uint32_t used_addresses_{0};
  std::uint32_t free_address_{kNone};
  HugeVector<PortBlock> blocks_;
  HugeVector<PoolAddress> addresses_;
  std::vector<std::uint32_t> by_inside_;   // heads, a power of two
  std::vector<std::uint32_t> by_outside_;  // heads, a power of two
};

}  // namespace meiguan::fastpath
