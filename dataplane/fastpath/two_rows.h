#pragma once

// Numbers kept by address, in memory of a fixed size, for any number of addresses.
//
// Every address has one cell in each of two rows, chosen by two halves of a keyed hash, and shares
// each with others. Both are written, and the smaller of the two is believed (a count-min sketch:
// Cormode and Muthukrishnan, 2005). So nothing is ever pushed out, nothing has to be aged or
// searched, and no sender can fill the table: n addresses that are made up add n / cells to each
// cell, which is small, as there are not more flows than a few for each cell; and to share both
// cells with one busy address is a chance of one in cells squared, which nobody who does not know
// the seed can aim at. The error is on one side only: a number is never too small.

#include <array>
#include <cstddef>
#include <cstdint>

#include "dataplane/base/huge_memory.h"
#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/prefetch.h"

namespace meiguan::fastpath {

// The cells of one address.
using Places = std::array<std::uint32_t, 2>;

template <typename Cell>
class TwoRows {
 public:
  // Takes memory for twice `cells` (a power of two).
  TwoRows(std::size_t cells, const HashSeed& seed)
      : seed_{seed}, mask_{static_cast<std::uint32_t>(cells - 1)}, cells_(2 * cells) {}

  [[nodiscard]] Places places(const net::Address& address, std::uint16_t space) const noexcept {
    std::array<std::uint64_t, 2> words;
    std::memcpy(words.data(), address.bytes().data(), sizeof words);
    std::uint64_t hash = fold_multiply(words[0] ^ seed_.keys[0], words[1] ^ seed_.keys[1]);
    hash = fold_multiply(hash ^ seed_.keys[2], space ^ seed_.keys[3]);
    return {static_cast<std::uint32_t>(hash) & mask_,
            (static_cast<std::uint32_t>(hash >> 32) & mask_) + mask_ + 1};
  }
  void prefetch(const Places& places) const noexcept {
    fastpath::prefetch(&cells_[places[0]]);
    fastpath::prefetch(&cells_[places[1]]);
  }
  [[nodiscard]] Cell& operator[](std::uint32_t place) noexcept { return cells_[place]; }
  [[nodiscard]] const Cell& operator[](std::uint32_t place) const noexcept { return cells_[place]; }
  [[nodiscard]] std::size_t size() const noexcept { return cells_.size(); }

 private:
  HashSeed seed_;
  std::uint32_t mask_;
  HugeVector<Cell> cells_;
};

}  // namespace meiguan::fastpath
