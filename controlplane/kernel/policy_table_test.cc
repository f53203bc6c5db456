// The sets and maps of a policy, looked up here as the kernel looks them up: from a packet to its
// chain.

#include "controlplane/kernel/policy_table.h"

#include <algorithm>

#include "controlplane/host/nft_expressions.h"
#include "controlplane/kernel/test_bundle.h"
#include "dataplane/net/wire.h"

namespace meiguan::kernel {
namespace {

using host::Bytes;
using host::NftElement;
using host::NftSet;

constexpr std::int64_t kNow = 1'800'000'000;    // 2027
constexpr std::int64_t kLater = 2'000'000'000;  // 2033, when `later` has begun

host::NftTable table_of(const lifecycle::Bundle& bundle, std::int64_t now) {
  const image::Moment moment{bundle.image, now};
  const auto verdicts = find_verdicts(bundle.image, moment);
  BOOST_REQUIRE(verdicts.has_value());
  return policy_table(bundle.image, bundle.compiled.catalog, *verdicts, 7);
}

const NftSet& set_of(const host::NftTable& table, std::string_view name) {
  const auto found = std::ranges::find(table.sets, name, &NftSet::name);
  BOOST_REQUIRE(found != table.sets.end());
  return *found;
}

// A key of several fields lies in a range where each of its fields does (nft_set_pipapo).
bool lies_in(const NftSet& set, const NftElement& element, const Bytes& key) {
  std::size_t at = 0;
  for (const auto bytes : set.fields) {
    const auto part = [&](const Bytes& whole) {
      return Bytes{whole.begin() + static_cast<std::ptrdiff_t>(at),
                   whole.begin() + static_cast<std::ptrdiff_t>(at + bytes)};
    };
    if (part(key) < part(element.key) || part(element.end) < part(key)) return false;
    at += (bytes + 3U) / 4 * 4;
  }
  return true;
}

// The element that the kernel finds for a key; null for none.
const NftElement* find(const NftSet& set, const Bytes& key) {
  BOOST_TEST(key.size() == set.key_bytes);
  const NftElement* found = nullptr;
  for (const auto& element : set.elements) {
    if (!set.intervals) {
      if (element.key == key) return &element;
    } else if (!set.fields.empty()) {
      if (lies_in(set, element, key)) {
        BOOST_TEST(found == nullptr, set.name << ": two elements for one key");
        found = &element;
      }
    } else if (element.key <= key) {
      found = &element;  // they ascend: the last one that begins before it
    }
  }
  return found == nullptr || found->closes ? nullptr : found;
}

Bytes join(std::initializer_list<Bytes> parts) {
  Bytes all;
  for (const auto& part : parts) all.insert(all.end(), part.begin(), part.end());
  return all;
}

struct Asked {
  const char* name;
  const char* in;
  const char* source;
  const char* out;
  const char* destination;
  std::uint8_t protocol;
  std::uint16_t port;  // of ICMP the type
  const char* want;    // the chain; empty: none, dropped
};

// As chain judge_out of policy_rules.cc goes from map to map.
std::string chain_of(const host::NftTable& table, const Asked& asked) {
  const auto source = *net::parse_address(asked.source);
  const auto destination = *net::parse_address(asked.destination);
  const bool v4 = source.family() == net::Family::kIpv4;
  const auto wire = [&](const net::Address& address) {
    return Bytes{address.bytes().begin() + (v4 ? 12 : 0), address.bytes().end()};
  };
  const auto get = [&](const char* set, const Bytes& key) {
    const auto* const element = find(set_of(table, set), key);
    return element == nullptr ? Bytes{} : element->data;
  };
  const auto in = get("ports", host::interface_name(asked.in));
  const auto from = get(v4 ? "ends4" : "ends6", wire(source));
  const auto out = get("ports", host::interface_name(asked.out));
  const auto to = get(v4 ? "to4" : "to6", wire(destination));
  if (in.empty() || from.empty() || out.empty() || to.empty()) return {};
  const auto row = get("rows", join({in, from}));
  if (row.empty()) return {};
  if (find(set_of(table, "ways"), join({to, out})) == nullptr) return {};
  const bool icmp = asked.protocol == net::protocol::kIcmp ||
                    asked.protocol == net::protocol::kIcmp6;
  const auto port = host::wire16(static_cast<std::uint16_t>(icmp ? asked.port << 8 : asked.port));
  const auto column = get("columns", join({to, {asked.protocol, 0, 0, 0}, port, {0, 0}}));
  if (column.empty()) return {};
  const auto* const cell = find(set_of(table, "cells"), join({row, column}));
  return cell == nullptr ? std::string{} : cell->go_to;
}

constexpr std::uint8_t kTcp = net::protocol::kTcp;
constexpr std::uint8_t kUdp = net::protocol::kUdp;

constexpr const char* kOffice = "rule_360121/office";

BOOST_AUTO_TEST_CASE(maps_lead_from_a_packet_to_its_chain) {
  const auto bundle = bundle_of(kPolicyText, kGatewayText);
  const auto table = table_of(*bundle, kNow);
  const Asked kCases[] = {
      {"allowed by a rule", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kTcp, 443, kOffice},
      {"the first address of the unit", "eth1", "10.1.0.0", "eth2", "10.2.0.10", kTcp, 443,
       kOffice},
      {"another port", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kTcp, 444, ""},
      {"the first of a range of ports", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kUdp, 8000,
       kOffice},
      {"the last", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kUdp, 8010, kOffice},
      {"behind it", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kUdp, 8011, ""},
      {"denied first", "eth1", "10.1.0.10", "eth2", "10.2.0.10", kUdp, 8005,
       "rule_360121/not-8005"},
      {"an echo request", "eth1", "10.1.0.10", "eth2", "10.2.0.10", net::protocol::kIcmp, 8,
       kOffice},
      {"a protocol without ports", "eth1", "10.1.0.10", "eth2", "10.2.0.11", 50, 0, kOffice},
      {"IPv6", "eth1", "2001:db8:1::10", "eth2", "2001:db8:2::10", kTcp, 443, kOffice},
      {"IPv6 to another", "eth1", "2001:db8:1::10", "eth2", "2001:db8:2::11", kTcp, 443, ""},
      {"of a unit that is not registered there", "eth1", "10.1.0.131", "eth2", "10.2.0.10", kTcp,
       443, "reason_terminal-unknown"},
      {"of a registered terminal, which no rule allows", "eth1", "10.1.0.130", "eth2", "10.2.0.10",
       kTcp, 443, ""},
      {"spoofed", "eth2", "10.1.0.10", "eth2", "10.2.0.10", kTcp, 443, "reason_spoofed"},
      {"of no unit", "eth2", "10.2.1.10", "eth1", "10.1.0.10", kTcp, 22, "reason_spoofed"},
      {"from the internet", "eth2.7", "8.8.8.8", "eth2", "10.2.0.10", kTcp, 443,
       "reason_internet-isolated"},
      {"to the internet", "eth1", "10.1.0.10", "eth2.7", "8.8.8.8", kTcp, 443,
       "reason_internet-isolated"},
      {"by a port that the image's route does not lead to", "eth1", "10.1.0.10", "eth2.7",
       "10.2.0.10", kTcp, 443, ""},
      {"by an interface that is no port", "eth1", "10.1.0.10", "eth9", "10.2.0.10", kTcp, 443, ""},
      {"from one", "eth9", "10.1.0.10", "eth2", "10.2.0.10", kTcp, 443, ""},
      {"before a rule begins", "eth2", "10.2.0.10", "eth1", "10.1.0.10", kTcp, 22, ""},
  };
  for (const Asked& asked : kCases) {
    BOOST_TEST(chain_of(table, asked) == asked.want, asked.name);
  }
  const Asked begun{"", "eth2", "10.2.0.10", "eth1", "10.1.0.10", kTcp, 22, ""};
  BOOST_TEST(chain_of(table_of(*bundle, kLater), begun) == "rule_360121/later");
}

BOOST_AUTO_TEST_CASE(chains_that_sets_lead_to_are_there) {
  const auto bundle = bundle_of(kPolicyText, kGatewayText);
  const auto table = table_of(*bundle, kNow);
  std::size_t accepting = 0;
  for (const auto& element : set_of(table, "cells").elements) {
    BOOST_TEST(std::ranges::count(table.chains, element.go_to, &host::NftChain::name) == 1,
               element.go_to);
    BOOST_TEST(std::ranges::count(table.rules, element.go_to, &host::NftRule::chain) == 1,
               element.go_to);
  }
  for (const auto& rule : table.rules) {
    const auto& last = rule.expressions.back();
    if (last.name == host::accept().name && last.attributes == host::accept().attributes) {
      ++accepting;
      BOOST_TEST((rule.chain == kOffice || rule.chain == "ours"), rule.chain);
    }
  }
  BOOST_TEST(accepting >= 1U);
  BOOST_TEST(set_of(table, "terminals4").elements.size() == 1U, "asked for its MAC on a link");
  BOOST_TEST(set_of(table, "macs4").elements.size() == 1U);
  BOOST_TEST(set_of(table, "data_ports").elements.size() == 3U);
}

BOOST_AUTO_TEST_CASE(without_a_policy_nothing_is_forwarded) {
  const auto table = closed_table();
  BOOST_REQUIRE(table.chains.size() == 1U);
  BOOST_TEST(table.chains[0].hook->drops);
  BOOST_TEST(table.sets.empty());
}

BOOST_AUTO_TEST_CASE(interfaces_of_ports) {
  const auto bundle = bundle_of(kPolicyText, kGatewayText);
  const char* const want[] = {"eth1", "eth2", "eth2.7"};
  for (std::size_t i = 0; i < std::size(want); ++i) {
    BOOST_TEST(interface_of(bundle->image, PortId{static_cast<PortId::rep>(i)}) == want[i]);
  }
}

}  // namespace
}  // namespace meiguan::kernel
