#pragma once

// From bytes to PacketInfo. Judges in full whether a frame is well-formed; what it lets by can be
// trusted by all later stages. Checksums of transport headers are not verified: routers forward
// such packets (RFC 1812 section 5.2), only neighbour discovery is for the gateway itself.

#include <cstdint>
#include <span>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

// Never reads past the frame. A frame longer than its IP packet is padded, which is legal; one
// that is shorter is cut (kIpTruncated). `info` must be new.
void parse(std::span<const std::uint8_t> frame, PacketInfo& info) noexcept;

// The parts of it, each in a file of its own. They return why the packet is malformed, or kAllowed.
// `reader` holds the upper layer and nothing else; `info.protocol` says which it is.
[[nodiscard]] Reason parse_transport(net::Reader reader, PacketInfo& info) noexcept;
// `options` holds what stands between a TCP header and its data; `info` has the flags.
[[nodiscard]] Reason parse_tcp_options(net::Reader options, PacketInfo& info) noexcept;
[[nodiscard]] Reason parse_icmp(net::Reader reader, PacketInfo& info) noexcept;
[[nodiscard]] Reason parse_icmp6(net::Reader reader, PacketInfo& info) noexcept;
// A message of types 133 to 137 (RFC 4861); `reader` holds it from its type on.
[[nodiscard]] Reason parse_neighbour_discovery(net::Reader reader, PacketInfo& info) noexcept;

// Walks the extension headers that may stand in `reader`, from a header of type `next` on. On
// return `next` is the upper layer's protocol and `reader` holds the upper layer.
struct Extensions {
  bool fragment{false};  // and not an atomic one (RFC 6946)
  bool atomic{false};
  bool first_fragment{false};
};
[[nodiscard]] Reason walk_extensions(net::Reader& reader, std::uint8_t& next,
                                     Extensions& found) noexcept;

// The packet that an ICMP error quotes goes into `info.key`, its own addresses into the fields for
// that; `reader` holds the quotation.
[[nodiscard]] Reason parse_quoted_ipv4(net::Reader reader, PacketInfo& info) noexcept;
[[nodiscard]] Reason parse_quoted_ipv6(net::Reader reader, PacketInfo& info) noexcept;

}  // namespace meiguan::fastpath
