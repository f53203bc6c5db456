#include "tests/property/universe.h"

#include <algorithm>
#include <array>
#include <set>

#include "dataplane/fastpath/decide.h"

namespace meiguan::property {
namespace {

using net::Address;
using net::Family;
using policy::CheckedPolicy;

Address behind(const net::Prefix& prefix) {
  auto bytes = prefix.last().bytes();
  for (std::size_t i = 16; i-- > 0 && ++bytes[i] == 0;) {
  }
  return Address::v6(bytes);  // of IPv4 the mapped form: the same
}

// The first address of each stretch that the prefixes do not tell apart.
std::set<Address> first_addresses(const std::vector<net::Prefix>& prefixes) {
  // One that lies before all of the small world, and is ordinary.
  std::set<Address> first{*net::parse_address("9.0.0.1"), *net::parse_address("2001::1")};
  for (const auto& prefix : prefixes) {
    first.insert(prefix.address());
    const auto next = behind(prefix);
    if (next.family() == prefix.family()) first.insert(next);
  }
  return first;
}

// RFC 792, RFC 4443, RFC 8200; port 0 is no port.
bool opens_a_flow(Family family, std::uint8_t protocol, std::uint16_t value) {
  const bool v6 = family == Family::kIpv6;
  switch (protocol) {
    case 6:
    case 17:
    case 132: return value != 0;
    case 1: return !v6 && (value == 8 || value == 13 || value == 15);
    case 58: return v6 && value == 128;
    case 0:
    case 43:
    case 44:
    case 60: return !v6 && value == 0;
    default: return value == 0;
  }
}

std::set<std::uint32_t> first_keys(const std::vector<policy::PortMatch>& ports) {
  std::set<std::uint32_t> keys;
  const auto add = [&](std::uint32_t protocol, std::uint32_t value) {
    if (protocol < 256 && value < 65536) keys.insert(protocol << 16 | value);
  };
  for (const std::uint32_t protocol : {6U, 17U, 132U, 1U, 58U, 47U, 99U, 0U}) {
    for (const std::uint32_t value : {0U, 1U, 8U, 13U, 15U, 128U}) add(protocol, value);
  }
  for (const auto& match : ports) {
    if (match.any_protocol) continue;
    add(match.protocol, match.whole ? 0 : match.first);
    add(match.protocol, match.whole ? 1U : match.last + 1U);
  }
  return keys;
}

Case case_of(const CheckedPolicy& policy, const Packet& packet, const Ends& ends) {
  return {policy,
          packet,
          ends,
          unit_at(policy, ends.from_space, packet.source),
          unit_at(policy, ends.to_space, packet.destination),
          services_at(policy, ends.to_space, packet)};
}

std::vector<ZoneId> zones_of(const CheckedPolicy& policy, SpaceId space) {
  std::vector<ZoneId> zones;
  for (std::size_t i = 0; i < policy.zones.size(); ++i) {
    if (policy.zones[i].space == space) zones.emplace_back(static_cast<ZoneId::rep>(i));
  }
  return zones;
}

// The zones of the services at an address, whatever the port.
std::vector<ZoneId> service_zones(const CheckedPolicy& policy, SpaceId space,
                                  const Address& address) {
  std::set<ZoneId> zones;
  for (const auto& service : policy.services) {
    if (policy.zones[service.zone.index()].space != space) continue;
    for (const auto& endpoint : service.endpoints) {
      if (endpoint.prefix.contains(address)) zones.insert(service.zone);
    }
  }
  return {zones.begin(), zones.end()};
}

}  // namespace

void add_cuts(const CheckedPolicy& policy, Cuts& cuts) {
  cuts.prefixes.resize(std::max(cuts.prefixes.size(), policy.space_count));
  for (const auto& unit : policy.units) {
    auto& prefixes = cuts.prefixes[policy.zones[unit.zone.index()].space.index()];
    prefixes.insert(prefixes.end(), unit.prefixes.begin(), unit.prefixes.end());
  }
  for (const auto& service : policy.services) {
    for (const auto& endpoint : service.endpoints) {
      cuts.prefixes[policy.zones[service.zone.index()].space.index()].push_back(endpoint.prefix);
      cuts.ports.push_back(endpoint.match);
    }
  }
  for (const auto& t : policy.translates) {
    cuts.prefixes[policy.zones[t.zone.index()].space.index()].push_back(t.inside);
  }
  const auto add_nets = [&](const std::vector<policy::Selector>& selectors) {
    for (const auto& s : selectors) {
      if (s.kind == policy::SelectorKind::kNet) cuts.prefixes[s.space.index()].push_back(s.prefix);
    }
  };
  const auto add_flow = [&](const auto& flow) {
    for (const auto* list : {&flow.from, &flow.except_from, &flow.to, &flow.except_to}) {
      add_nets(*list);
    }
    cuts.ports.insert(cuts.ports.end(), flow.ports.begin(), flow.ports.end());
  };
  for (const auto& rule : policy.rules) add_flow(rule);
  for (const auto& assertion : policy.assertions) add_flow(assertion);
  for (const auto& group : policy.groups) {
    add_nets(group.members);
    add_nets(group.except);
  }
  for (const auto& egress : policy.egresses) add_nets(egress.from);
}

Universe count_out(const CheckedPolicy& policy, const Cuts& cuts) {
  Universe universe;
  const auto keys = first_keys(cuts.ports);
  for (std::size_t s = 0; s < policy.space_count; ++s) {
    const SpaceId space{static_cast<SpaceId::rep>(s)};
    for (const auto& address : first_addresses(cuts.prefixes[s])) {
      const auto unit = unit_at(policy, space, address);
      auto zones = service_zones(policy, space, address);
      if (unit.is_some()) {
        zones = {policy.units[unit.index()].zone};
      } else if (zones.empty()) {
        zones = zones_of(policy, space);
      }
      for (const auto zone : zones) universe.sources.push_back({address, space, zone});
      for (const std::uint32_t key : keys) {
        UniverseTarget target{address,
                              static_cast<std::uint8_t>(key >> 16),
                              static_cast<std::uint16_t>(key & 0xffff),
                              space,
                              {}};
        if (!opens_a_flow(address.family(), target.protocol, target.value)) continue;
        const auto services = services_at(policy, space,
                                          {{}, address, target.protocol, target.value});
        if (unit.is_some() || !services.empty()) {
          target.zone = unit.is_some() ? policy.units[unit.index()].zone
                                       : policy.services[services.front().index()].zone;
          universe.targets.push_back(target);
          continue;
        }
        for (const auto zone : zones_of(policy, space)) {
          target.zone = zone;
          universe.targets.push_back(target);
        }
      }
    }
  }
  return universe;
}

std::vector<image::Moment> all_moments(const image::Image& image, std::int64_t from) {
  std::vector<image::Moment> moments;
  // Every instant at which something changes, one by one, for as long as random policies have
  // dates.
  constexpr std::int64_t kHorizon = std::int64_t{400} * 86'400;
  for (std::int64_t now = from; now < from + kHorizon;) {
    const image::Moment moment{image, now};
    if (std::ranges::none_of(moments, [&](const auto& m) { return m.same_conditions(moment); })) {
      moments.push_back(moment);
    }
    if (moment.ends() > from + kHorizon) break;
    now = moment.ends();
  }
  return moments;
}

bool lets_by(const image::Image& image, const image::Moment& moment, const UniverseSource& from,
             const UniverseTarget& to) {
  const auto subject = fastpath::find_subject(image, from.space, from.address, from.zone);
  auto target = fastpath::find_target(image, to.space, to.address, {to.protocol, to.value}, {});
  if (image.targets()[target.number].zone_set == image::kNoZoneSet) target.assumed_zone = to.zone;
  return fastpath::decide(image, moment, subject, target).decision.forwards();
}

Packet packet_of(const UniverseSource& from, const UniverseTarget& to) {
  return {from.address, to.address, to.protocol, to.value};
}

Ends ends_of(const UniverseSource& from, const UniverseTarget& to) {
  return {from.space, to.space, from.zone, to.zone, true};
}

bool speaks_of(const CheckedPolicy& policy, const policy::Assertion& assertion,
               const UniverseSource& from) {
  policy::Rule rule;
  rule.node = NodeId{0};
  rule.action = policy::Action::kDeny;
  rule.from = assertion.from;
  rule.except_from = assertion.except_from;
  rule.to = {policy::Selector{}};
  const Packet packet{from.address, {}, 6, 1};
  const Ends ends{from.space, from.space, from.zone, from.zone, true};
  return rule_matches(case_of(policy, packet, ends), rule).matches;
}

bool speaks_of(const CheckedPolicy& policy, const policy::Assertion& assertion,
               const UniverseTarget& to) {
  policy::Rule rule;
  rule.node = NodeId{0};
  rule.action = policy::Action::kDeny;
  rule.from = {policy::Selector{}};
  rule.to = assertion.to;
  rule.except_to = assertion.except_to;
  rule.ports = assertion.ports;
  const Packet packet{{}, to.address, to.protocol, to.value};
  const Ends ends{to.space, to.space, to.zone, to.zone, true};
  return rule_matches(case_of(policy, packet, ends), rule).matches;
}

}  // namespace meiguan::property
