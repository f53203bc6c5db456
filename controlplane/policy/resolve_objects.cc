// Gives every object its number, and every name in it the object that it means.

#include "controlplane/policy/check_policy.h"

#include <algorithm>
#include <utility>

#include "controlplane/policy/message.h"
#include "controlplane/policy/syntax.h"

namespace meiguan::policy {
namespace {

void report_duplicate(Checking& checking, const Text& kind, std::string_view name,
                      const Place& second, const Place& first) {
  const std::string shown = printable(name);
  checking.reporter.error(second,
                          Text{fmt::format("{} `{}` is defined a second time", kind.english, shown),
                               fmt::format("{} `{}` 重复定义", kind.chinese, shown)},
                          say("it is first defined at {}", "首次定义于 {}",
                              checking.reporter.where(first)));
}

// Enters the ids of `drafts` into `table`.
template <typename Drafts, typename IdOf>
void enter_ids(Checking& checking, NameTable& table, const Drafts& drafts, IdOf id_of) {
  table.reserve(drafts.size());
  for (std::uint32_t i = 0; i < drafts.size(); ++i) {
    if (const auto first = table.add(id_of(drafts[i]), i)) {
      report_duplicate(checking, table.kind(), id_of(drafts[i]), drafts[i].id_place,
                       drafts[*first].id_place);
    }
  }
}

// The tier must be below that of the node above.
void check_tier(Checking& checking, const DraftNode& draft) {
  if (draft.node.parent.is_none()) return;
  const DraftNode& parent = checking.draft.nodes[draft.node.parent.index()];
  if (!draft.has_tier || !parent.has_tier || draft.node.tier > parent.node.tier) return;
  checking.reporter.error(draft.tier_place,
                          say("tier {0} is not below {1}, the tier of the node above ({2})",
                              "层级 {0} 不低于上级节点（{2}）的层级 {1}",
                              tier_name(draft.node.tier), tier_name(parent.node.tier),
                              printable(parent.node.code)));
}

// `flow` is a rule or an assertion.
template <typename Flow>
void resolve_flow(Checking& checking, Flow& flow) {
  for (auto* const selectors : {&flow.from, &flow.except_from, &flow.to, &flow.except_to}) {
    resolve_selectors(checking, *selectors, flow.node);
  }
}

}  // namespace

ZoneId resolve_zone(Checking& checking, std::string_view name, const Place& place) {
  if (name == "intranet") {
    checking.reporter.error(place, intranet_refusal());
    return {};
  }
  const auto index = checking.zones.resolve(name, place, checking.reporter);
  return index ? ZoneId{static_cast<std::uint16_t>(*index)} : ZoneId{};
}

void resolve_nodes(Checking& checking) {
  const std::vector<DraftNode>& drafts = checking.draft.nodes;
  checking.policy.nodes.reserve(drafts.size());
  for (std::uint32_t i = 0; i < drafts.size(); ++i) {
    const DraftNode& draft = drafts[i];
    checking.policy.nodes.push_back(draft.node);
    check_tier(checking, draft);
    if (!draft.has_code) continue;
    if (const auto first = checking.nodes.add(draft.node.code, i)) {
      report_duplicate(checking, checking.nodes.kind(), draft.node.code, draft.code_place,
                       drafts[*first].code_place);
    }
  }
  std::vector<std::uint32_t>& end = checking.subtree_end;
  end.resize(drafts.size());
  for (std::uint32_t i = static_cast<std::uint32_t>(drafts.size()); i-- > 0;) {
    if (end[i] == 0) end[i] = i + 1;
    const NodeId parent = drafts[i].node.parent;
    if (parent.is_some()) end[parent.index()] = std::max(end[parent.index()], end[i]);
  }
}

void resolve_zones(Checking& checking) {
  std::vector<DraftZone>& drafts = checking.draft.zones;
  if (drafts.size() > image::kMaxZones) {
    checking.reporter.error(drafts[image::kMaxZones].zone.place,
                            say("there are {} zones, {} at most expected",
                                "区域有 {} 个，最多允许 {} 个", drafts.size(), image::kMaxZones));
    checking.reporter.add_unreadable_file();
    drafts.resize(image::kMaxZones);
  }
  enter_ids(checking, checking.zones, drafts,
            [](const DraftZone& draft) -> const std::string& { return draft.zone.id; });
  std::size_t spaces = 1;
  bool has_room = true;
  for (const DraftZone& draft : drafts) {
    Zone zone = draft.zone;
    if (zone.kind == ZoneKind::kPrivate) {
      if (spaces == image::kMaxSpaces && std::exchange(has_room, false)) {
        checking.reporter.error(zone.place, say("there are more than {} address spaces",
                                                "地址空间超过 {} 个", image::kMaxSpaces));
      }
      zone.space = SpaceId{static_cast<std::uint16_t>(spaces++)};
    }
    checking.policy.zones.push_back(std::move(zone));
  }
  checking.policy.space_count = spaces;
}

void resolve_units(Checking& checking) {
  std::vector<DraftUnit>& drafts = checking.draft.units;
  enter_ids(checking, checking.units, drafts,
            [](const DraftUnit& draft) -> const std::string& { return draft.unit.id; });
  checking.policy.units.reserve(drafts.size());
  for (DraftUnit& draft : drafts) {
    if (draft.zone) draft.unit.zone = resolve_zone(checking, draft.zone->text, draft.zone->place);
    checking.policy.units.push_back(std::move(draft.unit));
  }
}

void resolve_terminals(Checking& checking) {
  checking.policy.terminals.reserve(checking.draft.terminals.size());
  // Terminals of one unit stand together as a rule.
  const DraftTerminal* before = nullptr;
  for (DraftTerminal& draft : checking.draft.terminals) {
    if (draft.unit && before != nullptr && draft.unit->text == before->unit->text) {
      draft.terminal.unit = checking.policy.terminals.back().unit;
    } else if (draft.unit) {
      const auto unit = checking.units.resolve(draft.unit->text, draft.unit->place,
                                               checking.reporter);
      if (unit) draft.terminal.unit = UnitId{*unit};
      before = unit ? &draft : nullptr;
    } else {
      before = nullptr;
    }
    checking.policy.terminals.push_back(std::move(draft.terminal));
  }
}

void resolve_services(Checking& checking) {
  std::vector<DraftService>& drafts = checking.draft.services;
  enter_ids(checking, checking.services, drafts,
            [](const DraftService& draft) -> const std::string& { return draft.service.id; });
  checking.policy.services.reserve(drafts.size());
  for (DraftService& draft : drafts) {
    Service& service = draft.service;
    if (draft.zone) service.zone = resolve_zone(checking, draft.zone->text, draft.zone->place);
    if (draft.owner) {
      const auto owner = checking.units.resolve(draft.owner->text, draft.owner->place,
                                                checking.reporter);
      if (owner) service.owner = UnitId{*owner};
    }
    checking.policy.services.push_back(std::move(service));
  }
}

void resolve_groups(Checking& checking) {
  std::vector<DraftGroup>& drafts = checking.draft.groups;
  enter_ids(checking, checking.groups, drafts,
            [](const DraftGroup& draft) -> const std::string& { return draft.group.id; });
  // All groups first: one may hold another that is written below it.
  checking.policy.groups.reserve(drafts.size());
  for (DraftGroup& draft : drafts) checking.policy.groups.push_back(std::move(draft.group));
  for (Group& group : checking.policy.groups) {
    resolve_selectors(checking, group.members, group.node);
    resolve_selectors(checking, group.except, group.node);
  }
  for (Service& service : checking.policy.services) {
    resolve_selectors(checking, service.offered_to, service.node);
  }
}

void resolve_schedules(Checking& checking) {
  std::vector<DraftSchedule>& drafts = checking.draft.schedules;
  enter_ids(checking, checking.schedules, drafts,
            [](const DraftSchedule& draft) -> const std::string& { return draft.schedule.id; });
  checking.policy.schedules.reserve(drafts.size());
  for (DraftSchedule& draft : drafts) {
    const Schedule& schedule = draft.schedule;
    if (!schedule.dates.empty()) {
      check_known(checking, schedule.dates.back() * std::int64_t{image::kSecondsOfDay},
                  schedule.place);
    }
    checking.policy.schedules.push_back(std::move(draft.schedule));
  }
}

void resolve_rules(Checking& checking) {
  NameTable ids{Text{"rule", "规则"}};
  NodeId node;
  const std::vector<DraftRule>& drafts = checking.draft.rules;
  checking.policy.rules.reserve(drafts.size());
  for (std::uint32_t i = 0; i < drafts.size(); ++i) {
    Rule rule = drafts[i].rule;
    if (rule.node != node) {
      // Rules come node by node, and their ids are unique within a node only.
      node = rule.node;
      ids = NameTable{Text{"rule", "规则"}};
    }
    if (!rule.id.empty()) {
      if (const auto first = ids.add(rule.id, i)) {
        report_duplicate(checking, ids.kind(), rule.id, drafts[i].id_place,
                         drafts[*first].id_place);
      }
    }
    resolve_flow(checking, rule);
    resolve_times(checking, drafts[i], rule);
    checking.policy.rules.push_back(std::move(rule));
  }
}

void resolve_assertions(Checking& checking) {
  std::vector<DraftAssertion>& drafts = checking.draft.assertions;
  NameTable ids{Text{"assertion", "断言"}};
  enter_ids(checking, ids, drafts,
            [](const DraftAssertion& draft) -> const std::string& { return draft.assertion.id; });
  checking.policy.assertions.reserve(drafts.size());
  for (DraftAssertion& draft : drafts) {
    resolve_flow(checking, draft.assertion);
    checking.policy.assertions.push_back(std::move(draft.assertion));
  }
}

}  // namespace meiguan::policy
