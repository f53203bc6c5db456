// What is translated: who may publish what, and which public addresses meet which others.

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/nat_scope.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::policy {
namespace {

constexpr std::uint8_t kShortestPool = 16;
constexpr std::uint8_t kShortestNpt = 16;
constexpr std::uint8_t kLongestNpt = 64;  // RFC 6296 section 3.4
constexpr std::size_t kMostNptBlocks = 4'096;

std::string code_of(const Checking& checking, NodeId node) {
  return printable(checking.policy.nodes[node.index()].code);
}

bool are_related(const Checking& checking, NodeId a, NodeId b) {
  return checking.is_within(a, b) || checking.is_within(b, a);
}

bool is_unicast(const net::Prefix& prefix) {
  const std::uint8_t first = prefix.address().wire()[0];
  if (prefix.family() == net::Family::kIpv4) return first != 0 && first != 127 && first < 224;
  return (first & 0xe0) == 0x20 || (first & 0xfe) == 0xfc;
}

void check_unicast(Checking& checking, const net::Prefix& prefix, const Place& place) {
  if (is_unicast(prefix)) return;
  checking.reporter.error(place, say("{} is no unicast address of a host", "{} 不是主机单播地址",
                                     net::to_string(prefix)));
}

// Where `address` leads at an endpoint of the service; nothing where that is not one host and port.
std::optional<Publish::Target> target_at(const Endpoint& address, const Endpoint& endpoint) {
  if (endpoint.prefix.family() != address.prefix.family() ||
      endpoint.prefix.length() != net::address_bits(endpoint.prefix.family())) {
    return std::nullopt;
  }
  const PortMatch& outside = address.match;
  const PortMatch& inside = endpoint.match;
  if (!inside.any_protocol && (outside.any_protocol || outside.protocol != inside.protocol)) {
    return std::nullopt;
  }
  Publish::Target target{endpoint.prefix.address(), 0};
  const bool holds = inside.any_protocol || inside.whole ||
                     (!outside.whole && inside.first <= outside.first &&
                      outside.last <= inside.last);
  if (holds) return target;
  if (outside.whole || outside.first != outside.last || inside.first != inside.last) {
    return std::nullopt;
  }
  target.port = inside.first;
  return target;
}

void check_publish(Checking& checking, const DraftPublish& draft, Publish& publish) {
  const Service& service = checking.policy.services[publish.service.index()];
  if (!service.publish) {
    checking.reporter.error(draft.service->place,
                            say("service `{}` does not have `publish = true`, a published one must",
                                "业务系统 `{}` 没有 `publish = true`，不能对外发布", service.id),
                            say("it is defined at {}", "其定义位于 {}",
                                checking.reporter.where(service.place)));
  }
  if (!checking.is_within(service.node, publish.node)) {
    checking.reporter.error(
        draft.service->place,
        say("service `{}` is at node {}, one of the subtree of node {} expected",
            "业务系统 `{}` 位于节点 {}，应为节点 {} 子树中的业务系统", service.id,
            code_of(checking, service.node), code_of(checking, publish.node)));
  }
  if (!draft.has_address) return;
  check_unicast(checking, publish.address.prefix, draft.address_place);
  for (const Endpoint& endpoint : service.endpoints) {
    if (auto target = target_at(publish.address, endpoint)) publish.targets.push_back(*target);
  }
  std::ranges::sort(publish.targets);
  const auto rest = std::ranges::unique(publish.targets);
  publish.targets.erase(rest.begin(), rest.end());
  if (!publish.targets.empty()) return;
  checking.reporter.error(
      draft.address_place,
      say("`{}` leads to no endpoint of service `{}`", "`{}` 无法对应业务系统 `{}` 的任何端点",
          endpoint_text(publish.address), service.id),
      say("an endpoint with a single address of the same family and protocol is expected, with one "
          "port for one port or with all the public ports",
          "应有同一地址族、同一协议的单地址端点：单端口对单端口，或包含全部公网端口"));
}

// Two publishes may share an address where protocols or ports part them.
bool share_packets(const PortMatch& a, const PortMatch& b) {
  if (a.any_protocol || b.any_protocol) return true;
  if (a.protocol != b.protocol) return false;
  return a.whole || b.whole || (a.first <= b.last && b.first <= a.last);
}

// Of two ranges the one written later, and the other.
void report_meeting(Checking& checking, const NatRange& range, const NatRange& other,
                    const Place& place) {
  const Text a = nat_range_text(checking.policy, range);
  const Text b = nat_range_text(checking.policy, other);
  checking.reporter.error(place,
                          Text{fmt::format("{} meets {}", a.english, b.english),
                               fmt::format("{} 与 {} 重叠", a.chinese, b.chinese)},
                          say("it is given at {}; both would be in force at one gateway",
                              "后者位于 {}；两者会在同一网关上生效",
                              checking.reporter.where(other.place)));
}

void check_meetings(Checking& checking, const std::vector<NatRange>& ranges) {
  std::vector<const NatRange*> sorted;
  for (const NatRange& range : ranges) sorted.push_back(&range);
  std::ranges::stable_sort(sorted, {}, &NatRange::prefix);
  // The ranges that hold the current one: prefixes nest or are apart.
  std::vector<const NatRange*> around;
  for (const NatRange* const range : sorted) {
    while (!around.empty() && !around.back()->prefix.contains(range->prefix)) around.pop_back();
    for (const NatRange* const other : around) {
      if (!are_related(checking, range->node, other->node)) continue;
      if (range->kind == image::NatKind::kPublish && other->kind == image::NatKind::kPublish &&
          !share_packets(checking.policy.publishes[range->object].address.match,
                         checking.policy.publishes[other->object].address.match)) {
        continue;
      }
      report_meeting(checking, *range, *other, range->place);
      break;
    }
    around.push_back(range);
  }
}

void check_units(Checking& checking, const NatRange& range) {
  UnitId met;
  checking.unit_prefixes.for_each_owner(kSharedSpace, range.prefix.address(),
                                        next_address(range.prefix.last()), [&](UnitId unit) {
                                          if (unit.is_some()) met = unit;
                                          return unit.is_none();
                                        });
  if (met.is_none()) return;
  const Text text = nat_range_text(checking.policy, range);
  const Unit& unit = checking.policy.units[met.index()];
  checking.reporter.error(range.place,
                          Text{fmt::format("{} meets a prefix of unit `{}`", text.english, unit.id),
                               fmt::format("{} 与单位 `{}` 的前缀重叠", text.chinese, unit.id)},
                          say("translated addresses are nobody's own; the unit is at {}",
                              "转换用的地址不能是任何单位自己的地址；该单位位于 {}",
                              checking.reporter.where(unit.place)));
}

void check_endpoints(Checking& checking, const std::vector<NatRange>& ranges) {
  for (const Service& service : checking.policy.services) {
    if (checking.space_of(service.zone) != kSharedSpace) continue;
    for (const Endpoint& endpoint : service.endpoints) {
      for (const NatRange& range : ranges) {
        if (!range.prefix.contains(endpoint.prefix)) continue;
        const Text text = nat_range_text(checking.policy, range);
        checking.reporter.error(
            range.place,
            Text{fmt::format("{} is where service `{}` listens", text.english, service.id),
                 fmt::format("{} 是业务系统 `{}` 的监听地址", text.chinese, service.id)},
            say("endpoints are inside addresses; the service is at {}",
                "端点应为内部地址；该业务系统位于 {}", checking.reporter.where(service.place)));
      }
    }
  }
}

void check_pool(Checking& checking, const DraftEgress& draft, const Egress& egress) {
  for (std::size_t i = 0; i < egress.pool.size(); ++i) {
    const net::Prefix& pool = egress.pool[i];
    check_unicast(checking, pool, draft.pool_places[i]);
    const bool v4 = pool.family() == net::Family::kIpv4;
    const std::uint8_t shortest = v4 ? kShortestPool : kShortestNpt;
    const std::uint8_t longest = v4 ? 32 : kLongestNpt;
    if (pool.length() >= shortest && pool.length() <= longest) continue;
    checking.reporter.error(draft.pool_places[i],
                            say("pool {} has length {}, {} to {} expected",
                                "地址池 {} 的长度为 {}，应为 {} 至 {}", net::to_string(pool),
                                pool.length(), shortest, longest));
  }
}

// Which inside prefix becomes which of the pool: RFC 6296 maps prefixes of one length.
void plan_npt(Checking& checking, const DraftEgress& draft, Egress& egress) {
  std::vector<net::Prefix> outsides;
  Place place;
  for (std::size_t i = 0; i < egress.pool.size(); ++i) {
    if (egress.pool[i].family() != net::Family::kIpv6) continue;
    if (outsides.empty()) place = draft.pool_places[i];
    if (!outsides.empty() && outsides.front().length() != egress.pool[i].length()) {
      checking.reporter.error(
          draft.pool_places[i],
          say("the IPv6 prefixes of a pool have lengths {} and {}, one expected",
              "同一地址池的 IPv6 前缀长度为 {} 和 {}，应相同", outsides.front().length(),
              egress.pool[i].length()));
      return;
    }
    outsides.push_back(egress.pool[i]);
  }
  if (outsides.empty()) return;
  const std::uint8_t length = outsides.front().length();
  std::vector<net::Prefix> insides;
  for (const net::Prefix& source : npt_sources(checking.policy, egress)) {
    if (source.length() < length) {
      checking.reporter.error(
          place, say("source {} of egress `{}` is wider than the pool's IPv6 prefixes of length {}",
                     "出口 `{1}` 的源 {0} 比地址池的 IPv6 前缀（长度 {2}）更宽",
                     net::to_string(source), egress.id, length));
      return;
    }
    const net::Prefix inside = net::Prefix::around(source.address(), length);
    if (insides.empty() || insides.back() != inside) insides.push_back(inside);
    if (insides.size() > kMostNptBlocks) break;
  }
  if (insides.size() > outsides.size()) {
    checking.reporter.error(
        place,
        say("egress `{}` has sources in {} prefixes of length {}, its pool has {}",
            "出口 `{}` 的源分布在 {} 个长度为 {} 的前缀中，而地址池只有 {} 个", egress.id,
            insides.size(), length, outsides.size()),
        say("IPv6 is translated prefix by prefix (RFC 6296): give as many, or a shorter one that "
            "takes them all",
            "IPv6 按前缀一对一转换（RFC 6296）：请给出同样多的前缀，或一个足以容纳的更短前缀"));
    return;
  }
  for (std::size_t i = 0; i < insides.size(); ++i) {
    egress.npt.push_back({insides[i], outsides[i]});
  }
}

void check_translate(Checking& checking, const DraftTranslate& draft, const Translate& t) {
  if (!draft.has_inside || !draft.has_outside) return;
  check_unicast(checking, t.inside, draft.inside_place);
  check_unicast(checking, t.outside, draft.outside_place);
  const SpaceId space = checking.policy.zones[t.zone.index()].space;
  if (t.node == NodeId{0}) return;
  const auto other = checking.unit_prefixes.owner_outside(space, t.inside, t.node,
                                                          checking.subtree_end[t.node.index()]);
  if (!other) return;
  checking.reporter.error(
      draft.inside_place,
      say("{} holds addresses of unit `{}` at node {}, which is not in the subtree of node {}",
          "{0} 含有节点 {2} 的单位 `{1}` 的地址，该节点不在节点 {3} 的子树内",
          net::to_string(t.inside), checking.policy.units[other->unit.index()].id,
          code_of(checking, other->node), code_of(checking, t.node)));
}

void check_insides(Checking& checking) {
  const auto& translates = checking.policy.translates;
  std::vector<std::uint32_t> order;
  for (std::uint32_t i = 0; i < translates.size(); ++i) order.push_back(i);
  std::ranges::stable_sort(order, {}, [&](std::uint32_t i) {
    return std::tuple{translates[i].zone, translates[i].inside};
  });
  std::vector<std::uint32_t> around;
  for (const std::uint32_t i : order) {
    const Translate& t = translates[i];
    while (!around.empty() && (translates[around.back()].zone != t.zone ||
                               !translates[around.back()].inside.contains(t.inside))) {
      around.pop_back();
    }
    for (const std::uint32_t o : around) {
      if (!are_related(checking, t.node, translates[o].node)) continue;
      checking.reporter.error(t.place,
                              say("`inside` {} meets `inside` {} of the same zone",
                                  "`inside` {} 与同一区域的 `inside` {} 重叠",
                                  net::to_string(t.inside), net::to_string(translates[o].inside)),
                              say("it is given at {}; both would be in force at one gateway",
                                  "后者位于 {}；两者会在同一网关上生效",
                                  checking.reporter.where(translates[o].place)));
      break;
    }
    around.push_back(i);
  }
}

void resolve_publishes(Checking& checking) {
  for (DraftPublish& draft : checking.draft.publishes) {
    Publish publish = draft.publish;
    if (draft.service) {
      const auto service = checking.services.resolve(draft.service->text, draft.service->place,
                                                     checking.reporter);
      if (service) publish.service = ServiceId{*service};
    }
    if (publish.service.is_none()) continue;
    check_publish(checking, draft, publish);
    if (draft.has_address) checking.policy.publishes.push_back(std::move(publish));
  }
}

void resolve_egresses(Checking& checking) {
  NameTable ids{Text{"egress", "出口"}};
  std::vector<DraftEgress>& drafts = checking.draft.egresses;
  for (std::uint32_t i = 0; i < drafts.size(); ++i) {
    Egress& egress = drafts[i].egress;
    if (const auto first = ids.add(egress.id, i)) {
      checking.reporter.error(drafts[i].id_place,
                              say("egress `{}` is defined a second time", "出口 `{}` 重复定义",
                                  printable(egress.id)),
                              say("it is first defined at {}", "首次定义于 {}",
                                  checking.reporter.where(drafts[*first].id_place)));
    }
    resolve_selectors(checking, egress.from, egress.node);
    check_pool(checking, drafts[i], egress);
    checking.policy.egresses.push_back(egress);
  }
}

void resolve_translates(Checking& checking) {
  for (DraftTranslate& draft : checking.draft.translates) {
    Translate translate = draft.translate;
    if (!draft.zone) continue;
    translate.zone = resolve_zone(checking, draft.zone->text, draft.zone->place);
    if (!checking.has_zone_kind(translate.zone)) continue;
    const Zone& zone = checking.policy.zones[translate.zone.index()];
    if (zone.kind != ZoneKind::kPrivate) {
      checking.reporter.error(draft.zone->place,
                              say("zone `{}` is not private, a [[translate]] is of a private zone",
                                  "区域 `{}` 不是 private 类型，[[translate]] 只用于专用区域",
                                  zone.id));
      continue;
    }
    check_translate(checking, draft, translate);
    if (draft.has_inside && draft.has_outside) {
      checking.policy.translates.push_back(translate);
    }
  }
}

}  // namespace

void resolve_nat(Checking& checking) {
  resolve_publishes(checking);
  resolve_egresses(checking);
  resolve_translates(checking);
}

void check_nat(Checking& checking) {
  const std::vector<NatRange> ranges = nat_ranges(checking.policy);
  check_meetings(checking, ranges);
  for (const NatRange& range : ranges) check_units(checking, range);
  check_endpoints(checking, ranges);
  check_insides(checking);
  // Groups are followed: none may be in a cycle.
  if (checking.reporter.has_errors()) return;
  for (std::size_t i = 0; i < checking.policy.egresses.size(); ++i) {
    plan_npt(checking, checking.draft.egresses[i], checking.policy.egresses[i]);
  }
}

}  // namespace meiguan::policy
