#pragma once

// Where the gateway has changed the length of what one side of a TCP connection sent, and what that
// does to its sequence numbers: in front of the newest change they are shifted by one number, from
// behind it on by another. `at` and what is measured from it are the sender's own numbers.
//
//   sender     ----------------|  was  |----------------
//                               at
//   receiver   ---- + before ---|   is   |---- + before + is - was

#include <array>
#include <cstdint>
#include <span>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/tcp_state.h"

namespace meiguan::fastpath {

struct SequenceShift {
  std::uint32_t before{0};
  std::uint32_t at{0};
  std::uint16_t was{0};
  std::uint16_t is{0};
  bool changed{false};
  std::array<char, 64> text{};  // that stands there now

  [[nodiscard]] std::uint32_t after() const noexcept {
    return before + static_cast<std::uint32_t>(is) - was;
  }
  // A sequence number as the receiver has to see it.
  [[nodiscard]] std::uint32_t forth(std::uint32_t number) const noexcept {
    if (!changed) return number;
    return number + (tcp::not_before(at, number) ? before : after());
  }
  // A number of the receiver's view as the sender knows it. What lies inside the changed text
  // belongs to its beginning: it is not acknowledged before all of it is.
  [[nodiscard]] std::uint32_t back(std::uint32_t number) const noexcept {
    if (!changed) return number;
    const std::uint32_t start = at + before;
    if (tcp::not_before(start, number)) return number - before;
    return tcp::not_before(number, start + is) ? number - after() : at;
  }
};

}  // namespace meiguan::fastpath
