#include "controlplane/policy/compile.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <map>
#include <set>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "controlplane/policy/compile_assertions.h"
#include "controlplane/policy/compile_atoms.h"
#include "controlplane/policy/compile_catalog.h"
#include "controlplane/policy/compile_gateway.h"
#include "controlplane/policy/compile_matrix.h"
#include "controlplane/policy/compile_nat.h"
#include "controlplane/policy/compile_selectors.h"
#include "controlplane/policy/compile_targets.h"
#include "controlplane/policy/compile_times.h"
#include "controlplane/policy/compile_trace.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/format.h"
#include "dataplane/image/isolation.h"
#include "dataplane/image/writer.h"

namespace meiguan::policy {
namespace {

using image::Section;

std::unexpected<Error> too_many(std::string_view what, std::string_view what_chinese,
                                std::size_t have, std::size_t most) {
  return fail(fmt::format("the policy has {} {}; an image holds at most {}", have, what, most),
              fmt::format("策略有 {} 个{}；映像最多容纳 {} 个", have, what_chinese, most));
}

image::Isolation isolation_between(const CheckedPolicy& policy, std::size_t from, std::size_t to) {
  const Zone& a = policy.zones[from];
  const Zone& b = policy.zones[to];
  return image::isolation(a.kind, b.kind, from == to, a.space == b.space);
}

struct ZoneSets {
  std::vector<std::vector<ZoneId>> sets;
  std::map<std::vector<ZoneId>, std::uint16_t> numbers;

  explicit ZoneSets(const CheckedPolicy& policy) {
    for (std::size_t i = 0; i < policy.zones.size(); ++i) {
      (void)number_of({ZoneId{static_cast<std::uint16_t>(i)}});
    }
  }
  std::uint16_t number_of(const std::vector<ZoneId>& zones) {
    if (zones.empty()) return image::kNoZoneSet;
    const auto [it, is_new] = numbers.try_emplace(zones, static_cast<std::uint16_t>(sets.size()));
    if (is_new) sets.push_back(zones);
    return it->second;
  }
};

void put_zones(const CheckedPolicy& policy, const ZoneSets& zone_sets, image::Writer& writer) {
  std::vector<image::ZoneRecord> zones;
  for (const Zone& zone : policy.zones) {
    zones.push_back(
        {zone.kind, static_cast<std::uint8_t>(zone.drop_unregistered ? 1 : 0), zone.space.value()});
  }
  std::vector<image::ZoneSet> sets;
  for (const auto& members : zone_sets.sets) {
    image::ZoneSet set{};
    for (const ZoneId zone : members) {
      set.zones[zone.index() / 64] |= std::uint64_t{1} << (zone.index() % 64);
    }
    sets.push_back(set);
  }
  std::vector<std::uint8_t> by_port;
  std::vector<std::uint8_t> by_object;
  for (std::size_t from = 0; from < policy.zones.size(); ++from) {
    for (std::size_t to = 0; to < policy.zones.size(); ++to) {
      by_port.push_back(isolation_between(policy, from, to).bits);
    }
    for (const auto& members : zone_sets.sets) {
      std::uint8_t bits = 0;
      for (const ZoneId to : members) bits |= isolation_between(policy, from, to.index()).bits;
      by_object.push_back(bits);
    }
  }
  writer.put(Section::kZones, zones);
  writer.put(Section::kZoneSets, sets);
  writer.put(Section::kPortIsolation, by_port);
  writer.put(Section::kObjectIsolation, by_object);
}

void put_objects(const CheckedPolicy& policy, const Ids& ids, LimitPlan& limits,
                 image::Writer& writer) {
  std::vector<image::UnitRecord> units(ids.unit_count);
  for (std::size_t i = 0; i < policy.units.size(); ++i) {
    const Unit& unit = policy.units[i];
    units[ids.units[i].index()] = {1,
                                   unit.admission == Admission::kBound ? image::Admission::kBound
                                                                       : image::Admission::kOpen,
                                   unit.zone.value(), limits.number_of(unit.limits), 0};
  }
  std::vector<image::ServiceRecord> services(ids.service_count);
  for (std::size_t i = 0; i < policy.services.size(); ++i) {
    const Service& service = policy.services[i];
    services[ids.services[i].index()] = {1,
                                         static_cast<std::uint8_t>(service.publish ? 1 : 0),
                                         service.zone.value(),
                                         limits.number_of(service.limits),
                                         limits.number_of(service.timeouts),
                                         service.helper};
  }
  std::vector<image::RuleRecord> rules(ids.rule_count);
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    rules[ids.rules[i].index()] = {1,
                                   static_cast<std::uint8_t>(rule.action),
                                   static_cast<std::uint8_t>(rule.phase),
                                   static_cast<std::uint8_t>(rule.log ? 1 : 0),
                                   limits.number_of(rule.limits),
                                   0};
  }
  writer.put(Section::kUnits, units);
  writer.put(Section::kServices, services);
  writer.put(Section::kRules, rules);
}

void put_terminals(const CheckedPolicy& policy, const Ids& ids, image::Writer& writer) {
  std::size_t count = 0;
  for (const Terminal& terminal : policy.terminals) count += terminal.addresses.size();
  // At most three quarters full: a miss is found after a few slots.
  std::vector<image::TerminalSlot> slots(count == 0 ? 0 : std::bit_ceil(count + count / 3 + 1));
  for (image::TerminalSlot& slot : slots) slot.unit = image::kNone;
  for (const Terminal& terminal : policy.terminals) {
    const SpaceId space = policy.zones[policy.units[terminal.unit.index()].zone.index()].space;
    for (const net::Address& address : terminal.addresses) {
      const std::size_t mask = slots.size() - 1;
      std::size_t i = image::terminal_hash(space, address) & mask;
      while (slots[i].unit != image::kNone) i = (i + 1) & mask;
      slots[i] = {address,
                  ids.units[terminal.unit.index()].value(),
                  space.value(),
                  static_cast<std::uint16_t>(terminal.mac ? 1 : 0),
                  terminal.mac.value_or(net::MacAddress{}),
                  0};
    }
  }
  writer.put(Section::kTerminals, slots);
}

std::uint32_t image_id(UnitId unit, const Ids& ids) {
  return unit.is_none() ? image::kNone : ids.units[unit.index()].value();
}

void put_classes(const CheckedPolicy& policy, const Ids& ids, const AddressPlan& addresses,
                 const TargetPlan& targets, const SourcePoints& sources,
                 const TargetPoints& target_points, const ZoneColumns& columns,
                 const Matrix& matrix, ZoneSets& zone_sets, image::Writer& writer) {
  std::vector<image::Atom> atoms;
  for (std::size_t a = 0; a < addresses.atoms.size(); ++a) {
    atoms.push_back({image_id(addresses.atoms[a].unit, ids), sources.group_of_atom(a),
                     targets.port_map[a], targets.first_target[a] & image::kMaxFirstTarget,
                     addresses.atoms[a].translated ? 1U : 0U});
  }
  writer.put(Section::kAtoms, atoms);
  writer.put(Section::kPortMaps, targets.maps);
  writer.put(Section::kPortBreaks, targets.breaks);

  std::set<ServiceId> published;
  for (const Publish& publish : policy.publishes) published.insert(publish.service);
  const auto is_published = [&](ServiceId service) { return published.contains(service); };
  std::vector<image::TargetRecord> records;
  for (const PlannedTarget& target : targets.targets) {
    records.push_back(
        {target.best.is_none() ? image::kNone : ids.services[target.best.index()].value(),
         zone_sets.number_of(target.zones),
         static_cast<std::uint16_t>(targets.slots[target.atom] & image::kMaxSlots),
         std::ranges::any_of(target.services, is_published) ? std::uint16_t{1} : std::uint16_t{0}});
  }
  writer.put(Section::kTargets, records);

  // A column for each zone, and the last one "by the objects".
  const std::size_t zones = policy.zones.size();
  const auto column_of = [&](std::size_t zone) {
    return zone == zones ? columns.objects() : columns.of(ZoneId{static_cast<std::uint16_t>(zone)});
  };
  std::vector<std::uint32_t> source_classes;
  for (std::size_t g = 0; g < sources.groups().size(); ++g) {
    for (std::size_t zone = 0; zone <= zones; ++zone) {
      source_classes.push_back(matrix.rows.of(sources.point(g, column_of(zone))));
    }
  }
  std::vector<std::uint32_t> target_classes;
  for (std::size_t t = 0; t < targets.targets.size(); ++t) {
    for (std::size_t zone = 0; zone <= zones; ++zone) {
      target_classes.push_back(matrix.columns.of(target_points.point(t, column_of(zone))));
    }
  }
  writer.put(Section::kSourceClasses, source_classes);
  writer.put(Section::kTargetClasses, target_classes);
  writer.put(Section::kRows, matrix.made.cells.row_stripes);
  writer.put(Section::kStripes, matrix.made.cells.stripes);
  writer.put(Section::kCells, matrix.made.cells.cells);
  writer.put(Section::kOutcomes, matrix.outcomes);
  writer.put(Section::kBranches, matrix.made.cells.branches);
  writer.put(Section::kAuditRules, matrix.audit_rules);
}

}  // namespace

Compiler::Compiler() = default;
Compiler::~Compiler() = default;
Compiler::Compiler(Compiler&&) noexcept = default;
Compiler& Compiler::operator=(Compiler&&) noexcept = default;

Result<Compiled> compile(const CheckedPolicy& policy, const CheckedGateway* gateway,
                         const Catalog* previous, CompileTrace* trace) {
  return Compiler{}.compile(policy, gateway, previous, trace);
}

Result<Compiled> Compiler::compile(const CheckedPolicy& policy, const CheckedGateway* gateway,
                                   const Catalog* previous, CompileTrace* trace) {
  if (policy.zones.size() > image::kMaxZones) {
    return too_many("zones", "区域", policy.zones.size(), image::kMaxZones);
  }
  if (policy.space_count > image::kMaxSpaces) {
    return too_many("address spaces", "地址空间", policy.space_count, image::kMaxSpaces);
  }
  if (gateway != nullptr && gateway->ports.size() > image::kMaxPorts) {
    return too_many("ports", "端口", gateway->ports.size(), image::kMaxPorts);
  }

  const Ids ids = assign_ids(policy, previous);
  // What was once numbered keeps its number, so that these count what is gone, too.
  if (ids.unit_count > image::kMaxUnits) {
    return too_many("units", "单位", ids.unit_count, image::kMaxUnits);
  }
  if (ids.service_count > image::kMaxServices) {
    return too_many("services", "业务系统", ids.service_count, image::kMaxServices);
  }
  const AddressPlan addresses = plan_addresses(policy, gateway);
  const Result<TargetPlan> planned = plan_targets(policy, addresses);
  if (!planned) return std::unexpected{planned.error()};
  const TargetPlan& targets = *planned;
  const std::uint32_t most_slots = *std::ranges::max_element(targets.slots);
  if (most_slots > image::kMaxSlots) {
    return too_many("port ranges at one address", "同一地址上的端口段", most_slots,
                    image::kMaxSlots);
  }
  const ZoneColumns columns{policy};
  const UnitSets units{policy};
  const SourcePoints sources{policy, addresses, columns, units};
  const TargetPoints target_points{policy, addresses, targets, columns, units};
  const Result<TimePlan> times = plan_times(policy);
  if (!times) return std::unexpected{times.error()};
  Result<Matrix> built = build_matrix(policy, sources, target_points, targets, *times, ids.rules,
                                      kept_.get(), trace);
  if (!built) return std::unexpected{built.error()};
  Matrix& matrix = *built;
  if (trace != nullptr) trace->add_plans(*times, targets);

  image::Writer writer;
  ZoneSets zone_sets{policy};
  LimitPlan limits;
  put_objects(policy, ids, limits, writer);
  put_terminals(policy, ids, writer);
  put_classes(policy, ids, addresses, targets, sources, target_points, columns, matrix, zone_sets,
              writer);
  if (zone_sets.sets.size() >= image::kNoZoneSet) {
    return too_many("sets of zones at destinations", "目的地区域组合", zone_sets.sets.size(),
                    image::kNoZoneSet - 1);
  }
  put_zones(policy, zone_sets, writer);
  put_times(policy, *times, writer);

  image::TrieBuilder tries;
  std::vector<image::SpaceRecord> spaces(policy.space_count);
  for (std::size_t s = 0; s < spaces.size(); ++s) {
    // Atom 0 is that of addresses which nothing names.
    spaces[s].objects_v4 = tries.add(addresses.spaces[s].v4, 0);
    spaces[s].objects_v6 = tries.add(addresses.spaces[s].v6, 0);
  }
  image::Meta meta{};
  meta.zone_columns = static_cast<std::uint32_t>(policy.zones.size() + 1);
  meta.source_classes = static_cast<std::uint32_t>(matrix.rows.count());
  meta.target_classes = static_cast<std::uint32_t>(matrix.columns.count());
  meta.stripes_per_row = matrix.made.cells.stripes_per_row;
  const Result<NatPlan> nat = plan_nat(policy, gateway, ids, addresses, sources, columns);
  if (!nat) return std::unexpected{nat.error()};
  put_nat(*nat, writer);
  if (const Result<void> put = limits.put(writer); !put) return std::unexpected{put.error()};
  meta.policy_digest = writer.digest();

  const GatewayPlan plan =
      gateway == nullptr
          ? GatewayPlan{{}, {}, {}, {}, std::vector<GatewayPlan::Space>(policy.space_count), {}}
          : plan_gateway(policy, *gateway, nat->routes);
  for (std::size_t s = 0; s < spaces.size(); ++s) {
    spaces[s].routes_v4 = tries.add(plan.spaces[s].v4, image::kNoRoute);
    spaces[s].routes_v6 = tries.add(plan.spaces[s].v6, image::kNoRoute);
  }
  if (gateway != nullptr) {
    meta.has_gateway = 1;
    meta.workers = gateway->workers;
  }
  writer.put(Section::kMeta, std::span<const image::Meta>{&meta, 1});
  writer.put(Section::kSpaces, spaces);
  std::vector<std::uint64_t> space_keys(policy.space_count, 0);
  for (const Zone& zone : policy.zones) {
    if (zone.space != kSharedSpace) space_keys[zone.space.index()] = image::space_key(zone.id);
  }
  writer.put(Section::kSpaceKeys, space_keys);
  writer.put(Section::kTrieNodes, tries.nodes());
  writer.put(Section::kTrieEntries, tries.entries());
  writer.put(Section::kPorts, plan.ports);
  writer.put(Section::kPortAddresses, plan.addresses);
  writer.put(Section::kRoutes, plan.routes);
  writer.put(Section::kNeighbours, plan.neighbours);
  writer.put(Section::kLocalServices, plan.locals);
  const image::GatewayLimits own = gateway == nullptr ? image::GatewayLimits{} : gateway->limits;
  writer.put(Section::kGatewayLimits, std::span<const image::GatewayLimits>{&own, 1});

  Compiled compiled{writer.finish(), make_catalog(policy, gateway, ids, previous),
                    find_assertion_points(policy, targets, sources, target_points, columns)};
  if (compiled.bytes.size() > image::kMaxImageBytes) {
    return too_many("bytes in its image", "字节的映像", compiled.bytes.size(),
                    image::kMaxImageBytes);
  }
  kept_ = std::make_unique<KeptMatrix>(std::move(matrix.made));
  took_over_ = matrix.was_patched;
  return compiled;
}

}  // namespace meiguan::policy
