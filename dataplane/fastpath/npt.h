#pragma once

// IPv6-to-IPv6 network prefix translation (RFC 6296), in both directions.

#include <optional>

#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// `address`, which lies in `from`/`length`, with the prefix `to` (length at most 64) and one other
// 16-bit word changed so that no checksum over the address changes (section 3.1): bits 48 to 63
// where the prefix leaves them free, else the first word of the interface identifier that is not
// 0xffff (section 3.5). Nothing where no word can be changed: such an address is not translated.
[[nodiscard]] std::optional<net::Address> translate_prefix(const net::Address& address,
                                                           const net::Address& from,
                                                           const net::Address& to,
                                                           std::uint8_t length) noexcept;

}  // namespace meiguan::fastpath
