#pragma once

// IPv4 identifications of what leaves translated. Behind one public address stand several hosts
// that number their datagrams each for itself; what the receiver puts fragments together by must be
// unique among all of them (RFC 6864 section 5.3.1). Atomic datagrams, which are not and may not be
// fragmented, need none and keep theirs.
//
// A cell for each pair of ends, by a hash, counts up from where nobody can foresee (RFC 7739). Of
// several workers each has the numbers that are its own modulo their number.

#include <array>
#include <cstdint>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

class Identifications {
 public:
  // `worker` is below `workers`.
  Identifications(const HashSeed& seed, std::uint32_t worker, std::uint32_t workers) noexcept;

  // The next one for a datagram with these addresses and this protocol. The same one comes again
  // after 65536 others at the soonest, divided by the number of workers.
  [[nodiscard]] net::Be16 next(const net::Ipv4Bytes& source, const net::Ipv4Bytes& destination,
                               std::uint8_t protocol) noexcept;

 private:
  static constexpr std::size_t kCells = 1024;

  HashSeed seed_;
  std::uint32_t worker_;
  std::uint32_t workers_;
  std::array<std::uint16_t, kCells> cells_{};
};

}  // namespace meiguan::fastpath
