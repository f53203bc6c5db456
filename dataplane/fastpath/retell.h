#pragma once

// A packet that a helper has read as its receiver has to see it: of a TCP connection with other
// sequence and acknowledgment numbers, and another text where an end was announced; of UDP with
// another message.

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/fastpath/sequence_shift.h"

namespace meiguan::fastpath {

struct Retelling {
  const SequenceShift* sender{nullptr};    // of the side that sends, or that sent what is quoted
  const SequenceShift* receiver{nullptr};  // of the other side
  bool edits{false};                       // the sender's changed text lies in this segment
  std::size_t at{0};                       // where, in the payload
  std::string_view message{};              // all of a datagram's payload, where it changes
};

// The upper layer's payload in an IP packet of TCP that parse has read; false where there is none
// to be seen.
[[nodiscard]] bool find_tcp_payload(std::span<std::uint8_t> packet, net::Family family,
                                    std::span<std::uint8_t>& payload) noexcept;

// The same of a UDP datagram that is no fragment; false also where its length is not the packet's.
[[nodiscard]] bool find_udp_payload(std::span<std::uint8_t> packet, net::Family family,
                                    std::span<std::uint8_t>& payload) noexcept;

// Whether the checksum of a TCP segment or UDP datagram that is no fragment holds.
[[nodiscard]] bool transport_checksum_holds(std::span<const std::uint8_t> packet,
                                            const PacketInfo& info) noexcept;

// Rewrites numbers and text with their checksums. `frame` and `info.ip_bytes` grow with the text:
// the frame has room for it (Frame::kTailroom). Where text changes, the segment's checksum was
// right. Of an ICMP error the quoted sequence number becomes what its sender knows.
void retell(Frame& frame, PacketInfo& info, const Retelling& retelling) noexcept;

}  // namespace meiguan::fastpath
