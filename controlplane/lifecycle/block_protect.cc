#include "controlplane/lifecycle/block_protect.h"

#include <algorithm>
#include <tuple>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/nat_scope.h"

namespace meiguan::lifecycle {
namespace {

using policy::say;

// Families apart: the mapped form of IPv4 lies amid the IPv6 addresses.
auto place(const std::string& zone, const net::Prefix& prefix) {
  return std::tuple<const std::string&, net::Family, const net::Prefix&>{zone, prefix.family(),
                                                                         prefix};
}
auto place(const ProtectedPrefix& one) { return place(one.zone, one.prefix); }

class Collector {
 public:
  explicit Collector(const policy::CheckedPolicy& policy) : policy_{policy} {}

  void add(SpaceId space, const net::Prefix& prefix, Text what) {
    found_.push_back({zone_of(space), prefix, std::move(what)});
  }
  void add(SpaceId space, const net::Address& address, Text what) {
    add(space, net::Prefix::around(address, 128), std::move(what));
  }
  [[nodiscard]] SpaceId space_of(ZoneId zone) const { return policy_.zones[zone.index()].space; }
  [[nodiscard]] bool is_management(ZoneId zone) const {
    return policy_.zones[zone.index()].kind == policy::ZoneKind::kManagement;
  }
  [[nodiscard]] std::vector<ProtectedPrefix> take() { return std::move(found_); }

 private:
  [[nodiscard]] std::string zone_of(SpaceId space) const {
    if (space == kSharedSpace) return {};
    const auto zone = std::ranges::find(policy_.zones, space, &policy::Zone::space);
    return zone == policy_.zones.end() ? std::string{} : zone->id;
  }

  const policy::CheckedPolicy& policy_;
  std::vector<ProtectedPrefix> found_;
};

void collect_gateway(const policy::CheckedGateway& gateway, Collector& found) {
  for (const policy::GatewayPort& port : gateway.ports) {
    const SpaceId space = found.space_of(port.zone);
    for (const policy::InterfaceAddress& own : port.addresses) {
      found.add(space, own.address,
                say("address {} of port {}", "端口 {1} 的地址 {0}", net::to_string(own.address),
                    port.name));
      if (!found.is_management(port.zone)) continue;
      found.add(space, net::Prefix::around(own.address, own.length),
                say("the management network at port {}", "端口 {} 上的管理网", port.name));
    }
  }
  for (const policy::GatewayRoute& route : gateway.routes) {
    if (!route.via) continue;
    const SpaceId space = found.space_of(gateway.ports[route.port.index()].zone);
    found.add(space, *route.via,
              say("next hop {} of route {}", "路由 {1} 的下一跳 {0}", net::to_string(*route.via),
                  net::to_string(route.prefix)));
  }
}

}  // namespace

std::vector<ProtectedPrefix> protected_prefixes(const policy::CheckedPolicy& policy,
                                                const policy::CheckedGateway* gateway) {
  Collector found{policy};
  if (gateway != nullptr) collect_gateway(*gateway, found);
  for (const policy::NatRange& range : policy::nat_ranges(policy)) {
    if (!policy::is_in_force(policy, range.node, gateway)) continue;
    found.add(kSharedSpace, range.prefix, policy::nat_range_text(policy, range));
  }
  for (const policy::Service& service : policy.services) {
    if (std::ranges::find(service.labels, kProtectedLabel) == service.labels.end()) continue;
    for (const policy::Endpoint& endpoint : service.endpoints) {
      found.add(found.space_of(service.zone), endpoint.prefix,
                say("service `{}`, which is labelled `protected`",
                    "带标签 `protected` 的业务系统 `{}`", service.id));
    }
  }
  for (const policy::Unit& unit : policy.units) {
    if (!found.is_management(unit.zone)) continue;
    for (const net::Prefix& prefix : unit.prefixes) {
      found.add(found.space_of(unit.zone), prefix,
                say("unit `{}` of the management network", "管理网的单位 `{}`", unit.id));
    }
  }
  return found.take();
}

ProtectedList::ProtectedList(std::vector<ProtectedPrefix> prefixes) {
  // A shorter prefix stands before those inside it; they add nothing.
  std::ranges::stable_sort(prefixes, [](const ProtectedPrefix& a, const ProtectedPrefix& b) {
    return place(a) < place(b);
  });
  for (ProtectedPrefix& one : prefixes) {
    if (!prefixes_.empty() && prefixes_.back().zone == one.zone &&
        prefixes_.back().prefix.contains(one.prefix)) {
      continue;
    }
    prefixes_.push_back(std::move(one));
  }
}

const ProtectedPrefix* ProtectedList::meets(const std::string& zone,
                                            const net::Prefix& prefix) const {
  const auto after = std::ranges::lower_bound(prefixes_, place(zone, prefix), std::less<>{},
                                              [](const ProtectedPrefix& one) {
                                                return place(one);
                                              });
  // What lies inside the prefix follows it; what holds it is the last one before.
  if (after != prefixes_.end() && after->zone == zone && prefix.contains(after->prefix)) {
    return &*after;
  }
  if (after == prefixes_.begin()) return nullptr;
  const auto last = after - 1;
  return last->zone == zone && last->prefix.contains(prefix) ? &*last : nullptr;
}

}  // namespace meiguan::lifecycle
