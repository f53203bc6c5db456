#include "controlplane/host/nft_table.h"

#include <fmt/format.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netlink.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "controlplane/host/nft_objects.h"

namespace meiguan::host {
namespace {

using TableObject = std::unique_ptr<nftnl_table, FreeBy<nftnl_table_free>>;

constexpr std::uint16_t kCreate = NLM_F_CREATE | NLM_F_EXCL;
constexpr std::size_t kElementsOfMessage = 400;  // of at most 150 bytes each: a list has 64 KB

TableObject name_table(const std::string& name) {
  TableObject table{nftnl_table_alloc()};
  nftnl_table_set_u32(table.get(), NFTNL_TABLE_FAMILY, NFPROTO_INET);
  nftnl_table_set_str(table.get(), NFTNL_TABLE_NAME, name.c_str());
  return table;
}

// To make it where it is not there is what lets it be removed in any case.
void add_removal(Batch& batch, const std::string& name) {
  const auto table = name_table(name);
  const auto build = [&](nlmsghdr& header) {
    nftnl_table_nlmsg_build_payload(&header, table.get());
  };
  batch.add(NFT_MSG_NEWTABLE, NFPROTO_INET, NLM_F_CREATE, build);
  batch.add(NFT_MSG_DELTABLE, NFPROTO_INET, 0, build);
}

void add_set(Batch& batch, const std::string& table, const NftSet& wanted, std::uint32_t id) {
  const auto set = make_set(table, wanted, id);
  batch.add(NFT_MSG_NEWSET, NFPROTO_INET, kCreate,
            [&](nlmsghdr& header) { nftnl_set_nlmsg_build_payload(&header, set.get()); });
}

void add_elements(Batch& batch, const std::string& table, const NftSet& wanted, std::uint32_t id) {
  for (std::size_t first = 0; first < wanted.elements.size(); first += kElementsOfMessage) {
    const auto part = name_set(table, wanted.name, id);
    const auto last = std::min(first + kElementsOfMessage, wanted.elements.size());
    for (std::size_t i = first; i < last; ++i) add_element(*part, wanted, wanted.elements[i]);
    batch.add(NFT_MSG_NEWSETELEM, NFPROTO_INET, kCreate,
              [&](nlmsghdr& header) { nftnl_set_elems_nlmsg_build_payload(&header, part.get()); });
  }
}

std::unexpected<Error> refused(const std::string& name, int code) {
  return fail(fmt::format("the kernel does not take the table `inet {}`: {}", name,
                          std::strerror(code)),
              fmt::format("内核不接受表 `inet {}`：{}", name, std::strerror(code)));
}

}  // namespace

Result<void> put_table(Netlink& netlink, const NftTable& wanted) {
  Batch batch;
  add_removal(batch, wanted.name);
  const auto table = name_table(wanted.name);
  batch.add(NFT_MSG_NEWTABLE, NFPROTO_INET, kCreate,
            [&](nlmsghdr& header) { nftnl_table_nlmsg_build_payload(&header, table.get()); });
  std::uint32_t id = 0;
  for (const auto& set : wanted.sets) add_set(batch, wanted.name, set, ++id);
  for (const auto& chain : wanted.chains) {
    const auto object = make_chain(wanted.name, chain);
    batch.add(NFT_MSG_NEWCHAIN, NFPROTO_INET, kCreate,
              [&](nlmsghdr& header) { nftnl_chain_nlmsg_build_payload(&header, object.get()); });
  }
  id = 0;  // elements go to chains, which are there now
  for (const auto& set : wanted.sets) add_elements(batch, wanted.name, set, ++id);
  for (const auto& rule : wanted.rules) {
    const auto object = make_rule(wanted.name, rule);
    batch.add(NFT_MSG_NEWRULE, NFPROTO_INET, NLM_F_CREATE | NLM_F_APPEND,
              [&](nlmsghdr& header) { nftnl_rule_nlmsg_build_payload(&header, object.get()); });
  }
  if (const auto done = netlink.commit(std::move(batch)); !done) {
    return refused(wanted.name, done.error());
  }
  return {};
}

Result<void> remove_table(Netlink& netlink, const std::string& name) {
  Batch batch;
  add_removal(batch, name);
  if (const auto done = netlink.commit(std::move(batch)); !done) return refused(name, done.error());
  return {};
}

}  // namespace meiguan::host
