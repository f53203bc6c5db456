#pragma once

// Who answers for a next hop: (port, address) -> MAC. One writer (the main thread), any number of
// readers (workers), no locks: an entry's MAC and state are one 64-bit word.

#include <atomic>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// Index of an entry, with the entry's epoch so that a stale index is noticed: epoch << 24 | index.
using NeighbourRef = std::uint32_t;
inline constexpr NeighbourRef kNoNeighbour = 0xffff'ffff;

class NeighbourTable {
 public:
  // `capacity` is rounded up to a power of two, at most 2^20; memory is taken here and only here.
  explicit NeighbourTable(std::uint32_t capacity);
  ~NeighbourTable();
  NeighbourTable(const NeighbourTable&) = delete;
  NeighbourTable& operator=(const NeighbourTable&) = delete;

  // Readers. `prefetch` fetches what a later `find` will look at; `find` yields kNoNeighbour for an
  // unknown next hop.
  void prefetch(PortId port, const net::Address& address) const noexcept;
  [[nodiscard]] NeighbourRef find(PortId port, const net::Address& address) const noexcept;
  // The MAC, or nothing where the entry is unresolved, or now stands for another next hop.
  [[nodiscard]] std::optional<net::MacAddress> mac(NeighbourRef ref) const noexcept;

  // The writer. `set` creates or updates; false when the table is full. `forget` frees the entry
  // and moves its epoch on.
  bool set(PortId port, const net::Address& address, const net::MacAddress& mac) noexcept;
  void forget(PortId port, const net::Address& address) noexcept;
  [[nodiscard]] std::uint32_t size() const noexcept;

 private:
  struct Impl;
  Impl* impl_;
};

}  // namespace meiguan::fastpath
