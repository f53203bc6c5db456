#pragma once

// Which protocols and ports the first packet of a flow can have at all.

#include <cstdint>
#include <optional>

#include "dataplane/net/address.h"

namespace meiguan::analysis {

// Keys as in a port map of the image: protocol << 16 | value.
inline constexpr std::uint32_t kKeyEnd = std::uint32_t{1} << 24;

// A key of [first, end) with which a packet of that family may be the first of a flow, the best
// known to people if there are several; nothing where there is none. Left out are what the gateway
// drops before the rules whatever they say: port 0, ICMP that is no request, ICMP of the other
// family, and of IPv6 what is an extension header and no protocol.
[[nodiscard]] std::optional<std::uint32_t> first_packet_key(net::Family family, std::uint32_t first,
                                                            std::uint32_t end) noexcept;

[[nodiscard]] bool is_first_packet_key(net::Family family, std::uint32_t key) noexcept;

}  // namespace meiguan::analysis
