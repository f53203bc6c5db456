#pragma once

// Which inside address held which ports of which pool address, and from when till when (RFC 6888
// REQ-14): what somebody asks who has seen a public address and port, and a time.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "dataplane/fastpath/event.h"

namespace meiguan::report {

using WallTime = std::chrono::system_clock::time_point;

struct PortBlockHeld {
  net::Address inside;
  SpaceId space;  // of the inside address
  net::Address outside;
  std::uint16_t first_port{0};
  std::uint16_t last_port{0};
  std::optional<WallTime> taken;     // none: before anybody looked
  std::optional<WallTime> returned;  // none: held still
  std::string unit;                  // id of the inside address's; empty: not known, or none

  // Whether `address` is the inside one, or the outside one and `port`, where there is one, is in
  // the block.
  [[nodiscard]] bool concerns(const net::Address& address,
                              std::optional<std::uint16_t> port) const noexcept;
};

class PortBlockBook {
 public:
  static constexpr std::size_t kReturnedKept = 1U << 16;

  // An event of kind kBlockTaken or kBlockReturned. Blocks that are held are never forgotten: the
  // data plane has tables of fixed size for them; of those returned, the oldest are.
  void take(const fastpath::Event& event, WallTime at, std::string unit = {});

  // Those held, the latest first, then those returned, the latest first.
  [[nodiscard]] std::vector<PortBlockHeld> list() const;
  [[nodiscard]] std::uint64_t forgotten() const noexcept { return forgotten_; }
  // The data plane is another one: what was held is not any more.
  void end_all(WallTime at);

 private:
  using Place = std::pair<net::Address, std::uint16_t>;  // pool address, first port
  void end(PortBlockHeld block, WallTime at);

  std::map<Place, PortBlockHeld> held_;
  std::deque<PortBlockHeld> returned_;  // the latest first
  std::uint64_t forgotten_{0};
};

}  // namespace meiguan::report
