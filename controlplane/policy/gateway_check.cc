// Checks of the gateway file as a whole: its node and its ports.

#include <map>
#include <tuple>
#include <utility>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {
namespace {

constexpr std::int64_t kMaxVlan = 4094;
constexpr std::int64_t kMinMtu = 68;        // RFC 791 section 3.2
constexpr std::int64_t kMinMtuIpv6 = 1280;  // RFC 8200 section 5
constexpr std::int64_t kMaxMtu = 9216;
constexpr std::uint16_t kDefaultMtu = 1500;

ZoneId resolve_port_zone(GatewayChecking& checking, const Word& word) {
  if (word.text == "intranet") {
    checking.reporter.error(word.place, intranet_refusal());
    return {};
  }
  const auto index = checking.zones.resolve(word.text, word.place, checking.reporter);
  return index ? ZoneId{static_cast<std::uint16_t>(*index)} : ZoneId{};
}

void resolve_node(GatewayChecking& checking) {
  const std::optional<Word>& node = checking.draft.node;
  if (!checking.draft.gateway_place && !checking.reporter.may_have_table(0, "gateway")) {
    checking.reporter.error(Place{0, 1, 1},
                            say("there is no [gateway] table, one expected", "缺少 [gateway] 表"));
  }
  if (!node) return;
  const auto index = checking.nodes.resolve(node->text, node->place, checking.reporter);
  if (!index) return;
  checking.gateway.node = NodeId{*index};
  checking.gateway.node_code = node->text;
}

// Enters the names and moves the ports over; their numbers are now fixed.
void resolve_ports(GatewayChecking& checking) {
  std::vector<DraftPort>& drafts = checking.draft.ports;
  if (checking.reporter.may_have_table(0, "port")) checking.has_bad_port = true;
  if (drafts.size() > image::kMaxPorts) {
    checking.reporter.error(drafts[image::kMaxPorts].port.place,
                            say("there are {} ports, {} at most expected",
                                "端口有 {} 个，最多允许 {} 个", drafts.size(), image::kMaxPorts));
    drafts.resize(image::kMaxPorts);
    checking.has_bad_port = true;
  }
  for (std::uint32_t i = 0; i < drafts.size(); ++i) {
    DraftPort& draft = drafts[i];
    if (draft.zone) draft.port.zone = resolve_port_zone(checking, *draft.zone);
    if (draft.port.zone.is_none() || draft.has_bad_address) checking.has_bad_port = true;
    if (!draft.port.name.empty()) {
      if (const auto first = checking.ports.add(draft.port.name, i)) {
        checking.reporter.error(draft.name_place,
                                say("port `{}` is defined a second time", "端口 `{}` 重复定义",
                                    printable(draft.port.name)),
                                say("it is first defined at {}", "首次定义于 {}",
                                    checking.reporter.where(drafts[*first].name_place)));
      }
    }
    checking.gateway.ports.push_back(std::move(draft.port));
  }
}

// The one spelling of a device: a PCI address has an optional domain and digits of either case.
std::string device_key(const GatewayPort& port) {
  if (port.device_kind != DeviceKind::kPci) return port.device;
  std::string key = port.device.size() == 7 ? "0000:" + port.device : port.device;
  for (char& c : key) c = c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c;
  return key;
}

void check_devices(GatewayChecking& checking) {
  std::map<std::pair<DeviceKind, std::string>, std::size_t> users;
  for (std::size_t i = 0; i < checking.gateway.ports.size(); ++i) {
    const GatewayPort& port = checking.gateway.ports[i];
    const std::optional<Place>& place = checking.draft.ports[i].device_place;
    if (!place || !port.device_kind) continue;
    const auto [it, is_new] = users.try_emplace({*port.device_kind, device_key(port)}, i);
    if (is_new) continue;
    checking.reporter.error(
        *place,
        say("device `{}` is that of port `{}` already", "设备 `{}` 已由端口 `{}` 使用",
            printable(port.device), printable(checking.gateway.ports[it->second].name)),
        say("it is first given at {}", "首次出现于 {}",
            checking.reporter.where(*checking.draft.ports[it->second].device_place)));
  }
}

void resolve_parents(GatewayChecking& checking) {
  std::map<std::pair<std::uint32_t, std::int64_t>, Place> vlans;
  for (std::size_t i = 0; i < checking.gateway.ports.size(); ++i) {
    GatewayPort& port = checking.gateway.ports[i];
    const DraftPort& draft = checking.draft.ports[i];
    const bool has_vlan = draft.vlan && draft.vlan->value >= 1 && draft.vlan->value <= kMaxVlan;
    if (draft.vlan && !has_vlan) {
      checking.reporter.error(draft.vlan->place,
                              say("`vlan` is {}, 1 to {} expected", "`vlan` 为 {}，应为 1 至 {}",
                                  draft.vlan->value, kMaxVlan));
    }
    if (has_vlan) port.vlan = static_cast<std::uint16_t>(draft.vlan->value);
    if (!draft.parent || port.device_kind) continue;
    const auto parent = checking.ports.resolve(draft.parent->text, draft.parent->place,
                                               checking.reporter);
    if (!parent) continue;
    if (!checking.gateway.ports[*parent].device_kind) {
      checking.reporter.error(draft.parent->place,
                              say("parent `{}` is no port with a `device`",
                                  "父端口 `{}` 不是带 `device` 的端口", draft.parent->text));
      continue;
    }
    port.parent = PortId{static_cast<std::uint16_t>(*parent)};
    if (!has_vlan) continue;
    const auto [it, is_new] = vlans.try_emplace({*parent, draft.vlan->value}, draft.vlan->place);
    if (!is_new) {
      checking.reporter.error(draft.vlan->place,
                              say("vlan {} of port `{}` is a sub-port already",
                                  "端口 `{1}` 的 VLAN {0} 已有子端口", draft.vlan->value,
                                  draft.parent->text),
                              say("it is first given at {}", "首次出现于 {}",
                                  checking.reporter.where(it->second)));
    }
  }
}

bool has_ipv6(const GatewayPort& port) {
  for (const InterfaceAddress& address : port.addresses) {
    if (address.address.family() == net::Family::kIpv6) return true;
  }
  return false;
}

void check_mtu(GatewayChecking& checking, std::size_t index) {
  GatewayPort& port = checking.gateway.ports[index];
  const std::optional<Integer>& mtu = checking.draft.ports[index].mtu;
  const bool is_sub_port = port.parent.is_some();
  // Parents come through here first.
  const std::uint16_t parents = is_sub_port ? checking.gateway.ports[port.parent.index()].mtu
                                            : kDefaultMtu;
  port.mtu = parents;
  if (!mtu) return;
  const std::int64_t least = has_ipv6(port) ? kMinMtuIpv6 : kMinMtu;
  if (mtu->value < least || mtu->value > kMaxMtu) {
    checking.reporter.error(
        mtu->place,
        least == kMinMtuIpv6
            ? say("`mtu` is {}, {} to {} expected at a port with an IPv6 address",
                  "`mtu` 为 {}，有 IPv6 地址的端口应为 {} 至 {}", mtu->value, least, kMaxMtu)
            : say("`mtu` is {}, {} to {} expected", "`mtu` 为 {}，应为 {} 至 {}", mtu->value, least,
                  kMaxMtu));
    return;
  }
  port.mtu = static_cast<std::uint16_t>(mtu->value);
  if (is_sub_port && port.mtu > parents) {
    checking.reporter.error(mtu->place, say("`mtu` is {}, more than the {} of its parent",
                                            "`mtu` 为 {}，超过父端口的 {}", port.mtu, parents));
  }
}

// Whether a port can have the address as its own; why not otherwise.
std::optional<Text> refuse_own_address(const InterfaceAddress& own) {
  const net::Address& address = own.address;
  const auto first = address.wire()[0];
  const net::Prefix subnet = net::Prefix::around(address, own.length);
  if (address.family() == net::Family::kIpv4) {
    if (first == 0 || first == 127 || first >= 224) {
      return say("{} is no unicast address of a host", "{} 不是主机单播地址",
                 net::to_string(address));
    }
    if (own.length <= 30 && address == subnet.last()) {
      return say("{} is the broadcast address of {}", "{} 是 {} 的广播地址",
                 net::to_string(address), net::to_string(subnet));
    }
    return std::nullopt;
  }
  const auto second = address.wire()[1];
  const bool is_link_local = first == 0xfe && (second & 0xc0) == 0x80;
  if (is_link_local) {
    return say("{} is link-local, ports have one of these by themselves",
               "{} 是链路本地地址，端口会自动生成", net::to_string(address));
  }
  const bool is_ula = (first & 0xfe) == 0xfc;
  if ((first & 0xe0) != 0x20 && !is_ula) {
    return say("{} is no unicast address of a host", "{} 不是主机单播地址",
               net::to_string(address));
  }
  return std::nullopt;
}

void check_addresses(GatewayChecking& checking) {
  std::map<std::pair<SpaceId, net::Address>, Place> owners;
  for (std::uint16_t p = 0; p < checking.gateway.ports.size(); ++p) {
    const GatewayPort& port = checking.gateway.ports[p];
    const std::vector<Place>& places = checking.draft.ports[p].address_places;
    const auto space = checking.space_of(PortId{p});
    for (std::uint32_t i = 0; i < port.addresses.size(); ++i) {
      const InterfaceAddress& own = port.addresses[i];
      if (auto refusal = refuse_own_address(own)) {
        checking.reporter.error(places[i], std::move(*refusal));
        continue;
      }
      if (!space) continue;
      const auto [it, is_new] = owners.try_emplace({*space, own.address}, places[i]);
      if (!is_new) {
        checking.reporter.error(places[i],
                                say("{} is a port's address already", "{} 已是另一端口的地址",
                                    net::to_string(own.address)),
                                say("it is first given at {}", "首次出现于 {}",
                                    checking.reporter.where(it->second)));
        continue;
      }
      checking.subnets.add(*space, net::Prefix::around(own.address, own.length), UnitId{p},
                           NodeId{0}, i);
    }
  }
}

void check_subnets(GatewayChecking& checking) {
  const auto place = [&](const PrefixIndex::Entry& entry) {
    return checking.draft.ports[entry.unit.index()].address_places[entry.number];
  };
  // Nested ones may be of any ports: the longest prefix decides.
  for (const auto& [first, second] : checking.subnets.build()) {
    // Several addresses of one port may lie in the same subnet.
    if (first.unit == second.unit) continue;
    checking.reporter.error(place(second),
                            say("subnet {} is that of port `{}` already", "子网 {} 已属于端口 `{}`",
                                net::to_string(second.prefix),
                                printable(checking.gateway.ports[first.unit.index()].name)),
                            say("it is first given at {}", "首次出现于 {}",
                                checking.reporter.where(place(first))));
  }
}

}  // namespace

void check_ports(GatewayChecking& checking) {
  resolve_ports(checking);
  check_devices(checking);
  resolve_parents(checking);
  for (const bool sub_ports : {false, true}) {
    for (std::size_t i = 0; i < checking.gateway.ports.size(); ++i) {
      if (checking.gateway.ports[i].parent.is_some() == sub_ports) check_mtu(checking, i);
    }
  }
  check_addresses(checking);
  check_subnets(checking);
}

CheckedGateway check_gateway(const SourceFile& file, GatewayDraft draft,
                             const CheckedPolicy& policy, Reporter& reporter) {
  CheckedGateway gateway = GatewayChecker::empty();
  gateway.file = file.path;
  gateway.workers = draft.workers;
  gateway.limits = draft.limits;
  gateway.kernel_routes = draft.kernel_routes;
  GatewayChecking checking(gateway, draft, policy, reporter);
  for (std::uint32_t i = 0; i < policy.nodes.size(); ++i) {
    static_cast<void>(checking.nodes.add(policy.nodes[i].code, i));
  }
  for (std::uint32_t i = 0; i < policy.zones.size(); ++i) {
    static_cast<void>(checking.zones.add(policy.zones[i].id, i));
  }
  resolve_node(checking);
  check_ports(checking);
  check_routes(checking);
  check_neighbours(checking);
  check_local(checking);
  check_gateway_nat(checking);
  return gateway;
}

}  // namespace meiguan::policy
