#include "controlplane/analysis/object_diff.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <map>
#include <optional>
#include <unordered_map>
#include <utility>

#include "controlplane/analysis/object_words.h"
#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::analysis {
namespace {

using policy::CheckedPolicy;

// An object as text, field by field, and where it stands.
struct Described {
  std::vector<std::pair<std::string_view, std::string>> fields;
  std::string where;
};
using Objects = std::map<std::string, Described>;

constexpr std::string_view yes(bool value) { return value ? "true" : "false"; }

template <typename List, typename TextOf>
std::string join(const List& list, const TextOf& text_of) {
  std::string text;
  for (const auto& one : list) {
    if (!text.empty()) text += ", ";
    text += text_of(one);
  }
  return text;
}

class Describer {
 public:
  explicit Describer(const CheckedPolicy& policy) : policy_{policy} {}

  [[nodiscard]] Objects root() const {
    Objects objects;
    objects[""] = {{{"timezone", policy_.timezone}}, policy_.where(policy_.nodes[0].place)};
    return objects;
  }
  [[nodiscard]] Objects nodes() const {
    Objects objects;
    for (const auto& node : policy_.nodes) {
      objects[node.code] = {{{"name", node.name},
                             {"tier", std::string{policy::tier_name(node.tier)}},
                             {"parent", code(node.parent)}},
                            policy_.where(node.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects zones() const {
    Objects objects;
    for (const auto& zone : policy_.zones) {
      objects[zone.id] = {{{"name", zone.name},
                           {"kind", std::string{word(zone.kind)}},
                           {"unregistered", zone.drop_unregistered ? "drop" : "rules"}},
                          policy_.where(zone.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects units() const {
    Objects objects;
    for (const auto& unit : policy_.units) {
      objects[unit.id] = {
          {{"name", unit.name},
           {"node", code(unit.node)},
           {"zone", zone(unit.zone)},
           {"prefixes", join(unit.prefixes, [](const auto& p) { return net::to_string(p); })},
           {"labels", words(unit.labels)},
           {"admission", unit.admission == policy::Admission::kBound ? "bound" : "open"},
           {"limits", limits_text(unit.limits)}},
          policy_.where(unit.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects terminals() const {
    Objects objects;
    for (const auto& terminal : policy_.terminals) {
      const auto& unit = policy_.units[terminal.unit.index()];
      if (terminal.addresses.empty()) continue;
      // An address is one terminal's in an address space.
      const bool is_private = policy_.zones[unit.zone.index()].kind == policy::ZoneKind::kPrivate;
      const auto id = net::to_string(terminal.addresses.front()) +
                      (is_private ? "@" + zone(unit.zone) : "");
      objects[id] = {{{"unit", unit.id},
                      {"addresses",
                       join(terminal.addresses, [](const auto& a) { return net::to_string(a); })},
                      {"mac", terminal.mac ? net::to_string(*terminal.mac) : std::string{}},
                      {"name", terminal.name}},
                     policy_.where(terminal.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects services() const {
    Objects objects;
    for (const auto& service : policy_.services) {
      objects[service.id] = {
          {{"name", service.name},
           {"node", code(service.node)},
           {"zone", zone(service.zone)},
           {"owner", service.owner.is_some() ? policy_.units[service.owner.index()].id : ""},
           {"endpoints",
            join(service.endpoints, [](const auto& e) { return policy::endpoint_text(e); })},
           {"labels", words(service.labels)},
           {"publish", std::string{yes(service.publish)}},
           {"offered_to", selectors(service.offered_to)},
           {"limits", limits_text(service.limits)},
           {"timeouts", timeouts_text(service.timeouts)},
           {"helper", std::string{word(service.helper)}}},
          policy_.where(service.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects groups() const {
    Objects objects;
    for (const auto& group : policy_.groups) {
      objects[group.id] = {{{"name", group.name},
                            {"node", code(group.node)},
                            {"members", selectors(group.members)},
                            {"except", selectors(group.except)}},
                           policy_.where(group.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects schedules() const {
    Objects objects;
    for (const auto& schedule : policy_.schedules) {
      objects[schedule.id] = {{{"name", schedule.name},
                               {"node", code(schedule.node)},
                               {"days", days(schedule)},
                               {"dates", join(schedule.dates, date)},
                               {"start", clock(schedule.start)},
                               {"end", clock(schedule.end)}},
                              policy_.where(schedule.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects rules() const {
    Objects objects;
    for (const auto& rule : policy_.rules) {
      Described described{flow(rule), policy_.where(rule.place)};
      const auto moment = [&](const std::optional<std::int64_t>& at) {
        return at ? policy::instant_text(policy_.utc_offsets, *at) : std::string{};
      };
      const std::vector<std::pair<std::string_view, std::string>> rest{
          {"name", rule.name},
          {"phase", std::string{word(rule.phase)}},
          {"action", std::string{word(rule.action)}},
          {"schedule",
           rule.schedule.is_some() ? policy_.schedules[rule.schedule.index()].id : std::string{}},
          {"not_before", moment(rule.not_before)},
          {"expires", moment(rule.expires)},
          {"limits", limits_text(rule.limits)},
          {"log", std::string{yes(rule.log)}},
          {"ticket", rule.ticket},
          {"owner", rule.owner},
          {"comment", rule.comment}};
      described.fields.insert(described.fields.end(), rest.begin(), rest.end());
      objects[policy_.full_name(rule)] = std::move(described);
    }
    return objects;
  }
  [[nodiscard]] Objects assertions() const {
    Objects objects;
    for (const auto& assertion : policy_.assertions) {
      Described described{flow(assertion), policy_.where(assertion.place)};
      described.fields.emplace_back("name", assertion.name);
      described.fields.emplace_back("node", code(assertion.node));
      described.fields.emplace_back("kind", assertion.always ? "always" : "never");
      objects[assertion.id] = std::move(described);
    }
    return objects;
  }

  // By the public address, protocol and ports.
  [[nodiscard]] Objects publishes() const {
    Objects objects;
    for (const auto& p : policy_.publishes) {
      const auto target = [](const policy::Publish::Target& t) {
        return t.port == 0 ? net::to_string(t.address)
                           : fmt::format("{} port {}", net::to_string(t.address), t.port);
      };
      objects[code(p.node) + "/" + policy::endpoint_text(p.address)] = {
          {{"service", policy_.services[p.service.index()].id},
           {"endpoints", join(p.targets, target)}},
          policy_.where(p.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects egresses() const {
    Objects objects;
    for (const auto& e : policy_.egresses) {
      objects[e.id] = {{{"name", e.name},
                        {"node", code(e.node)},
                        {"from", selectors(e.from)},
                        {"pool", join(e.pool, [](const auto& p) { return net::to_string(p); })},
                        {"filtering", std::string{word(e.filtering)}},
                        {"ports", fmt::format("{}-{}", e.first_port, e.last_port)},
                        {"block_ports", std::to_string(e.block_ports)},
                        {"blocks_per_address", std::to_string(e.blocks_per_address)}},
                       policy_.where(e.place)};
    }
    return objects;
  }
  [[nodiscard]] Objects translates() const {
    Objects objects;
    for (const auto& t : policy_.translates) {
      objects[code(t.node) + "/" + net::to_string(t.inside) + "@" + zone(t.zone)] = {
          {{"outside", net::to_string(t.outside)}}, policy_.where(t.place)};
    }
    return objects;
  }

 private:
  [[nodiscard]] std::string code(NodeId node) const {
    return node.is_some() ? policy_.nodes[node.index()].code : std::string{};
  }
  [[nodiscard]] std::string zone(ZoneId zone) const { return policy_.zones[zone.index()].id; }
  [[nodiscard]] static std::string words(const std::vector<std::string>& list) {
    return join(list, [](const auto& text) { return text; });
  }
  [[nodiscard]] std::string selectors(const std::vector<policy::Selector>& list) const {
    return join(list, [&](const auto& s) { return policy::selector_text(policy_, s); });
  }
  // What rules and assertions have in common.
  template <typename Flow>
  [[nodiscard]] std::vector<std::pair<std::string_view, std::string>> flow(const Flow& f) const {
    return {{"from", selectors(f.from)},
            {"except_from", selectors(f.except_from)},
            {"to", selectors(f.to)},
            {"except_to", selectors(f.except_to)},
            {"ports", join(f.ports, [](const auto& p) { return policy::ports_text(p); })}};
  }
  [[nodiscard]] static std::string days(const policy::Schedule& schedule) {
    constexpr std::array<std::string_view, 7> kDays{"mon", "tue", "wed", "thu",
                                                    "fri", "sat", "sun"};
    std::string text;
    for (std::size_t day = 0; day < kDays.size(); ++day) {
      if ((schedule.weekdays >> day & 1) == 0) continue;
      text += (text.empty() ? "" : ", ") + std::string{kDays[day]};
    }
    return text;
  }
  [[nodiscard]] static std::string date(std::int32_t day) {
    return policy::instant_text({}, std::int64_t{day} * image::kSecondsOfDay).substr(0, 10);
  }
  [[nodiscard]] static std::string clock(std::uint32_t seconds) {
    return fmt::format("{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  }

  const CheckedPolicy& policy_;
};

void compare(std::string_view object, const Objects& before, const Objects& after,
             std::vector<ObjectChange>& changes) {
  using Kind = ObjectChange::Kind;
  auto a = before.begin();
  auto b = after.begin();
  while (a != before.end() || b != after.end()) {
    if (b == after.end() || (a != before.end() && a->first < b->first)) {
      changes.push_back({Kind::kRemoved, object, a->first, a->second.where, {}, {}});
      ++a;
      continue;
    }
    if (a == before.end() || b->first < a->first) {
      changes.push_back({Kind::kAdded, object, b->first, {}, b->second.where, {}});
      ++b;
      continue;
    }
    ObjectChange change{Kind::kChanged, object, a->first, a->second.where, b->second.where, {}};
    for (std::size_t i = 0; i < a->second.fields.size(); ++i) {
      const auto& [field, text] = a->second.fields[i];
      const auto& other = b->second.fields[i].second;
      if (text != other) change.fields.push_back({std::string{field}, text, other});
    }
    if (!change.fields.empty()) changes.push_back(std::move(change));
    ++a;
    ++b;
  }
}

// The rules of each node that both policies have, by what they are called, in their order.
std::map<std::string, std::vector<std::string>> orders(const CheckedPolicy& policy,
                                                       const Objects& others) {
  std::map<std::string, std::vector<std::string>> orders;
  for (const auto& rule : policy.rules) {
    const auto name = policy.full_name(rule);
    if (others.contains(name)) orders[policy.nodes[rule.node.index()].code].push_back(name);
  }
  return orders;
}

// Of places 0..n-1 in another order, those that are not of a longest ascending run through it.
std::vector<std::size_t> moved(const std::vector<std::size_t>& places) {
  std::vector<std::size_t> tails;  // index of the smallest end of a run of each length
  std::vector<std::size_t> previous(places.size(), places.size());
  for (std::size_t i = 0; i < places.size(); ++i) {
    const auto at = std::ranges::lower_bound(tails, places[i], {},
                                             [&](std::size_t t) { return places[t]; });
    if (at != tails.begin()) previous[i] = *(at - 1);
    if (at == tails.end()) {
      tails.push_back(i);
    } else {
      *at = i;
    }
  }
  std::vector<bool> stays(places.size(), false);
  for (std::size_t i = tails.empty() ? places.size() : tails.back(); i < places.size();
       i = previous[i]) {
    stays[i] = true;
  }
  std::vector<std::size_t> result;
  for (std::size_t i = 0; i < places.size(); ++i) {
    if (!stays[i]) result.push_back(i);
  }
  return result;
}

void compare_orders(const CheckedPolicy& before, const CheckedPolicy& after, const Objects& old,
                    const Objects& now, std::vector<ObjectChange>& changes) {
  const auto earlier = orders(before, now);
  for (const auto& [node, names] : orders(after, old)) {
    const auto it = earlier.find(node);
    if (it == earlier.end() || it->second == names) continue;
    std::unordered_map<std::string, std::size_t> place;
    for (std::size_t i = 0; i < it->second.size(); ++i) place[it->second[i]] = i;
    std::vector<std::size_t> places;
    for (const auto& name : names) places.push_back(place.at(name));
    for (const std::size_t i : moved(places)) {
      const std::string& name = names[i];
      const FieldChange field{"order", fmt::format("{} of {}", places[i] + 1, names.size()),
                              fmt::format("{} of {}", i + 1, names.size())};
      auto known = std::ranges::find_if(changes, [&](const ObjectChange& c) {
        return c.object == "rule" && c.id == name;
      });
      if (known == changes.end()) {
        known = changes.insert(known, {ObjectChange::Kind::kChanged,
                                       "rule",
                                       name,
                                       old.at(name).where,
                                       now.at(name).where,
                                       {}});
      }
      known->fields.push_back(field);
    }
  }
}

}  // namespace

std::vector<ObjectChange> diff_objects(const CheckedPolicy& before, const CheckedPolicy& after) {
  std::vector<ObjectChange> changes;
  const Describer old{before};
  const Describer now{after};
  compare("policy", old.root(), now.root(), changes);
  compare("node", old.nodes(), now.nodes(), changes);
  compare("zone", old.zones(), now.zones(), changes);
  compare("unit", old.units(), now.units(), changes);
  compare("terminal", old.terminals(), now.terminals(), changes);
  compare("service", old.services(), now.services(), changes);
  compare("group", old.groups(), now.groups(), changes);
  compare("schedule", old.schedules(), now.schedules(), changes);
  std::vector<ObjectChange> rules;
  const Objects old_rules = old.rules();
  const Objects new_rules = now.rules();
  compare("rule", old_rules, new_rules, rules);
  compare_orders(before, after, old_rules, new_rules, rules);
  std::ranges::stable_sort(rules, {}, &ObjectChange::id);
  changes.insert(changes.end(), std::make_move_iterator(rules.begin()),
                 std::make_move_iterator(rules.end()));
  compare("assert", old.assertions(), now.assertions(), changes);
  compare("publish", old.publishes(), now.publishes(), changes);
  compare("egress", old.egresses(), now.egresses(), changes);
  compare("translate", old.translates(), now.translates(), changes);
  return changes;
}

}  // namespace meiguan::analysis
