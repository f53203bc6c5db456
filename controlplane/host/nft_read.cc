#include <fmt/format.h>
#include <libnftnl/table.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <algorithm>
#include <cstring>
#include <map>

#include "controlplane/host/nft_objects.h"
#include "controlplane/host/nft_table.h"

namespace meiguan::host {
namespace {

using Lines = std::vector<std::string>;

std::string table_line(const std::string& name, std::uint32_t flags) {
  return fmt::format("table {} flags {:#x}", name, flags);
}

void add_lines(const std::string& name, nftnl_set& elements, Lines& lines) {
  std::pair<const std::string&, Lines&> into{name, lines};
  nftnl_set_elem_foreach(
      &elements,
      [](nftnl_set_elem* element, void* data) {
        const auto& [of, all] = *static_cast<decltype(into)*>(data);
        all.push_back(line_of(of, *element));
        return 0;
      },
      &into);
}

// A rule's line begins with its place in its chain: the order of rules counts.
class Places {
 public:
  std::string next(const std::string& chain, nftnl_rule& rule) {
    return fmt::format("{} {}", ++last_[chain], line_of(rule));
  }

 private:
  std::map<std::string, int> last_;
};

// Of each kind what there is in the table of that name, as lines; errno otherwise.
class TableReader {
 public:
  TableReader(Netlink& netlink, const std::string& name) : netlink_{netlink}, name_{name} {}

  std::expected<Lines, int> table() {
    return dump(NFT_MSG_GETTABLE, [&](const nlmsghdr& message, Lines& lines) {
      const std::unique_ptr<nftnl_table, FreeBy<nftnl_table_free>> table{nftnl_table_alloc()};
      if (nftnl_table_nlmsg_parse(&message, table.get()) < 0 ||
          !is_ours(nftnl_table_get_str(table.get(), NFTNL_TABLE_NAME))) {
        return;
      }
      lines.push_back(table_line(name_, nftnl_table_get_u32(table.get(), NFTNL_TABLE_FLAGS)));
    });
  }

  std::expected<Lines, int> chains() {
    return dump(NFT_MSG_GETCHAIN, [&](const nlmsghdr& message, Lines& lines) {
      const ChainObject chain{nftnl_chain_alloc()};
      if (nftnl_chain_nlmsg_parse(&message, chain.get()) < 0 ||
          !is_ours(nftnl_chain_get_str(chain.get(), NFTNL_CHAIN_TABLE))) {
        return;
      }
      lines.push_back(line_of(*chain));
    });
  }

  std::expected<Lines, int> rules() {
    Places places;
    return dump(NFT_MSG_GETRULE, [&](const nlmsghdr& message, Lines& lines) {
      const RuleObject rule{nftnl_rule_alloc()};
      if (nftnl_rule_nlmsg_parse(&message, rule.get()) < 0 ||
          !is_ours(nftnl_rule_get_str(rule.get(), NFTNL_RULE_TABLE))) {
        return;
      }
      if (lines.empty()) places = {};  // the dump begins, perhaps again
      lines.push_back(places.next(nftnl_rule_get_str(rule.get(), NFTNL_RULE_CHAIN), *rule));
    });
  }

  std::expected<Lines, int> sets(Lines& names) {
    return dump(NFT_MSG_GETSET, [&](const nlmsghdr& message, Lines& lines) {
      const SetObject set{nftnl_set_alloc()};
      if (nftnl_set_nlmsg_parse(&message, set.get()) < 0 ||
          !is_ours(nftnl_set_get_str(set.get(), NFTNL_SET_TABLE))) {
        return;
      }
      if (lines.empty()) names.clear();
      names.emplace_back(nftnl_set_get_str(set.get(), NFTNL_SET_NAME));
      lines.push_back(line_of(*set));
    });
  }

  std::expected<Lines, int> elements(const std::string& set_name) {
    const auto wanted = name_set(name_, set_name, 0);
    nftnl_set_unset(wanted.get(), NFTNL_SET_ID);
    return dump(
        NFT_MSG_GETSETELEM,
        [&](const nlmsghdr& message, Lines& lines) {
          const SetObject set{nftnl_set_alloc()};
          if (nftnl_set_elems_nlmsg_parse(&message, set.get()) < 0) return;
          add_lines(set_name, *set, lines);
        },
        [&](nlmsghdr& header) { nftnl_set_nlmsg_build_payload(&header, wanted.get()); });
  }

 private:
  [[nodiscard]] bool is_ours(const char* table) const { return table != nullptr && name_ == table; }

  template <typename Take>
  std::expected<Lines, int> dump(
      std::uint16_t type, const Take& take, const Batch::Build& build = [](nlmsghdr&) {}) {
    Lines lines;
    const auto done = netlink_.dump(
        type, NFPROTO_INET, build, [&](const nlmsghdr& message) { take(message, lines); },
        [&] { lines.clear(); });
    if (!done) return std::unexpected{done.error()};
    return lines;
  }

  Netlink& netlink_;
  const std::string& name_;
};

std::expected<Lines, int> read(Netlink& netlink, const std::string& name) {
  TableReader reader{netlink, name};
  auto all = reader.table();
  if (!all || all->empty()) return all;
  int failed = 0;
  const auto take = [&](std::expected<Lines, int> part) {
    if (part) {
      all->insert(all->end(), part->begin(), part->end());
    } else if (failed == 0) {
      failed = part.error();
    }
  };
  Lines names;
  take(reader.chains());
  take(reader.rules());
  take(reader.sets(names));
  for (const auto& set : names) take(reader.elements(set));
  if (failed != 0) return std::unexpected{failed};
  return all;
}

}  // namespace

Lines lines_of(const NftTable& table) {
  Lines lines{table_line(table.name, 0)};
  for (const auto& set : table.sets) {
    lines.push_back(line_of(*make_set(table.name, set, 0)));
    const auto all = name_set(table.name, set.name, 0);
    for (const auto& element : set.elements) add_element(*all, set, element);
    add_lines(set.name, *all, lines);
  }
  Places places;
  for (const auto& chain : table.chains) lines.push_back(line_of(*make_chain(table.name, chain)));
  for (const auto& rule : table.rules) {
    lines.push_back(places.next(rule.chain, *make_rule(table.name, rule)));
  }
  std::ranges::sort(lines);
  return lines;
}

Result<Lines> read_table(Netlink& netlink, const std::string& name) {
  auto lines = read(netlink, name);
  if (!lines) {
    const char* const why = std::strerror(lines.error());
    return fail(fmt::format("the table `inet {}` cannot be read: {}", name, why),
                fmt::format("无法读取表 `inet {}`：{}", name, why));
  }
  std::ranges::sort(*lines);
  return std::move(*lines);
}

}  // namespace meiguan::host
