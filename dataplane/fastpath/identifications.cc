#include "dataplane/fastpath/identifications.h"

#include <bit>

namespace meiguan::fastpath {

Identifications::Identifications(const HashSeed& seed, std::uint32_t worker,
                                 std::uint32_t workers) noexcept
    : seed_{seed}, worker_{worker}, workers_{workers} {
  for (std::size_t i = 0; i < kCells; ++i) {
    const std::uint64_t random = fold_multiply(seed.keys[2] ^ i, seed.keys[3]);
    cells_[i] = static_cast<std::uint16_t>((random & 0xffff) % (0x10000 / workers_));
  }
}

net::Be16 Identifications::next(const net::Ipv4Bytes& source, const net::Ipv4Bytes& destination,
                                std::uint8_t protocol) noexcept {
  const std::uint64_t ends = std::uint64_t{std::bit_cast<std::uint32_t>(source)} << 32 |
                             std::bit_cast<std::uint32_t>(destination);
  const std::uint64_t hash = fold_multiply(ends ^ seed_.keys[0], protocol ^ seed_.keys[1]);
  std::uint16_t& cell = cells_[hash % kCells];
  const std::uint32_t number = cell;
  cell = static_cast<std::uint16_t>(number + 1 < 0x10000 / workers_ ? number + 1 : 0);
  return net::Be16::from_host(static_cast<std::uint16_t>(number * workers_ + worker_));
}

}  // namespace meiguan::fastpath
