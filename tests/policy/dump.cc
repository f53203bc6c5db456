#include "tests/policy/dump.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cstring>

#include "controlplane/policy/syntax.h"

namespace meiguan::policy {
namespace {

constexpr std::array kTiers{"province", "prefecture", "county", "township", "village"};
constexpr std::array kKinds{"internet", "dmz", "extranet", "exchange", "private", "management"};
constexpr std::array kAdmissions{"open", "bound"};
constexpr std::array kPhases{"mandatory", "local", "baseline"};
constexpr std::array kActions{"allow", "deny", "audit"};
constexpr std::array kAntiSpoof{"strict", "loose", "off"};
constexpr std::array kHelpers{"", " helper ftp", " helper sip"};
constexpr std::array kFilterings{"address-and-port-dependent", "address-dependent",
                                 "endpoint-independent"};
constexpr image::GatewayLimits kDefaultLimits{};
constexpr std::array kDevices{"af_xdp", "af_packet", "tap", "pci", "vdev"};

template <typename Names, typename Value>
std::string name(const Names& names, Value value) {
  return names[static_cast<std::size_t>(value)];
}

class Dump {
 public:
  explicit Dump(const CheckedPolicy& policy) : policy_{policy} {}

  std::string all() {
    text_ = fmt::format("timezone {}, {} address spaces\n", policy_.timezone, policy_.space_count);
    for (const Node& n : policy_.nodes) {
      line(n.place, "node {} {} {} depth {} below {}", n.code, n.name, name(kTiers, n.tier),
           n.depth, n.parent.is_some() ? policy_.nodes[n.parent.index()].code : "-");
    }
    for (const Zone& z : policy_.zones) {
      line(z.place, "zone {} {} {} space {}{}", z.id, z.name, name(kKinds, z.kind), z.space.value(),
           z.drop_unregistered ? " drops unregistered" : "");
    }
    for (const Unit& u : policy_.units) {
      line(u.place, "unit {} {} at {} in {} {} labels {} {}", u.id, u.name, node(u.node),
           zone(u.zone), prefixes(u.prefixes), u.labels,
           name(kAdmissions, u.admission) + limits(u.limits));
    }
    for (const Terminal& t : policy_.terminals) {
      std::vector<std::string> addresses;
      for (const auto& address : t.addresses) addresses.push_back(net::to_string(address));
      line(t.place, "terminal of {} {} mac {} {}", policy_.units[t.unit.index()].id, addresses,
           t.mac ? net::to_string(*t.mac) : "-", t.name);
    }
    for (const Service& s : policy_.services) {
      std::vector<std::string> endpoints;
      for (const Endpoint& e : s.endpoints) {
        endpoints.push_back(net::to_string(e.prefix) + " " + match(e.match));
      }
      line(s.place, "service {} {} at {} in {} {} labels {}{} owner {}{}{}", s.id, s.name,
           node(s.node), zone(s.zone), endpoints, s.labels, s.publish ? " published" : "",
           s.owner.is_some() ? policy_.units[s.owner.index()].id : "-",
           s.offered_to.empty() ? "" : fmt::format(" offered to {}", selectors(s.offered_to)),
           limits(s.limits) + timeouts(s.timeouts) + kHelpers[static_cast<std::size_t>(s.helper)]);
    }
    for (const Group& g : policy_.groups) {
      line(g.place, "group {} at {} {} except {}", g.id, node(g.node), selectors(g.members),
           selectors(g.except));
    }
    for (const Schedule& s : policy_.schedules) {
      line(s.place, "schedule {} {} at {} weekdays {:07b} dates {} from {} to {}", s.id, s.name,
           node(s.node), s.weekdays, s.dates, s.start, s.end);
    }
    for (const Rule& r : policy_.rules) {
      line(r.place, "rule {} {} {} {} {}{}{} {}/{}/{}", policy_.full_name(r), r.name,
           name(kPhases, r.phase), name(kActions, r.action), flow(r), times(r), r.log ? " log" : "",
           r.ticket, r.owner, r.comment + limits(r.limits));
    }
    for (const Assertion& a : policy_.assertions) {
      line(a.place, "assert {} {} at {} {} {}", a.id, a.name, node(a.node),
           a.always ? "always" : "never", flow(a));
    }
    for (const Publish& p : policy_.publishes) {
      std::vector<std::string> targets;
      for (const auto& t : p.targets) {
        targets.push_back(fmt::format("{} port {}", net::to_string(t.address), t.port));
      }
      line(p.place, "publish {} at {} by {} {} to {}", policy_.services[p.service.index()].id,
           node(p.node), net::to_string(p.address.prefix), match(p.address.match), targets);
    }
    for (const Egress& e : policy_.egresses) {
      std::vector<std::string> npt;
      for (const auto& n : e.npt) {
        npt.push_back(net::to_string(n.inside) + " as " + net::to_string(n.outside));
      }
      line(e.place, "egress {} {} at {} from {} pool {} {} ports {}-{} blocks {} of {} npt {}",
           e.id, e.name, node(e.node), selectors(e.from), prefixes(e.pool),
           name(kFilterings, e.filtering), e.first_port, e.last_port, e.blocks_per_address,
           e.block_ports, npt);
    }
    for (const Translate& t : policy_.translates) {
      line(t.place, "translate {} at {} inside {} outside {}", zone(t.zone), node(t.node),
           net::to_string(t.inside), net::to_string(t.outside));
    }
    return text_;
  }

  [[nodiscard]] std::string zone(ZoneId id) const { return policy_.zones[id.index()].id; }

 private:
  static std::string limits(const Limits& l) {
    if (l == Limits{}) return {};
    return fmt::format(" limits {} flows {} new {} half-open {} bit/s", l.flows, l.new_per_second,
                       l.half_open, l.bandwidth);
  }
  static std::string timeouts(const Timeouts& t) {
    return t == Timeouts{} ? std::string{} : fmt::format(" timeouts {}", t);
  }
  template <typename... Args>
  void line(const Place& place, fmt::format_string<const Args&...> format, const Args&... args) {
    text_ += fmt::format("{}:{}: ", policy_.where(place), place.column) +
             fmt::format(format, args...) + "\n";
  }
  [[nodiscard]] std::string node(NodeId id) const { return policy_.nodes[id.index()].code; }

  static std::vector<std::string> prefixes(const std::vector<net::Prefix>& list) {
    std::vector<std::string> texts;
    for (const net::Prefix& prefix : list) texts.push_back(net::to_string(prefix));
    return texts;
  }

  static std::string match(const PortMatch& m) {
    if (m.any_protocol) return "any";
    return m.whole ? fmt::format("proto {}", m.protocol)
                   : fmt::format("proto {} {}-{}", m.protocol, m.first, m.last);
  }

  template <typename Flow>
  [[nodiscard]] std::string flow(const Flow& f) const {
    std::vector<std::string> ports;
    for (const PortMatch& m : f.ports) ports.push_back(match(m));
    return fmt::format("from {} except {} to {} except {} ports {}", selectors(f.from),
                       selectors(f.except_from), selectors(f.to), selectors(f.except_to), ports);
  }

  [[nodiscard]] std::string times(const Rule& r) const {
    std::string text;
    if (r.schedule.is_some()) text += " schedule " + policy_.schedules[r.schedule.index()].id;
    if (r.not_before) text += fmt::format(" not before {}", *r.not_before);
    if (r.expires) text += fmt::format(" expires {}", *r.expires);
    return text;
  }

  [[nodiscard]] std::string selector(const Selector& s) const {
    switch (s.kind) {
      case SelectorKind::kAny: return "any";
      case SelectorKind::kUnit: return "unit:" + policy_.units[s.unit.index()].id;
      case SelectorKind::kNode: return "node:" + node(s.node);
      case SelectorKind::kTier: return "tier:" + name(kTiers, s.tier);
      case SelectorKind::kLabel: return "label:" + s.text;
      case SelectorKind::kGroup: return "group:" + policy_.groups[s.group.index()].id;
      case SelectorKind::kZone: return "zone:" + zone(s.zone);
      case SelectorKind::kNet:
        return fmt::format("net:{} space {}", net::to_string(s.prefix), s.space.value());
      case SelectorKind::kService: return "service:" + policy_.services[s.service.index()].id;
      case SelectorKind::kServices: return "services:" + s.text;
    }
    return {};
  }
  [[nodiscard]] std::vector<std::string> selectors(const std::vector<Selector>& list) const {
    std::vector<std::string> texts;
    for (const Selector& s : list) texts.push_back(selector(s));
    return texts;
  }

  const CheckedPolicy& policy_;
  std::string text_;
};

}  // namespace

std::string dump(const CheckedPolicy& policy) { return Dump(policy).all(); }

std::string dump(const CheckedGateway& gateway, const CheckedPolicy& policy) {
  const Dump names(policy);
  std::string text = fmt::format("gateway {} node {} workers {}{}\n", gateway.file,
                                 gateway.node_code, gateway.workers,
                                 gateway.kernel_routes.line != 0 ? " routes kernel" : "");
  for (const GatewayPort& p : gateway.ports) {
    std::vector<std::string> addresses;
    for (const InterfaceAddress& a : p.addresses) {
      addresses.push_back(fmt::format("{}/{}", net::to_string(a.address), a.length));
    }
    text += fmt::format("line {}: port {} {} zone {} {} mac {} mtu {} {}{}\n", p.place.line, p.name,
                        p.device_kind ? name(kDevices, *p.device_kind) + ":" + p.device
                                      : fmt::format("{} vlan {}",
                                                    gateway.ports[p.parent.index()].name, p.vlan),
                        names.zone(p.zone), addresses, p.mac ? net::to_string(*p.mac) : "-", p.mtu,
                        name(kAntiSpoof, p.anti_spoof), p.tap.empty() ? "" : " tap " + p.tap);
  }
  for (const GatewayRoute& r : gateway.routes) {
    text += fmt::format("line {}: route {} space {} via {} port {}\n", r.place.line,
                        net::to_string(r.prefix), r.space.value(),
                        r.via ? net::to_string(*r.via) : "-", gateway.ports[r.port.index()].name);
  }
  for (const GatewayNeighbour& n : gateway.neighbours) {
    text += fmt::format("line {}: neighbour {} {} port {}\n", n.place.line,
                        net::to_string(n.address), net::to_string(n.mac),
                        gateway.ports[n.port.index()].name);
  }
  for (const GatewayLocal& local : gateway.locals) {
    std::vector<std::string> from;
    for (const net::Prefix& prefix : local.from) from.push_back(net::to_string(prefix));
    std::vector<std::string> services;
    for (const PortMatch& match : local.services) services.push_back(ports_text(match));
    text += fmt::format("line {}: local port {} from {} services {}\n", local.place.line,
                        gateway.ports[local.port.index()].name, from, services);
  }
  const image::GatewayLimits& l = gateway.limits;
  if (std::memcmp(&l, &kDefaultLimits, sizeof l) != 0) {
    text += fmt::format(
        "limits source {} flows {} new, {} new in all, half-open {}, cookies {}, fragments {} of "
        "which {}% {} s {} s, shares from {}% {}%, attacks from {} {} {} {} {} {}\n",
        l.source_flows, l.source_new_per_second, l.new_per_second, l.half_open_per_destination,
        l.syn_cookies, l.fragment_datagrams, l.fragment_source_percent, l.fragment_seconds_v4,
        l.fragment_seconds_v6, l.share_from_percent, l.share_percent, l.syn_flood, l.udp_flood,
        l.icmp_flood, l.vertical_scan, l.horizontal_scan, l.fan_out);
  }
  return text;
}

}  // namespace meiguan::policy
