#pragma once

// The expressions of nftables that our tables are made of. A register is one of sixteen slots of 4
// bytes, 0 to 15; values longer than that go on into the next ones.

#include <cstdint>
#include <string>

#include "controlplane/host/nft_table.h"

namespace meiguan::host {

using Slot = std::uint32_t;

enum class Header : std::uint8_t { kLink, kNetwork, kTransport };

[[nodiscard]] NftExpression load_meta(std::uint32_t key, Slot to);  // NFT_META_…
[[nodiscard]] NftExpression load_bytes(Header header, std::uint32_t offset, std::uint32_t bytes,
                                       Slot to);
[[nodiscard]] NftExpression compare(std::uint32_t operation, Slot slot, Bytes with);  // NFT_CMP_…
[[nodiscard]] NftExpression is(Slot slot, Bytes value);
[[nodiscard]] NftExpression in_range(Slot slot, Bytes first, Bytes last);
[[nodiscard]] NftExpression mask(Slot slot, const Bytes& with);  // in place
// Goes on where the set has the key; or, where `has` is false, where it does not.
[[nodiscard]] NftExpression look_up(const std::string& set, Slot key, bool has = true);
[[nodiscard]] NftExpression map(const std::string& set, Slot key, Slot to);
[[nodiscard]] NftExpression go_by(const std::string& set, Slot key);           // a map to verdicts
[[nodiscard]] NftExpression has_extension_header(std::uint8_t type, Slot to);  // of IPv6: 1 or 0
[[nodiscard]] NftExpression load_tracked(std::uint32_t key,
                                         Slot to);  // NFT_CT_… of the packet's flow
// ... as the flow's first packet had it.
[[nodiscard]] NftExpression load_original(std::uint32_t key, Slot to);
[[nodiscard]] NftExpression set_mark(Slot from);  // of the flow
[[nodiscard]] NftExpression put(Slot to, Bytes value);
[[nodiscard]] NftExpression set_meta(std::uint32_t key, Slot from);  // NFT_META_MARK and so on
[[nodiscard]] NftExpression count();
[[nodiscard]] NftExpression drop();
[[nodiscard]] NftExpression accept();
[[nodiscard]] NftExpression go_to(const std::string& chain);

[[nodiscard]] Bytes bytes_of(std::uint32_t host_order);  // as the kernel keeps its own numbers
[[nodiscard]] Bytes wire16(std::uint16_t host_order);
[[nodiscard]] Bytes interface_name(const std::string& name);  // 16 bytes

}  // namespace meiguan::host
