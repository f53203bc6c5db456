#pragma once

// What NAT changes in a packet: addresses, ports or the identifier of an ICMP query, and every
// checksum that covers them, by differences (RFC 1624), so that a wrong one stays as wrong as it
// was and nothing but these fields is read.

#include <cstdint>
#include <span>

#include "dataplane/fastpath/packet_info.h"
#include "dataplane/net/reader.h"
#include "dataplane/net/wire.h"

namespace meiguan::fastpath {

// Whether a packet of this protocol can leave with other ports than it came with. SCTP's checksum
// covers the whole packet and is no sum (RFC 9260 appendix A); what has no ports has none to
// change.
[[nodiscard]] constexpr bool can_change_ports(std::uint8_t protocol) noexcept {
  return protocol == net::protocol::kTcp || protocol == net::protocol::kUdp ||
         protocol == net::protocol::kIcmp || protocol == net::protocol::kIcmp6;
}

// Where the upper layer begins in an IP packet that parse has read before. `left` is what there is
// of the upper layer; false where this is a fragment without its beginning, or a quotation too
// short to tell.
[[nodiscard]] bool find_transport(std::span<const std::uint8_t> packet, net::Family family,
                                  net::Reader& left) noexcept;

// Gives the packet at `packet` (its IP header; `info` is what parse made of it) the addresses and
// ports of `to`. Of an ICMP error `to` is the key of the packet that it quotes, as that packet's
// sender knows it: the quotation is put back, the error goes to the quoted packet's new source, and
// where the quoted destination changes, the error's own source becomes the new one (RFC 5508 REQ-4,
// REQ-5: who reports from inside is not shown outside). Of a fragment that is not the first only
// the addresses are changed. A UDP checksum of zero stays zero, and none becomes zero (RFC 768).
void translate(std::uint8_t* packet, const PacketInfo& info, const FlowKey& to) noexcept;

// The same of an IPv4 packet that gets another identification, too.
void translate(std::uint8_t* packet, const PacketInfo& info, const FlowKey& to,
               net::Be16 identification) noexcept;

// Gives an IPv4 packet another identification (identifications.h), and its header the checksum.
void identify(std::uint8_t* packet, net::Be16 identification) noexcept;

}  // namespace meiguan::fastpath
