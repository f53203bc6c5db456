#include "controlplane/host/nft_expressions.h"

#include <libnftnl/expr.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>

namespace meiguan::host {
namespace {

// Every fourth slot has an old name of its own, by which the kernel tells of it.
std::uint32_t number_of(Slot slot) {
  return slot % 4 == 0 ? NFT_REG_1 + slot / 4 : NFT_REG32_00 + slot;
}

NftExpression verdict(std::uint32_t code, const std::string& chain = {}) {
  NftExpression result{"immediate",
                       {{NFTNL_EXPR_IMM_DREG, std::uint32_t{NFT_REG_VERDICT}},
                        {NFTNL_EXPR_IMM_VERDICT, code}}};
  if (!chain.empty()) result.attributes.emplace_back(NFTNL_EXPR_IMM_CHAIN, chain);
  return result;
}

}  // namespace

NftExpression load_meta(std::uint32_t key, Slot to) {
  return {"meta", {{NFTNL_EXPR_META_KEY, key}, {NFTNL_EXPR_META_DREG, number_of(to)}}};
}

NftExpression load_bytes(Header header, std::uint32_t offset, std::uint32_t bytes, Slot to) {
  return {"payload",
          {{NFTNL_EXPR_PAYLOAD_DREG, number_of(to)},
           {NFTNL_EXPR_PAYLOAD_BASE, std::uint32_t{static_cast<std::uint8_t>(header)}},
           {NFTNL_EXPR_PAYLOAD_OFFSET, offset},
           {NFTNL_EXPR_PAYLOAD_LEN, bytes}}};
}

NftExpression compare(std::uint32_t operation, Slot slot, Bytes with) {
  return {"cmp",
          {{NFTNL_EXPR_CMP_SREG, number_of(slot)},
           {NFTNL_EXPR_CMP_OP, operation},
           {NFTNL_EXPR_CMP_DATA, std::move(with)}}};
}

NftExpression is(Slot slot, Bytes value) { return compare(NFT_CMP_EQ, slot, std::move(value)); }

NftExpression in_range(Slot slot, Bytes first, Bytes last) {
  return {"range",
          {{NFTNL_EXPR_RANGE_SREG, number_of(slot)},
           {NFTNL_EXPR_RANGE_OP, std::uint32_t{NFT_RANGE_EQ}},
           {NFTNL_EXPR_RANGE_FROM_DATA, std::move(first)},
           {NFTNL_EXPR_RANGE_TO_DATA, std::move(last)}}};
}

NftExpression mask(Slot slot, const Bytes& with) {
  return {"bitwise",
          {{NFTNL_EXPR_BITWISE_SREG, number_of(slot)},
           {NFTNL_EXPR_BITWISE_DREG, number_of(slot)},
           {NFTNL_EXPR_BITWISE_LEN, static_cast<std::uint32_t>(with.size())},
           {NFTNL_EXPR_BITWISE_MASK, with},
           {NFTNL_EXPR_BITWISE_XOR, Bytes(with.size(), 0)}}};
}

NftExpression look_up(const std::string& set, Slot key, bool has) {
  return {"lookup",
          {{NFTNL_EXPR_LOOKUP_SREG, number_of(key)},
           {NFTNL_EXPR_LOOKUP_SET, set},
           {NFTNL_EXPR_LOOKUP_FLAGS, has ? 0 : std::uint32_t{NFT_LOOKUP_F_INV}}}};
}

NftExpression map(const std::string& set, Slot key, Slot to) {
  auto result = look_up(set, key);
  result.attributes.emplace_back(NFTNL_EXPR_LOOKUP_DREG, number_of(to));
  return result;
}

NftExpression go_by(const std::string& set, Slot key) {
  auto result = look_up(set, key);
  result.attributes.emplace_back(NFTNL_EXPR_LOOKUP_DREG, std::uint32_t{NFT_REG_VERDICT});
  return result;
}

NftExpression has_extension_header(std::uint8_t type, Slot to) {
  return {"exthdr",
          {{NFTNL_EXPR_EXTHDR_DREG, number_of(to)},
           {NFTNL_EXPR_EXTHDR_TYPE, type},
           {NFTNL_EXPR_EXTHDR_OFFSET, std::uint32_t{0}},
           {NFTNL_EXPR_EXTHDR_LEN, std::uint32_t{1}},
           {NFTNL_EXPR_EXTHDR_OP, std::uint32_t{NFT_EXTHDR_OP_IPV6}},
           {NFTNL_EXPR_EXTHDR_FLAGS, std::uint32_t{NFT_EXTHDR_F_PRESENT}}}};
}

NftExpression load_tracked(std::uint32_t key, Slot to) {
  return {"ct", {{NFTNL_EXPR_CT_KEY, key}, {NFTNL_EXPR_CT_DREG, number_of(to)}}};
}

NftExpression load_original(std::uint32_t key, Slot to) {
  auto result = load_tracked(key, to);
  result.attributes.emplace_back(NFTNL_EXPR_CT_DIR, std::uint8_t{0});
  return result;
}

NftExpression set_mark(Slot from) {
  return {"ct",
          {{NFTNL_EXPR_CT_KEY, std::uint32_t{NFT_CT_MARK}}, {NFTNL_EXPR_CT_SREG, number_of(from)}}};
}

NftExpression put(Slot to, Bytes value) {
  return {"immediate",
          {{NFTNL_EXPR_IMM_DREG, number_of(to)}, {NFTNL_EXPR_IMM_DATA, std::move(value)}}};
}

NftExpression set_meta(std::uint32_t key, Slot from) {
  return {"meta", {{NFTNL_EXPR_META_KEY, key}, {NFTNL_EXPR_META_SREG, number_of(from)}}};
}

NftExpression count() { return {"counter", {}}; }
NftExpression drop() { return verdict(NF_DROP); }
NftExpression accept() { return verdict(NF_ACCEPT); }
NftExpression go_to(const std::string& chain) {
  return verdict(static_cast<std::uint32_t>(NFT_GOTO), chain);
}

Bytes bytes_of(std::uint32_t host_order) {
  Bytes result(4);
  std::memcpy(result.data(), &host_order, 4);
  return result;
}

Bytes wire16(std::uint16_t host_order) {
  return {static_cast<std::uint8_t>(host_order >> 8), static_cast<std::uint8_t>(host_order)};
}

Bytes interface_name(const std::string& name) {
  Bytes result(16, 0);
  std::copy_n(name.begin(), std::min<std::size_t>(name.size(), 15), result.begin());
  return result;
}

}  // namespace meiguan::host
