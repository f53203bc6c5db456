#pragma once

// What passes between the wire and the kernel of the machine that the gateway runs on, where a port
// has a TAP. Closed by default, in both directions:
//
//   to the kernel: ARP and ND for the port's own addresses, echo requests, what [[local]] offers to
//     the sender, and the answers to what the kernel itself has begun; each at a limited rate
//   from the kernel: frames with the port's own MAC and one of its own addresses, so that nothing
//     that the kernel forwards can leave past the policy
//
// Free of DPDK, clocks and I/O.

#include <cstdint>
#include <map>
#include <set>
#include <span>
#include <utility>
#include <vector>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/reader.h"
#include "dataplane/runtime/interfaces.h"
#include "dataplane/runtime/token_bucket.h"

namespace meiguan::runtime {

// The conversations that the kernel began, of a fixed number: the one that was silent for longest
// gives way.
class OwnConversations {
 public:
  static constexpr std::size_t kMost = 4096;
  static constexpr fastpath::Tick kIdleTcp = 7'440'000;  // 124 min, RFC 5382 REQ-5
  static constexpr fastpath::Tick kIdle = 300'000;

  // The kernel sends a packet, which begins a conversation where it `may_begin`; of TCP only a SYN
  // does.
  void said(const fastpath::PacketInfo& info, bool may_begin, fastpath::Tick now);
  // Whether a packet from the wire belongs to one.
  [[nodiscard]] bool expects(const fastpath::PacketInfo& info, fastpath::Tick now) const;
  [[nodiscard]] std::size_t size() const noexcept { return seen_.size(); }

 private:
  using Key = fastpath::FlowKey::Words;
  std::map<Key, fastpath::Tick> seen_;
  std::set<std::pair<fastpath::Tick, Key>> order_;
};

class Machine {
 public:
  struct Counts {
    std::uint64_t received{0};  // handed to the kernel
    std::uint64_t sent{0};      // the kernel's, that left
    std::uint64_t refused{0};   // for the gateway, but nothing that is offered to the sender
    std::uint64_t limited{0};   // more than the rate
    std::uint64_t unsent{0};    // the kernel's, not from this port's own addresses or malformed
  };

  // Whether the kernel may have a packet for the gateway that came in by `in`.
  [[nodiscard]] bool may_enter(const image::Image& image, const Interface& in,
                               const fastpath::PacketInfo& info, fastpath::Tick now);
  // Whether a frame of the kernel's, untagged, may leave by `out`.
  [[nodiscard]] bool may_leave(const image::Image& image, const Interface& out,
                               std::span<const std::uint8_t> frame, const image::Blocks& blocked,
                               fastpath::Tick now);
  [[nodiscard]] const Counts& counts() const noexcept { return counts_; }

 private:
  [[nodiscard]] bool is_offered(const image::Image& image, const Interface& in,
                                const fastpath::PacketInfo& info, fastpath::Tick now) const;

  OwnConversations conversations_;
  TokenBucket packets_{20'000, 2'000};
  TokenBucket echoes_{1'000, 200};
  Counts counts_;
};

// The frame with the tag of a sub-port, or without any.
[[nodiscard]] std::vector<std::uint8_t> tagged(std::span<const std::uint8_t> frame,
                                               std::uint16_t vlan);
[[nodiscard]] std::vector<std::uint8_t> untagged(std::span<const std::uint8_t> frame);

}  // namespace meiguan::runtime
