#pragma once

// From our tables to libnftnl's objects and from these to text: what writing and reading share.

#include <libnftnl/chain.h>
#include <libnftnl/expr.h>
#include <libnftnl/rule.h>
#include <libnftnl/set.h>

#include <memory>
#include <string>

#include "controlplane/host/nft_table.h"

namespace meiguan::host {

template <auto kFree>
struct FreeBy {
  template <typename T>
  void operator()(T* object) const noexcept {
    kFree(object);
  }
};
using ChainObject = std::unique_ptr<nftnl_chain, FreeBy<nftnl_chain_free>>;
using RuleObject = std::unique_ptr<nftnl_rule, FreeBy<nftnl_rule_free>>;
using SetObject = std::unique_ptr<nftnl_set, FreeBy<nftnl_set_free>>;

[[nodiscard]] ChainObject make_chain(const std::string& table, const NftChain& chain);
[[nodiscard]] RuleObject make_rule(const std::string& table, const NftRule& rule);
// Without elements.
[[nodiscard]] SetObject make_set(const std::string& table, const NftSet& set, std::uint32_t id);
// The set that `elements` are added to, by name.
[[nodiscard]] SetObject name_set(const std::string& table, const std::string& name,
                                 std::uint32_t id);
void add_element(nftnl_set& set, const NftSet& kind, const NftElement& element);

[[nodiscard]] std::string line_of(const nftnl_chain& chain);
[[nodiscard]] std::string line_of(nftnl_rule& rule);
[[nodiscard]] std::string line_of(const nftnl_set& set);
[[nodiscard]] std::string line_of(const std::string& set, nftnl_set_elem& element);

}  // namespace meiguan::host
