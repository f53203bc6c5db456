#include "controlplane/host/nft_objects.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <libnftnl/udata.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <array>
#include <string_view>
#include <type_traits>

namespace meiguan::host {
namespace {

constexpr std::uint32_t kVerdictType = 0xffff'ff00;  // NFT_DATA_VERDICT
constexpr std::uint32_t kMarkType = 19;              // a number of 4 bytes, as `nft` prints it
constexpr std::uint32_t kHostEndian = 1;             // `nft`'s note of the order of a key's bytes

nftnl_expr* make_expression(const NftExpression& wanted) {
  nftnl_expr* const expression = nftnl_expr_alloc(wanted.name.c_str());
  for (const auto& [type, value] : wanted.attributes) {
    std::visit(
        [&, type = type](const auto& one) {
          using T = std::decay_t<decltype(one)>;
          if constexpr (std::is_same_v<T, std::uint8_t>) {
            nftnl_expr_set_u8(expression, type, one);
          } else if constexpr (std::is_same_v<T, std::uint32_t>) {
            nftnl_expr_set_u32(expression, type, one);
          } else if constexpr (std::is_same_v<T, std::string>) {
            nftnl_expr_set_str(expression, type, one.c_str());
          } else {
            nftnl_expr_set(expression, type, one.data(), static_cast<std::uint32_t>(one.size()));
          }
        },
        value);
  }
  return expression;
}

std::string hex(const void* data, std::uint32_t length) {
  std::string text;
  for (std::uint32_t i = 0; data != nullptr && i < length; ++i) {
    text += fmt::format("{:02x}", static_cast<const std::uint8_t*>(data)[i]);
  }
  return text;
}

}  // namespace

ChainObject make_chain(const std::string& table, const NftChain& wanted) {
  ChainObject chain{nftnl_chain_alloc()};
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_FAMILY, NFPROTO_INET);
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TABLE, table.c_str());
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_NAME, wanted.name.c_str());
  if (!wanted.hook) return chain;
  nftnl_chain_set_str(chain.get(), NFTNL_CHAIN_TYPE, "filter");
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_HOOKNUM, wanted.hook->number);
  nftnl_chain_set_s32(chain.get(), NFTNL_CHAIN_PRIO, wanted.hook->priority);
  nftnl_chain_set_u32(chain.get(), NFTNL_CHAIN_POLICY, wanted.hook->drops ? NF_DROP : NF_ACCEPT);
  if (!wanted.hook->devices.empty()) {
    std::vector<const char*> names;
    for (const auto& device : wanted.hook->devices) names.push_back(device.c_str());
    names.push_back(nullptr);
    nftnl_chain_set_array(chain.get(), NFTNL_CHAIN_DEVICES, names.data());
  }
  return chain;
}

RuleObject make_rule(const std::string& table, const NftRule& wanted) {
  RuleObject rule{nftnl_rule_alloc()};
  nftnl_rule_set_u32(rule.get(), NFTNL_RULE_FAMILY, NFPROTO_INET);
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_TABLE, table.c_str());
  nftnl_rule_set_str(rule.get(), NFTNL_RULE_CHAIN, wanted.chain.c_str());
  for (const auto& one : wanted.expressions) nftnl_rule_add_expr(rule.get(), make_expression(one));
  return rule;
}

SetObject name_set(const std::string& table, const std::string& name, std::uint32_t id) {
  SetObject set{nftnl_set_alloc()};
  nftnl_set_set_u32(set.get(), NFTNL_SET_FAMILY, NFPROTO_INET);
  nftnl_set_set_str(set.get(), NFTNL_SET_TABLE, table.c_str());
  nftnl_set_set_str(set.get(), NFTNL_SET_NAME, name.c_str());
  nftnl_set_set_u32(set.get(), NFTNL_SET_ID, id);
  return set;
}

SetObject make_set(const std::string& table, const NftSet& wanted, std::uint32_t id) {
  auto set = name_set(table, wanted.name, id);
  const bool is_map = wanted.verdicts || wanted.data_bytes > 0;
  std::uint32_t flags = 0;
  if (wanted.intervals) flags |= NFT_SET_INTERVAL;
  if (is_map) flags |= NFT_SET_MAP;
  if (wanted.fields.size() > 1) {
    flags |= NFT_SET_CONCAT;
    nftnl_set_set_data(set.get(), NFTNL_SET_DESC_CONCAT, wanted.fields.data(),
                       static_cast<std::uint32_t>(wanted.fields.size()));
  }
  nftnl_set_set_u32(set.get(), NFTNL_SET_FLAGS, flags);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_TYPE, wanted.key_type);
  nftnl_set_set_u32(set.get(), NFTNL_SET_KEY_LEN, wanted.key_bytes);
  if (wanted.own_order || wanted.data_bytes > 0) {
    const std::unique_ptr<nftnl_udata_buf, FreeBy<nftnl_udata_buf_free>> notes{
        nftnl_udata_buf_alloc(NFT_USERDATA_MAXLEN)};
    if (wanted.own_order) {
      nftnl_udata_put_u32(notes.get(), NFTNL_UDATA_SET_KEYBYTEORDER, kHostEndian);
    }
    if (wanted.data_bytes > 0) {
      nftnl_udata_put_u32(notes.get(), NFTNL_UDATA_SET_DATABYTEORDER, kHostEndian);
    }
    nftnl_set_set_data(set.get(), NFTNL_SET_USERDATA, nftnl_udata_buf_data(notes.get()),
                       nftnl_udata_buf_len(notes.get()));
  }
  if (is_map) {
    nftnl_set_set_u32(set.get(), NFTNL_SET_DATA_TYPE, wanted.verdicts ? kVerdictType : kMarkType);
    nftnl_set_set_u32(set.get(), NFTNL_SET_DATA_LEN,
                      wanted.verdicts ? std::uint32_t{16} : wanted.data_bytes);
  }
  return set;
}

void add_element(nftnl_set& set, const NftSet& kind, const NftElement& wanted) {
  nftnl_set_elem* const element = nftnl_set_elem_alloc();
  const auto give = [element](std::uint16_t type, const Bytes& bytes) {
    nftnl_set_elem_set(element, type, bytes.data(), static_cast<std::uint32_t>(bytes.size()));
  };
  give(NFTNL_SET_ELEM_KEY, wanted.key);
  if (!wanted.end.empty()) give(NFTNL_SET_ELEM_KEY_END, wanted.end);
  if (wanted.closes) {
    nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_FLAGS, NFT_SET_ELEM_INTERVAL_END);
  } else if (kind.verdicts) {
    nftnl_set_elem_set_u32(element, NFTNL_SET_ELEM_VERDICT, static_cast<std::uint32_t>(NFT_GOTO));
    nftnl_set_elem_set_str(element, NFTNL_SET_ELEM_CHAIN, wanted.go_to.c_str());
  } else if (kind.data_bytes > 0) {
    give(NFTNL_SET_ELEM_DATA, wanted.data);
  }
  nftnl_set_elem_add(&set, element);
}

std::string line_of(const nftnl_chain& chain) {
  std::string text = fmt::format("chain {}", nftnl_chain_get_str(&chain, NFTNL_CHAIN_NAME));
  if (!nftnl_chain_is_set(&chain, NFTNL_CHAIN_HOOKNUM)) return text;
  const char* const type = nftnl_chain_get_str(&chain, NFTNL_CHAIN_TYPE);
  text += fmt::format(" type {} hook {} priority {} policy {}", type == nullptr ? "?" : type,
                      nftnl_chain_get_u32(&chain, NFTNL_CHAIN_HOOKNUM),
                      nftnl_chain_get_s32(&chain, NFTNL_CHAIN_PRIO),
                      nftnl_chain_get_u32(&chain, NFTNL_CHAIN_POLICY) == NF_DROP ? "drop"
                                                                                 : "accept");
  std::vector<std::string> names;
  if (nftnl_chain_is_set(&chain, NFTNL_CHAIN_DEVICES)) {
    const auto* device = nftnl_chain_get_array(&chain, NFTNL_CHAIN_DEVICES);
    for (; device != nullptr && *device != nullptr; ++device) names.emplace_back(*device);
  }
  if (names.empty() && nftnl_chain_is_set(&chain, NFTNL_CHAIN_DEV)) {
    names.emplace_back(nftnl_chain_get_str(&chain, NFTNL_CHAIN_DEV));
  }
  std::ranges::sort(names);
  if (!names.empty()) text += fmt::format(" devices {}", fmt::join(names, ","));
  return text;
}

std::string line_of(nftnl_rule& rule) {
  std::string text = fmt::format("rule {}", nftnl_rule_get_str(&rule, NFTNL_RULE_CHAIN));
  nftnl_expr_foreach(
      &rule,
      [](nftnl_expr* expression, void* into) {
        auto& line = *static_cast<std::string*>(into);
        const char* const name = nftnl_expr_get_str(expression, NFTNL_EXPR_NAME);
        line += fmt::format(" [{}", name);
        if (std::string_view{name} != "counter") {  // what it has counted is no part of it
          std::array<char, 4096> room{};
          nftnl_expr_snprintf(room.data(), room.size(), expression, NFTNL_OUTPUT_DEFAULT, 0);
          line += fmt::format(" {}", room.data());
        }
        line += ']';
        return 0;
      },
      &text);
  return text;
}

std::string line_of(const nftnl_set& set) {
  const auto number = [&](std::uint16_t attribute) {
    return nftnl_set_is_set(&set, attribute) ? nftnl_set_get_u32(&set, attribute) : 0;
  };
  return fmt::format("set {} flags {:#x} key {} data {} {}",
                     nftnl_set_get_str(&set, NFTNL_SET_NAME), number(NFTNL_SET_FLAGS),
                     number(NFTNL_SET_KEY_LEN), number(NFTNL_SET_DATA_TYPE),
                     number(NFTNL_SET_DATA_LEN));
}

std::string line_of(const std::string& set, nftnl_set_elem& element) {
  std::string text = fmt::format("element {}", set);
  const auto tell = [&](const char* word, std::uint16_t attribute) {
    if (!nftnl_set_elem_is_set(&element, attribute)) return;
    std::uint32_t length = 0;
    const void* const data = nftnl_set_elem_get(&element, attribute, &length);
    if (data != nullptr && length > 0) text += fmt::format(" {} {}", word, hex(data, length));
  };
  tell("key", NFTNL_SET_ELEM_KEY);
  tell("end", NFTNL_SET_ELEM_KEY_END);
  tell("data", NFTNL_SET_ELEM_DATA);
  if (nftnl_set_elem_is_set(&element, NFTNL_SET_ELEM_CHAIN)) {
    text += fmt::format(" chain {}", nftnl_set_elem_get_str(&element, NFTNL_SET_ELEM_CHAIN));
  }
  const bool closes = nftnl_set_elem_is_set(&element, NFTNL_SET_ELEM_FLAGS) &&
                      (nftnl_set_elem_get_u32(&element, NFTNL_SET_ELEM_FLAGS) &
                       NFT_SET_ELEM_INTERVAL_END) != 0;
  if (closes) text += " closes";
  return text;
}

}  // namespace meiguan::host
