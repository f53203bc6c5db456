#include "controlplane/policy/compile_targets.h"

#include <fmt/core.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <utility>

#include "controlplane/policy/compile_bits.h"
#include "controlplane/policy/compile_selectors.h"

namespace meiguan::policy {
namespace {

constexpr std::uint32_t kKeyEnd = std::uint32_t{1} << 24;

struct KeySpan {
  std::uint32_t first;
  std::uint32_t end;  // one past the last
};

KeySpan span_of(const PortMatch& match) {
  if (match.any_protocol) return {0, kKeyEnd};
  const std::uint32_t base = std::uint32_t{match.protocol} << 16;
  if (match.whole) return {base, base + 0x1'0000};
  return {base + match.first, base + match.last + 1};
}

// Width of an endpoint's ports, for "the most specific": fewer keys are narrower.
std::uint32_t width(const PortMatch& match) {
  const KeySpan span = span_of(match);
  return span.end - span.first;
}

// Atoms at which a rule's `to` could match, for whatever port; a superset is harmless.
class AtomReach {
 public:
  AtomReach(const CheckedPolicy& policy, const AddressPlan& plan)
      : policy_{policy}, plan_{plan}, units_{policy}, by_unit_(policy.units.size()) {
    for (std::size_t a = 0; a < plan.atoms.size(); ++a) {
      const PlannedAtom& atom = plan.atoms[a];
      if (atom.unit.is_some()) by_unit_[atom.unit.index()].push_back(a);
      for (const std::uint32_t net : atom.nets) by_net_[net].push_back(a);
      for (const EndpointRef& e : atom.endpoints) by_service_[e.service].insert(a);
    }
  }

  [[nodiscard]] Bits of(std::span<const Selector> selectors) const {
    Bits reach{plan_.atoms.size()};
    for (const Selector& s : selectors) add(s, reach);
    return reach;
  }

 private:
  void add(const Selector& s, Bits& reach) const {
    switch (s.kind) {
      case SelectorKind::kAny:
      case SelectorKind::kZone: reach = Bits{plan_.atoms.size(), true}; return;
      case SelectorKind::kUnit:
      case SelectorKind::kNode:
      case SelectorKind::kTier:
      case SelectorKind::kLabel:
        for (const UnitId unit : units_.of(s)) {
          for (const std::size_t a : by_unit_[unit.index()]) reach.set(a);
        }
        return;
      case SelectorKind::kGroup: reach |= of_group(s.group); return;
      case SelectorKind::kNet:
        if (const auto it = by_net_.find(plan_.net_index(s.space, s.prefix)); it != by_net_.end()) {
          for (const std::size_t a : it->second) reach.set(a);
        }
        return;
      case SelectorKind::kService: add_service(s.service, reach); return;
      case SelectorKind::kServices:
        for (std::size_t i = 0; i < policy_.services.size(); ++i) {
          const auto& labels = policy_.services[i].labels;
          if (std::ranges::find(labels, s.text) != labels.end()) {
            add_service(ServiceId{static_cast<std::uint32_t>(i)}, reach);
          }
        }
        return;
    }
  }
  const Bits& of_group(GroupId id) const {
    if (const auto it = found_.find(id); it != found_.end()) return it->second;
    return found_.emplace(id, of(policy_.groups[id.index()].members)).first->second;
  }
  void add_service(ServiceId service, Bits& reach) const {
    if (const auto it = by_service_.find(service); it != by_service_.end()) {
      for (const std::size_t a : it->second) reach.set(a);
    }
  }

  const CheckedPolicy& policy_;
  const AddressPlan& plan_;
  UnitSets units_;
  std::vector<std::vector<std::size_t>> by_unit_;
  std::map<std::uint32_t, std::vector<std::size_t>> by_net_;
  std::map<ServiceId, std::set<std::size_t>> by_service_;
  mutable std::map<GroupId, Bits> found_;  // as in SourcePoints
};

using PortList = std::vector<PortMatch>;

// The `ports` lists of rules, each once, and at which atoms each can matter.
struct Narrowings {
  std::vector<PortList> lists;
  std::vector<std::vector<std::uint32_t>> by_atom;
};

auto order_of(const PortMatch& m) {
  return std::tuple{m.any_protocol, m.protocol, m.whole, m.first, m.last};
}

Narrowings find_narrowings(const CheckedPolicy& policy, const AddressPlan& plan) {
  Narrowings result;
  result.by_atom.resize(plan.atoms.size());
  const AtomReach reach{policy, plan};
  const auto less = [](const PortList& a, const PortList& b) {
    return std::ranges::lexicographical_compare(a, b, [](const auto& x, const auto& y) {
      return order_of(x) < order_of(y);
    });
  };
  std::map<PortList, Bits, decltype(less)> lists{less};
  const auto add = [&](const PortList& ports, const std::vector<Selector>& to) {
    if (ports.empty()) return;
    const Bits atoms = reach.of(to);
    if (const auto [it, is_new] = lists.try_emplace(ports, atoms); !is_new) it->second |= atoms;
  };
  for (const Rule& rule : policy.rules) add(rule.ports, rule.to);
  for (const Assertion& assertion : policy.assertions) add(assertion.ports, assertion.to);
  for (const auto& [list, atoms] : lists) {
    const auto number = static_cast<std::uint32_t>(result.lists.size());
    result.lists.push_back(list);
    atoms.for_each([&](std::size_t a) { result.by_atom[a].push_back(number); });
  }
  return result;
}

std::unexpected<Error> too_many(const CheckedPolicy& policy, const PlannedAtom& atom,
                                const Narrowings& narrowings, std::size_t at) {
  std::string who = "?";
  if (!narrowings.by_atom[at].empty()) {
    const PortList& ports = narrowings.lists[narrowings.by_atom[at].back()];
    const auto rule = std::ranges::find(policy.rules, ports, &Rule::ports);
    if (rule != policy.rules.end()) {
      who = fmt::format("{} ({})", policy.full_name(*rule), policy.where(rule->place));
    }
  } else if (!atom.endpoints.empty()) {
    const Service& service = policy.services[atom.endpoints.back().service.index()];
    who = fmt::format("{} ({})", service.id, policy.where(service.place));
  }
  return fail(
      fmt::format("the policy's ports and prefixes part destinations into more pieces than "
                  "can be worked out; the ports of {} are among those where it was given "
                  "up: let rules and services name the same ports, or fewer prefixes inside "
                  "one another",
                  who),
      fmt::format("策略中的端口与前缀把目的划分得过细，无法全部算出；放弃之处涉及 {} 的端口："
                  "请让规则和业务系统尽量使用相同的端口，或减少互相嵌套的前缀",
                  who));
}

}  // namespace

bool matches(const PortMatch& match, std::uint32_t key) noexcept {
  const KeySpan span = span_of(match);
  return span.first <= key && key < span.end;
}

Result<TargetPlan> plan_targets(const CheckedPolicy& policy, const AddressPlan& addresses) {
  TargetPlan plan;
  std::size_t work = 0;
  const Narrowings narrowings = find_narrowings(policy, addresses);
  std::map<std::vector<std::pair<std::uint32_t, std::uint32_t>>, std::uint32_t> map_numbers;

  for (std::size_t a = 0; a < addresses.atoms.size(); ++a) {
    const PlannedAtom& atom = addresses.atoms[a];
    std::set<std::uint32_t> cuts{0};
    const auto cut = [&](const PortMatch& match) {
      const KeySpan span = span_of(match);
      cuts.insert(span.first);
      if (span.end < kKeyEnd) cuts.insert(span.end);
    };
    for (const EndpointRef& e : atom.endpoints) {
      cut(policy.services[e.service.index()].endpoints[e.endpoint].match);
    }
    for (const std::uint32_t list : narrowings.by_atom[a]) {
      for (const PortMatch& match : narrowings.lists[list]) cut(match);
    }

    std::size_t matches_of_key = atom.endpoints.size() + 1;
    for (const std::uint32_t list : narrowings.by_atom[a]) {
      matches_of_key += narrowings.lists[list].size();
    }
    work += cuts.size() * matches_of_key;
    if (work > kMaxPortWork || plan.targets.size() > kMaxTargets) {
      return too_many(policy, atom, narrowings, a);
    }

    // Spans of equal content share a slot.
    plan.first_target.push_back(static_cast<std::uint32_t>(plan.targets.size()));
    std::map<std::pair<std::vector<EndpointRef>, std::vector<std::uint32_t>>, std::uint32_t> slots;
    std::vector<std::pair<std::uint32_t, std::uint32_t>> breaks;
    for (const std::uint32_t key : cuts) {
      std::vector<EndpointRef> here;
      for (const EndpointRef& e : atom.endpoints) {
        if (matches(policy.services[e.service.index()].endpoints[e.endpoint].match, key)) {
          here.push_back(e);
        }
      }
      std::vector<std::uint32_t> lists;
      for (const std::uint32_t list : narrowings.by_atom[a]) {
        if (std::ranges::any_of(narrowings.lists[list],
                                [&](const PortMatch& m) { return matches(m, key); })) {
          lists.push_back(list);
        }
      }
      const auto [it, is_new] = slots.try_emplace({here, lists},
                                                  static_cast<std::uint32_t>(slots.size()));
      if (is_new) {
        PlannedTarget target;
        target.atom = static_cast<std::uint32_t>(a);
        target.key = key;
        target.unit = atom.unit;
        if (atom.unit.is_some()) target.zones.push_back(policy.units[atom.unit.index()].zone);
        // Longest prefix, then narrowest ports, then first id in byte order.
        const EndpointRef* best = nullptr;
        const auto rank = [&](const EndpointRef& e) {
          const Service& service = policy.services[e.service.index()];
          const Endpoint& endpoint = service.endpoints[e.endpoint];
          return std::tuple{-static_cast<int>(endpoint.prefix.length()), width(endpoint.match),
                            std::string_view{service.id}};
        };
        for (const EndpointRef& e : here) {
          if (target.services.empty() || target.services.back() != e.service) {
            target.services.push_back(e.service);
          }
          target.zones.push_back(policy.services[e.service.index()].zone);
          if (best == nullptr || rank(e) < rank(*best)) best = &e;
        }
        if (best != nullptr) target.best = best->service;
        std::ranges::sort(target.zones);
        const auto rest = std::ranges::unique(target.zones);
        target.zones.erase(rest.begin(), rest.end());
        plan.targets.push_back(std::move(target));
      }
      if (breaks.empty() || breaks.back().second != it->second)
        breaks.emplace_back(key, it->second);
    }
    plan.slots.push_back(static_cast<std::uint32_t>(slots.size()));

    const auto [it, is_new] = map_numbers.try_emplace(breaks,
                                                      static_cast<std::uint32_t>(plan.maps.size()));
    if (is_new) {
      plan.maps.push_back({static_cast<std::uint32_t>(plan.breaks.size()),
                           static_cast<std::uint32_t>(breaks.size())});
      for (const auto& [key, slot] : breaks) plan.breaks.push_back({key, slot});
    }
    plan.port_map.push_back(it->second);
  }
  return plan;
}

}  // namespace meiguan::policy
