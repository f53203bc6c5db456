// The options of a TCP segment (RFC 9293 section 3.1). A stack must be ready for an illegal length
// and may reset the connection (MUST-7); here the segment is dropped. Options that nobody knows
// have a length and pass, as do known ones where they say nothing (MSS or window scale without
// SYN), and whatever stands behind the end of the list.

#include <algorithm>

#include "dataplane/fastpath/flow_record.h"
#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/tcp_state.h"

namespace meiguan::fastpath {
namespace {

namespace kind {
constexpr std::uint8_t kEnd = 0;
constexpr std::uint8_t kNothing = 1;
constexpr std::uint8_t kSegmentSize = 2;
constexpr std::uint8_t kWindowScale = 3;
constexpr std::uint8_t kSackPermitted = 4;
constexpr std::uint8_t kSack = 5;
constexpr std::uint8_t kTimestamps = 8;
}  // namespace kind

struct SackBlock {
  net::Be32 left;
  net::Be32 right;
};
static_assert(sizeof(SackBlock) == 8);

// RFC 9293 section 3.2, RFC 7323 sections 2.2 and 3.2, RFC 2018 sections 2 and 3.
bool is_length_legal(std::uint8_t option, std::size_t body) noexcept {
  switch (option) {
    case kind::kSegmentSize: return body == 2;
    case kind::kWindowScale: return body == 1;
    case kind::kSackPermitted: return body == 0;
    case kind::kSack: return body % sizeof(SackBlock) == 0 && body >= sizeof(SackBlock);
    case kind::kTimestamps: return body == 8;
    default: return true;
  }
}

bool read_sack(net::Reader body, PacketInfo& info) noexcept {
  SackBlock block;
  while (body.read(block)) {
    const std::uint32_t left = block.left.host();
    const std::uint32_t right = block.right.host();
    if (left == right || tcp::not_before(left, right)) return false;
    if (!info.tcp_sacks || tcp::not_before(right, info.tcp_sack_end)) info.tcp_sack_end = right;
    info.tcp_sacks = true;
  }
  return true;
}

}  // namespace

Reason parse_tcp_options(net::Reader options, PacketInfo& info) noexcept {
  const bool syn = (info.tcp_flags & net::TcpHeader::kSyn) != 0;
  std::uint8_t option;
  while (options.read(option)) {
    if (option == kind::kEnd) break;
    if (option == kind::kNothing) continue;
    std::uint8_t length;
    net::Reader body{{}};
    if (!options.read(length) || length < 2 || !options.split(length - 2U, body) ||
        !is_length_legal(option, body.left())) {
      return Reason::kTcpOption;
    }
    if (option == kind::kWindowScale && syn) {
      std::uint8_t shift;
      if (body.peek(shift)) {
        info.tcp_scale = std::min(shift, static_cast<std::uint8_t>(FlowSide::kMostShift));
      }
    } else if (option == kind::kSack && !read_sack(body, info)) {
      return Reason::kTcpOption;
    }
  }
  return Reason::kAllowed;
}

}  // namespace meiguan::fastpath
