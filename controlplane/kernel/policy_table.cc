#include "controlplane/kernel/policy_table.h"

#include <fmt/format.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>

#include <set>

#include "controlplane/host/nft_expressions.h"
#include "controlplane/kernel/policy_rules.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/net/wire.h"

namespace meiguan::kernel {
namespace {

using host::Bytes;
using host::NftElement;
using host::NftExpression;
using host::NftSet;
using host::Slot;

// How `nft` numbers types of keys, and puts several side by side.
constexpr std::uint32_t kTypeIpv4 = 7;
constexpr std::uint32_t kTypeIpv6 = 8;
constexpr std::uint32_t kTypeEther = 9;
constexpr std::uint32_t kTypeProtocol = 12;
constexpr std::uint32_t kTypePort = 13;
constexpr std::uint32_t kTypeMark = 19;
constexpr std::uint32_t kTypeInterfaceName = 41;
constexpr std::uint32_t kTwoMarks = kTypeMark << 6 | kTypeMark;

constexpr Slot kAddress = 0;

Bytes join(const Bytes& one, const Bytes& other) {
  Bytes all = one;
  all.insert(all.end(), other.begin(), other.end());
  return all;
}

Bytes wire(const net::Address& address) {
  const auto& sixteen = address.bytes();
  return {sixteen.begin() + (address.family() == net::Family::kIpv4 ? 12 : 0), sixteen.end()};
}

std::string chain_of(const policy::Catalog& catalog, const Answer& answer) {
  if (answer.rule.is_some()) return "rule_" + catalog.rules[answer.rule.index()].full_name;
  const auto* const info = fastpath::find_reason(answer.reason);
  return fmt::format("reason_{}", info == nullptr ? "unknown" : info->name);
}

class Maker {
 public:
  Maker(const image::Image& image, const policy::Catalog& catalog, const Verdicts& verdicts,
        std::uint32_t generation)
      : image_{image}, catalog_{catalog}, verdicts_{verdicts}, generation_{generation} {}

  host::NftTable run() {
    table_.name = kPolicyTable;
    add_ports();
    add_ends("ends4", net::Family::kIpv4, verdicts_.ends.v4, false);
    add_ends("ends6", net::Family::kIpv6, verdicts_.ends.v6, false);
    add_ends("to4", net::Family::kIpv4, verdicts_.ends.v4, true);
    add_ends("to6", net::Family::kIpv6, verdicts_.ends.v6, true);
    add_rows();
    add_columns();
    add_terminals();
    add_answers();
    add_policy_rules(table_, generation_);
    return std::move(table_);
  }

 private:
  void rule(const std::string& chain, std::vector<NftExpression> expressions) {
    table_.rules.push_back({chain, std::move(expressions)});
  }
  void chain(const std::string& name) { table_.chains.push_back({name, {}}); }

  [[nodiscard]] bool has_kernel_interface(std::size_t port) const {
    return !interface_of(image_, PortId{static_cast<PortId::rep>(port)}).empty();
  }

  void add_ports() {
    NftSet ports{.name = "ports",
                 .key_type = kTypeInterfaceName,
                 .key_bytes = 16,
                 .own_order = true};
    ports.data_bytes = 4;
    for (std::uint32_t port = 0; port < image_.ports().size(); ++port) {
      if (!has_kernel_interface(port)) continue;
      const auto name = interface_of(image_, PortId{static_cast<PortId::rep>(port)});
      ports.elements.push_back({.key = host::interface_name(name), .data = host::bytes_of(port)});
    }
    NftSet names = ports;
    names.name = "data_ports";
    names.data_bytes = 0;
    for (auto& element : names.elements) element.data.clear();
    table_.sets.push_back(std::move(ports));
    table_.sets.push_back(std::move(names));
  }

  // Intervals side by side: each closes where the next begins, the last with the last address.
  void add_ends(const char* name, net::Family family, const std::vector<EndSpan>& spans,
                bool is_destination) {
    const bool v4 = family == net::Family::kIpv4;
    NftSet set{.name = name,
               .key_type = v4 ? kTypeIpv4 : kTypeIpv6,
               .key_bytes = v4 ? 4U : 16U,
               .intervals = true};
    set.data_bytes = 4;
    std::optional<std::uint32_t> open;
    for (const EndSpan& span : spans) {
      const auto value = is_destination ? verdicts_.destination_of[span.end_class]
                                        : std::optional{span.end_class};
      if (value == open) continue;
      if (open) set.elements.push_back({.key = wire(span.first), .closes = true});
      if (value) {
        set.elements.push_back({.key = wire(span.first), .data = host::bytes_of(*value)});
      }
      open = value;
    }
    table_.sets.push_back(std::move(set));
  }

  void add_rows() {
    NftSet rows{.name = "rows", .key_type = kTwoMarks, .key_bytes = 8, .own_order = true};
    rows.fields = {4, 4};
    rows.data_bytes = 4;
    for (std::uint32_t port = 0; port < verdicts_.row_of.size(); ++port) {
      for (std::uint32_t c = 0; c < verdicts_.row_of[port].size(); ++c) {
        rows.elements.push_back({.key = join(host::bytes_of(port), host::bytes_of(c)),
                                 .data = host::bytes_of(verdicts_.row_of[port][c])});
      }
    }
    table_.sets.push_back(std::move(rows));
  }

  // Spans of keys as rectangles of protocols and ports.
  void add_span(std::uint32_t destination, const KeySpan& span, NftSet& columns) const {
    const auto add = [&](std::uint32_t first, std::uint32_t last, std::uint32_t low,
                         std::uint32_t high) {
      // Of ICMP a flow keeps type and code side by side; the type is what is asked for.
      const bool icmp = first == last &&
                        (first == net::protocol::kIcmp || first == net::protocol::kIcmp6);
      if (icmp && low > 255) return;
      if (icmp) {
        high = (high > 255 ? 255 : high) << 8 | 255;
        low <<= 8;
      }
      const auto key = [&](std::uint32_t protocol, std::uint32_t port) {
        Bytes bytes = host::bytes_of(destination);
        bytes.insert(bytes.end(), {static_cast<std::uint8_t>(protocol), 0, 0, 0});
        return join(join(bytes, host::wire16(static_cast<std::uint16_t>(port))), {0, 0});
      };
      columns.elements.push_back(
          {.key = key(first, low), .end = key(last, high), .data = host::bytes_of(span.column)});
    };
    // ICMP stands alone, for its ports are counted otherwise.
    std::uint32_t first = span.first;
    while (first <= span.last) {
      const std::uint32_t protocol = first >> 16;
      const std::uint32_t end_of_protocol = protocol << 16 | 0xffff;
      const std::uint32_t last = std::min(end_of_protocol, span.last);
      add(protocol, protocol, first & 0xffff, last & 0xffff);
      first = last + 1;
    }
  }

  void add_columns() {
    NftSet ways{.name = "ways", .key_type = kTwoMarks, .key_bytes = 8, .own_order = true};
    ways.fields = {4, 4};
    NftSet columns{.name = "columns",
                   .key_type = kTypeMark << 12 | kTypeProtocol << 6 | kTypePort,
                   .key_bytes = 12,
                   .intervals = true};
    columns.fields = {4, 1, 2};
    columns.data_bytes = 4;
    for (std::uint32_t d = 0; d < verdicts_.destinations.size(); ++d) {
      const Destination& to = verdicts_.destinations[d];
      ways.elements.push_back({.key = join(host::bytes_of(d), host::bytes_of(to.out.value()))});
      for (const KeySpan& span : to.keys) add_span(d, span, columns);
    }
    table_.sets.push_back(std::move(ways));
    table_.sets.push_back(std::move(columns));
  }

  // Registered MACs are asked where the terminal's address is on a link of ours.
  void add_terminals() {
    const auto make = [&](const char* name, net::Family family, bool with_mac) {
      const bool v4 = family == net::Family::kIpv4;
      const std::uint32_t type = v4 ? kTypeIpv4 : kTypeIpv6;
      NftSet set{.name = name,
                 .key_type = with_mac ? type << 6 | kTypeEther : type,
                 .key_bytes = (v4 ? 4U : 16U) + (with_mac ? 8U : 0U)};
      if (with_mac) set.fields = {static_cast<std::uint8_t>(v4 ? 4 : 16), 6};
      for (const image::TerminalSlot& slot : image_.terminals()) {
        if (slot.unit == image::kNone || slot.has_mac == 0 || slot.address.family() != family) {
          continue;
        }
        if (image_.units()[slot.unit].admission != image::Admission::kBound) continue;
        const auto* const route = image_.route_to(SpaceId{slot.space}, slot.address);
        if (route == nullptr || route->kind != image::RouteKind::kOnLink) continue;
        Bytes key = wire(slot.address);
        if (with_mac) {
          key.insert(key.end(), slot.mac.begin(), slot.mac.end());
          key.insert(key.end(), {0, 0});
        }
        set.elements.push_back({.key = std::move(key)});
      }
      table_.sets.push_back(std::move(set));
    };
    make("terminals4", net::Family::kIpv4, false);
    make("terminals6", net::Family::kIpv6, false);
    make("macs4", net::Family::kIpv4, true);
    make("macs6", net::Family::kIpv6, true);
  }

  void add_answers() {
    NftSet cells{.name = "cells", .key_type = kTwoMarks, .key_bytes = 8, .own_order = true};
    cells.fields = {4, 4};
    cells.verdicts = true;
    std::set<std::string> made;
    const auto make = [&](const Answer& answer) {
      const auto name = chain_of(catalog_, answer);
      if (!made.insert(name).second) return name;
      chain(name);
      if (answer.reason == fastpath::Reason::kAllowed) {
        rule(name, {host::count(), host::put(kAddress, host::bytes_of(generation_)),
                    host::set_mark(kAddress), host::accept()});
      } else {
        rule(name, {host::count(), host::drop()});
      }
      return name;
    };
    for (std::uint32_t row = 0; row < verdicts_.rows.size(); ++row) {
      const auto& cells_of_row = verdicts_.rows[row];
      for (std::uint32_t column = 0; column < cells_of_row.size(); ++column) {
        const Answer& answer = verdicts_.answers[cells_of_row[column]];
        if (answer == Answer{}) continue;  // what no cell names is dropped
        cells.elements.push_back(
            {.key = join(host::bytes_of(row), host::bytes_of(column)), .go_to = make(answer)});
      }
    }
    for (const char* const name : {"reason_tcp-no-state", "reason_icmp-unsolicited",
                                   "reason_terminal-mac", "reason_default-deny"}) {
      if (!made.insert(name).second) continue;
      chain(name);
      rule(name, {host::count(), host::drop()});
    }
    table_.sets.push_back(std::move(cells));
  }

  const image::Image& image_;
  const policy::Catalog& catalog_;
  const Verdicts& verdicts_;
  const std::uint32_t generation_;
  host::NftTable table_;
};

}  // namespace

std::string interface_of(const image::Image& image, PortId number) {
  const image::PortRecord& port = image.ports()[number.index()];
  const image::PortRecord& main = image.ports()[port.parent];
  if (main.device_kind != image::DeviceKind::kAfPacket &&
      main.device_kind != image::DeviceKind::kAfXdp &&
      main.device_kind != image::DeviceKind::kTap) {
    return {};
  }
  std::string name{main.device.data()};
  if (const auto colon = name.find(':'); colon != std::string::npos) name.erase(0, colon + 1);
  return port.vlan == 0 ? name : fmt::format("{}.{}", name, port.vlan);
}

host::NftTable policy_table(const image::Image& image, const policy::Catalog& catalog,
                            const Verdicts& verdicts, std::uint32_t generation) {
  return Maker{image, catalog, verdicts, generation}.run();
}

host::NftTable closed_table() {
  host::NftTable table;
  table.name = kPolicyTable;
  table.chains.push_back(
      {"forward", host::NftHook{.number = NF_INET_FORWARD, .priority = 0, .drops = true}});
  table.rules.push_back({"forward", {host::count(), host::drop()}});
  return table;
}

}  // namespace meiguan::kernel
