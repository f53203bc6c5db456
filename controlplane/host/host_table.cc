#include "controlplane/host/host_table.h"

#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <net/if.h>

#include <algorithm>
#include <iterator>
#include <limits>
#include <utility>

#include "controlplane/host/nft_expressions.h"

namespace meiguan::host {
namespace {

// Before everything else: what another program's rules could do first (a flow table, a mark, a
// redirection) does not happen to a packet that is dropped here.
constexpr std::int32_t kFirst = std::numeric_limits<std::int32_t>::min();

// How `nft` numbers types of keys.
constexpr std::uint32_t kTypeIpv4 = 7;
constexpr std::uint32_t kTypeIpv6 = 8;
constexpr std::uint32_t kTypeInterfaceName = 41;

constexpr std::uint8_t kFragmentHeader = 44;
constexpr const char* kNetworks4 = "networks4";
constexpr const char* kNetworks6 = "networks6";
constexpr const char* kDataPorts = "data_ports";

Bytes wire(const net::Address& address) {
  const auto& sixteen = address.bytes();
  return {sixteen.begin() + (address.family() == net::Family::kIpv4 ? 12 : 0), sixteen.end()};
}

// The next number; empty where there is none.
Bytes next(Bytes bytes) {
  for (auto byte = bytes.rbegin(); byte != bytes.rend(); ++byte) {
    if (++*byte != 0) return bytes;
  }
  return {};
}

NftSet networks(const char* name, net::Family family, std::span<const net::Prefix> prefixes) {
  std::vector<std::pair<Bytes, Bytes>> spans;
  for (const auto& prefix : prefixes) {
    if (prefix.family() == family) {
      spans.emplace_back(wire(prefix.address()), wire(prefix.last()));
    }
  }
  std::ranges::sort(spans);
  NftSet set{.name = name, .intervals = true};
  set.key_type = family == net::Family::kIpv4 ? kTypeIpv4 : kTypeIpv6;
  set.key_bytes = family == net::Family::kIpv4 ? 4 : 16;
  for (std::size_t i = 0; i < spans.size();) {
    auto [first, last] = spans[i++];
    // Spans that meet are one: a set has no interval inside another.
    while (i < spans.size() && (spans[i].first <= last || spans[i].first == next(last))) {
      last = std::max(last, spans[i++].second);
    }
    set.elements.push_back({.key = first});
    if (auto behind = next(last); !behind.empty()) {
      set.elements.push_back({.key = std::move(behind), .closes = true});
    }
  }
  return set;
}

// Goes on where the packet's protocol and port are among these.
std::vector<NftExpression> port_is(const policy::PortMatch& port) {
  if (port.any_protocol) return {};
  std::vector<NftExpression> expressions{load_meta(NFT_META_L4PROTO, 0), is(0, {port.protocol})};
  if (!port.whole) {
    expressions.push_back(load_bytes(Header::kTransport, 2, 2, 0));
    expressions.push_back(port.first == port.last
                              ? is(0, wire16(port.first))
                              : in_range(0, wire16(port.first), wire16(port.last)));
  }
  return expressions;
}

// What a [[local]] offers by a TAP, which the data plane has asked, too.
void let_in_offers(const DataPort& port, NftTable& table) {
  for (const auto& offer : port.offers) {
    for (const auto& from : offer.from) {
      const bool v4 = from.family() == net::Family::kIpv4;
      for (const auto& service : offer.services) {
        std::vector<NftExpression> all{load_meta(NFT_META_IIFNAME, 0),
                                       is(0, interface_name(port.interface)),
                                       load_meta(NFT_META_NFPROTO, 0),
                                       is(0, {static_cast<std::uint8_t>(v4 ? NFPROTO_IPV4
                                                                           : NFPROTO_IPV6)}),
                                       load_bytes(Header::kNetwork, v4 ? 12 : 8, v4 ? 4 : 16, 0),
                                       in_range(0, wire(from.address()), wire(from.last()))};
        std::ranges::move(port_is(service), std::back_inserter(all));
        all.push_back(accept());
        table.rules.push_back({"input", std::move(all)});
      }
    }
  }
}

void guard_ports(const HostGuard& guard, NftTable& table) {
  table.sets.push_back(networks(kNetworks4, net::Family::kIpv4, guard.networks));
  table.sets.push_back(networks(kNetworks6, net::Family::kIpv6, guard.networks));
  table.chains.push_back({"input", NftHook{.number = NF_INET_LOCAL_IN, .priority = kFirst}});
  const auto rule = [&](std::vector<NftExpression> expressions) {
    table.rules.push_back({"input", std::move(expressions)});
  };
  rule({load_meta(NFT_META_IIFNAME, 0), is(0, interface_name("lo")), accept()});
  rule({load_meta(NFT_META_NFPROTO, 0), is(0, {NFPROTO_IPV4}),
        load_bytes(Header::kNetwork, 12, 4, 0), look_up(kNetworks4, 0), accept()});
  rule({load_meta(NFT_META_NFPROTO, 0), is(0, {NFPROTO_IPV6}),
        load_bytes(Header::kNetwork, 8, 16, 0), look_up(kNetworks6, 0), accept()});
  // IPv6 puts fragments together behind this hook: their ports cannot be asked.
  rule({load_meta(NFT_META_NFPROTO, 0), is(0, {NFPROTO_IPV6}),
        has_extension_header(kFragmentHeader, 0), is(0, {1}), count(), drop()});
  for (const auto& port : guard.data_ports) let_in_offers(port, table);
  for (const auto& port : guard.ports) {
    auto expressions = port_is(port);
    expressions.push_back(count());
    expressions.push_back(drop());
    rule(std::move(expressions));
  }
}

void guard_data_ports(const HostGuard& guard, std::span<const std::string> there, NftTable& table) {
  NftSet names{.name = kDataPorts,
               .key_type = kTypeInterfaceName,
               .key_bytes = 16,
               .own_order = true};
  for (const auto& port : guard.data_ports) {
    names.elements.push_back({.key = interface_name(port.interface)});
  }
  table.sets.push_back(std::move(names));
  table.chains.push_back({"forward", NftHook{.number = NF_INET_FORWARD, .priority = kFirst}});
  for (const auto key : {NFT_META_IIFNAME, NFT_META_OIFNAME}) {
    table.rules.push_back(
        {"forward",
         {load_meta(static_cast<std::uint32_t>(key), 0), look_up(kDataPorts, 0), count(), drop()}});
  }
  if (there.empty()) return;
  table.chains.push_back({"ingress", NftHook{.number = NF_INET_INGRESS,
                                             .priority = kFirst,
                                             .devices = {there.begin(), there.end()}}});
  table.rules.push_back({"ingress", {count(), drop()}});
}

}  // namespace

NftTable host_table(const HostGuard& guard, std::span<const std::string> there) {
  NftTable table{.name = kHostTable};
  if (!guard.ports.empty()) guard_ports(guard, table);
  if (!guard.data_ports.empty()) guard_data_ports(guard, there, table);
  return table;
}

std::vector<std::string> interfaces_there(const HostGuard& guard) {
  std::vector<std::string> there;
  for (const auto& port : guard.data_ports) {
    if (!port.is_tap && ::if_nametoindex(port.interface.c_str()) != 0) {
      there.push_back(port.interface);
    }
  }
  return there;
}

}  // namespace meiguan::host
