#pragma once

// A table of nftables as plain data: what it should be, how it is put in place, and what of it
// stands in the kernel. Family inet throughout.

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "controlplane/host/netlink.h"
#include "dataplane/base/result.h"

namespace meiguan::host {

using Bytes = std::vector<std::uint8_t>;

// One expression: the kernel's name of it, and the attributes of libnftnl's.
struct NftExpression {
  using Value = std::variant<std::uint8_t, std::uint32_t, Bytes, std::string>;
  std::string name{};
  std::vector<std::pair<std::uint16_t, Value>> attributes{};
};

struct NftRule {
  std::string chain{};
  std::vector<NftExpression> expressions{};
};

struct NftHook {
  std::uint32_t number{0};  // NF_INET_INPUT and so on
  std::int32_t priority{0};
  bool drops{false};                   // what no rule decides
  std::vector<std::string> devices{};  // of ingress
};

struct NftChain {
  std::string name{};
  std::optional<NftHook> hook{};  // else it is jumped to
};

struct NftElement {
  Bytes key{};
  Bytes end{};          // of a range in a set of several fields: its last key
  bool closes{false};   // in a set of intervals: the first key behind one
  Bytes data{};         // of a map
  std::string go_to{};  // of a map to verdicts: the chain
};

// Keys of several fields lie side by side, each filled up to 4 bytes.
struct NftSet {
  std::string name{};
  std::uint32_t key_type{0};  // by which `nft` prints keys: its number of the type, 6 bits a field
  std::uint32_t key_bytes{0};
  bool own_order{false};  // keys are as this machine keeps them, not as on the wire: for `nft` too
  bool intervals{false};
  std::vector<std::uint8_t> fields{};  // their lengths, where there are several
  std::uint32_t data_bytes{0};         // of a map to values
  bool verdicts{false};                // a map to verdicts
  std::vector<NftElement> elements{};
};

struct NftTable {
  std::string name{};
  std::vector<NftSet> sets{};
  std::vector<NftChain> chains{};
  std::vector<NftRule> rules{};
};

// Puts `table` in the place of the one of that name, in one transaction: there is no moment
// without.
[[nodiscard]] Result<void> put_table(Netlink& netlink, const NftTable& table);

// Takes the table of that name away, if there is one.
[[nodiscard]] Result<void> remove_table(Netlink& netlink, const std::string& name);

// The same text for the same table, a line for each object in it; counters' values are left out.
[[nodiscard]] std::vector<std::string> lines_of(const NftTable& table);
// The same of the kernel's table; empty where there is none.
[[nodiscard]] Result<std::vector<std::string>> read_table(Netlink& netlink,
                                                          const std::string& name);

}  // namespace meiguan::host
