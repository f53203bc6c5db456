#include "controlplane/policy/compile_atoms.h"

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "controlplane/policy/nat_scope.h"

namespace meiguan::policy {
namespace {

// What one prefix of one space stands for.
struct Named {
  std::optional<UnitId> unit;
  std::optional<std::uint32_t> net;
  std::vector<EndpointRef> endpoints;
  bool translated{false};
};

void collect_nets(std::span<const Selector> selectors, std::vector<NetSelector>& nets) {
  for (const Selector& s : selectors) {
    if (s.kind == SelectorKind::kNet) nets.push_back({s.space, s.prefix});
  }
}

std::vector<NetSelector> all_nets(const CheckedPolicy& policy) {
  std::vector<NetSelector> nets;
  for (const Rule& rule : policy.rules) {
    for (const auto* list : {&rule.from, &rule.except_from, &rule.to, &rule.except_to}) {
      collect_nets(*list, nets);
    }
  }
  for (const Assertion& assertion : policy.assertions) {
    for (const auto* list :
         {&assertion.from, &assertion.except_from, &assertion.to, &assertion.except_to}) {
      collect_nets(*list, nets);
    }
  }
  for (const Egress& egress : policy.egresses) collect_nets(egress.from, nets);
  for (const Group& group : policy.groups) {
    collect_nets(group.members, nets);
    collect_nets(group.except, nets);
  }
  std::ranges::sort(nets);
  const auto rest = std::ranges::unique(nets);
  nets.erase(rest.begin(), rest.end());
  return nets;
}

}  // namespace

std::uint32_t AddressPlan::net_index(SpaceId space, const net::Prefix& prefix) const {
  const auto it = std::ranges::lower_bound(nets, NetSelector{space, prefix});
  return static_cast<std::uint32_t>(it - nets.begin());
}

AddressPlan plan_addresses(const CheckedPolicy& policy, const CheckedGateway* gateway) {
  AddressPlan plan;
  plan.nets = all_nets(policy);
  plan.spaces.resize(policy.space_count);

  // Ordered by address, then length: a prefix comes right before those inside it.
  std::vector<std::map<net::Prefix, Named>> named(policy.space_count);
  for (std::size_t i = 0; i < policy.units.size(); ++i) {
    const Unit& unit = policy.units[i];
    const SpaceId space = policy.zones[unit.zone.index()].space;
    for (const net::Prefix& prefix : unit.prefixes) {
      named[space.index()][prefix].unit = UnitId{static_cast<std::uint32_t>(i)};
    }
  }
  for (std::size_t i = 0; i < policy.services.size(); ++i) {
    const Service& service = policy.services[i];
    const SpaceId space = policy.zones[service.zone.index()].space;
    for (std::size_t e = 0; e < service.endpoints.size(); ++e) {
      named[space.index()][service.endpoints[e].prefix].endpoints.push_back(
          {ServiceId{static_cast<std::uint32_t>(i)}, static_cast<std::uint32_t>(e)});
    }
  }
  for (std::size_t i = 0; i < plan.nets.size(); ++i) {
    named[plan.nets[i].space.index()][plan.nets[i].prefix].net = static_cast<std::uint32_t>(i);
  }

  for (const Translate& t : policy.translates) {
    if (!is_in_force(policy, t.node, gateway)) continue;
    named[policy.zones[t.zone.index()].space.index()][t.inside].translated = true;
  }

  std::map<PlannedAtom, std::uint32_t> numbers;
  const auto number_of = [&](PlannedAtom atom) {
    std::ranges::sort(atom.nets);
    std::ranges::sort(atom.endpoints);
    const auto [it, is_new] = numbers.try_emplace(atom,
                                                  static_cast<std::uint32_t>(plan.atoms.size()));
    if (is_new) plan.atoms.push_back(std::move(atom));
    return it->second;
  };
  (void)number_of(PlannedAtom{});

  for (std::size_t s = 0; s < named.size(); ++s) {
    // The prefixes that hold the current one, outermost first.
    std::vector<std::pair<net::Prefix, PlannedAtom>> around;
    for (auto& [prefix, here] : named[s]) {
      while (!around.empty() && !around.back().first.contains(prefix)) around.pop_back();
      PlannedAtom atom = around.empty() ? PlannedAtom{} : around.back().second;
      if (here.unit) atom.unit = *here.unit;
      atom.translated = atom.translated || here.translated;
      if (here.net) atom.nets.push_back(*here.net);
      atom.endpoints.insert(atom.endpoints.end(), here.endpoints.begin(), here.endpoints.end());
      around.emplace_back(prefix, atom);
      auto& family = prefix.family() == net::Family::kIpv4 ? plan.spaces[s].v4 : plan.spaces[s].v6;
      family.push_back({prefix, number_of(std::move(atom))});
    }
  }
  return plan;
}

}  // namespace meiguan::policy
