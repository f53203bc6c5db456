#include "controlplane/policy/compile_catalog.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "controlplane/policy/instant_text.h"

namespace meiguan::policy {
namespace {

// Gives every name the id that it had before, and new names the next ones. Names are borrowed.
template <typename Id>
class IdKeeper {
 public:
  explicit IdKeeper(std::size_t names) { ids_.reserve(names); }
  void keep(std::string_view name) { ids_.emplace(name, next_++); }
  [[nodiscard]] Id id_of(std::string_view name) {
    const auto [it, is_new] = ids_.try_emplace(name, next_);
    if (is_new) ++next_;
    return Id{it->second};
  }
  [[nodiscard]] std::size_t size() const { return next_; }

 private:
  std::unordered_map<std::string_view, std::uint32_t> ids_;
  std::uint32_t next_{0};
};

std::string_view name_of(Action action) {
  switch (action) {
    case Action::kAllow: return "allow";
    case Action::kDeny: return "deny";
    case Action::kAudit: break;
  }
  return "audit";
}

std::string_view name_of(Phase phase) {
  switch (phase) {
    case Phase::kMandatory: return "mandatory";
    case Phase::kLocal: return "local";
    case Phase::kBaseline: break;
  }
  return "baseline";
}

}  // namespace

Ids assign_ids(const CheckedPolicy& policy, const Catalog* previous) {
  IdKeeper<UnitId> units{policy.units.size()};
  IdKeeper<ServiceId> services{policy.services.size()};
  IdKeeper<RuleId> rules{policy.rules.size()};
  std::vector<std::string> rule_names;
  rule_names.reserve(policy.rules.size());
  for (const Rule& rule : policy.rules) rule_names.push_back(policy.full_name(rule));
  if (previous != nullptr) {
    for (const CatalogUnit& unit : previous->units) units.keep(unit.id);
    for (const CatalogService& service : previous->services) services.keep(service.id);
    for (const CatalogRule& rule : previous->rules) rules.keep(rule.full_name);
  }
  Ids ids;
  for (const Unit& unit : policy.units) ids.units.push_back(units.id_of(unit.id));
  for (const Service& service : policy.services) {
    ids.services.push_back(services.id_of(service.id));
  }
  for (const std::string& name : rule_names) ids.rules.push_back(rules.id_of(name));
  ids.unit_count = units.size();
  ids.service_count = services.size();
  ids.rule_count = rules.size();
  return ids;
}

Catalog make_catalog(const CheckedPolicy& policy, const CheckedGateway* gateway, const Ids& ids,
                     const Catalog* previous) {
  Catalog catalog;
  if (previous != nullptr) {
    // What is gone keeps its id and its name, so that old counters stay readable.
    catalog.units = previous->units;
    catalog.services = previous->services;
    catalog.rules = previous->rules;
    // NodeIds do not last.
    for (CatalogUnit& unit : catalog.units) unit = {false, unit.id, unit.name, NodeId{}};
    for (CatalogService& service : catalog.services) {
      service = {false, service.id, service.name, NodeId{}};
    }
    for (CatalogRule& rule : catalog.rules) rule.in_use = false;
  }
  catalog.units.resize(ids.unit_count);
  catalog.services.resize(ids.service_count);
  catalog.rules.resize(ids.rule_count);
  for (const Node& node : policy.nodes)
    catalog.nodes.push_back({node.code, node.name, node.parent});
  for (const Zone& zone : policy.zones) catalog.zones.push_back(zone.id);
  for (std::size_t i = 0; i < policy.units.size(); ++i) {
    const Unit& unit = policy.units[i];
    catalog.units[ids.units[i].index()] = {true, unit.id, unit.name, unit.node};
  }
  for (std::size_t i = 0; i < policy.services.size(); ++i) {
    const Service& service = policy.services[i];
    catalog.services[ids.services[i].index()] = {true, service.id, service.name, service.node};
  }
  const auto instant = [&](const std::optional<std::int64_t>& at) {
    return at ? instant_text(policy.utc_offsets, *at) : std::string{};
  };
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    catalog.rules[ids.rules[i].index()] = {true,
                                           policy.full_name(rule),
                                           policy.where(rule.place),
                                           std::string{name_of(rule.action)},
                                           std::string{name_of(rule.phase)},
                                           rule.ticket,
                                           rule.owner,
                                           rule.comment,
                                           rule.log,
                                           rule.schedule.is_none()
                                               ? std::string{}
                                               : policy.schedules[rule.schedule.index()].id,
                                           instant(rule.not_before),
                                           instant(rule.expires)};
  }
  if (gateway != nullptr) {
    for (const GatewayPort& port : gateway->ports) {
      catalog.ports.push_back({port.name, policy.zones[port.zone.index()].id});
    }
  }
  return catalog;
}

}  // namespace meiguan::policy
