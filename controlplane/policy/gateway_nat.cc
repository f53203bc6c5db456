// What the policy translates at a gateway against the gateway's own addresses, subnets and routes.

#include <algorithm>

#include "controlplane/policy/check_gateway.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/nat_scope.h"

namespace meiguan::policy {
namespace {

class RangeCheck {
 public:
  RangeCheck(GatewayChecking& checking, const NatRange& range)
      : checking_{checking}, range_{range}, text_{nat_range_text(checking.policy, range)} {}

  void ports() {
    for (std::uint16_t p = 0; p < checking_.gateway.ports.size(); ++p) {
      if (checking_.space_of(PortId{p}) != kSharedSpace) continue;
      const GatewayPort& port = checking_.gateway.ports[p];
      for (std::size_t i = 0; i < port.addresses.size(); ++i) {
        own_address(port, port.addresses[i], checking_.draft.ports[p].address_places[i]);
      }
    }
  }

  void routes() {
    for (std::size_t i = 0; i < checking_.gateway.routes.size(); ++i) {
      const DraftRoute& draft = checking_.draft.routes[i];
      const GatewayRoute& route = checking_.gateway.routes[i];
      if (route.space == kSharedSpace && draft.has_prefix && range_.prefix.contains(route.prefix)) {
        report(draft.prefix_place,
               say("a route to {} lies in", "路由 {} 位于其内：", net::to_string(route.prefix)));
      }
      if (route.via && range_.prefix.contains(*route.via)) {
        report(draft.via_place,
               say("`via` {} is an address of", "`via` {} 属于：", net::to_string(*route.via)));
      }
    }
  }

  void neighbours() {
    for (const DraftNeighbour& draft : checking_.draft.neighbours) {
      if (!draft.has_address || !range_.prefix.contains(draft.neighbour.address)) continue;
      report(draft.address_place, say("neighbour {} is an address of", "邻居 {} 属于：",
                                      net::to_string(draft.neighbour.address)));
    }
  }

 private:
  void own_address(const GatewayPort& port, const InterfaceAddress& own, const Place& place) {
    const net::Prefix subnet = net::Prefix::around(own.address, own.length);
    const bool v4 = subnet.family() == net::Family::kIpv4;
    if (range_.prefix.contains(own.address)) {
      report(place, say("the gateway's own address {} at port `{}` is one of",
                        "网关自身地址 {}（端口 `{}`）属于：", net::to_string(own.address),
                        printable(port.name)));
    } else if (range_.kind == image::NatKind::kTranslate && range_.prefix.overlaps(subnet)) {
      report(place, say("subnet {} of port `{}` meets", "端口 `{1}` 的子网 {0} 重叠于：",
                        net::to_string(subnet), printable(port.name)));
    } else if (v4 && own.length <= 30 && range_.prefix.contains(subnet.last())) {
      report(place, say("the broadcast address of {} is one of", "{} 的广播地址属于：",
                        net::to_string(subnet)));
    } else if (!v4 && own.length <= 126 && range_.prefix.contains(subnet.address())) {
      report(place,
             say("the routers' address {} of a connected subnet (RFC 4291) is one of",
                 "直连子网的路由器地址 {}（RFC 4291）属于：", net::to_string(subnet.address())));
    }
  }

  void report(const Place& place, const Text& what) {
    checking_.reporter.error(
        place,
        Text{fmt::format("{} {}", what.english, text_.english),
             fmt::format("{}{}", what.chinese, text_.chinese)},
        say("it is given at {} of the policy; translated addresses are nobody's own",
            "其定义位于策略的 {}；转换用的地址不能另作他用", checking_.policy.where(range_.place)));
  }

  GatewayChecking& checking_;
  const NatRange& range_;
  Text text_;
};

}  // namespace

void check_gateway_nat(GatewayChecking& checking) {
  if (checking.gateway.node.is_none()) return;
  for (const NatRange& range : nat_ranges(checking.policy)) {
    if (!is_in_force(checking.policy, range.node, &checking.gateway)) continue;
    RangeCheck check{checking, range};
    check.ports();
    check.routes();
    check.neighbours();
  }
}

}  // namespace meiguan::policy
