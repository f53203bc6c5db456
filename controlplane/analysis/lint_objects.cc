// Lints of objects: labels that nothing has, groups that are empty or not used, schedules not used,
// prefixes inside one another, services nobody may reach, services at one place.

#include <algorithm>
#include <map>
#include <set>
#include <tuple>
#include <utility>
#include <vector>

#include "controlplane/analysis/lint_sink.h"
#include "controlplane/policy/compile_bits.h"
#include "controlplane/policy/compile_selectors.h"
#include "controlplane/policy/message.h"

namespace meiguan::analysis {
namespace {

using policy::Bits;
using policy::CheckedPolicy;
using policy::Group;
using policy::GroupId;
using policy::say;
using policy::Selector;
using policy::SelectorKind;

class ObjectLinter {
 public:
  ObjectLinter(const CheckedPolicy& policy, LintSink& sink)
      : policy_{policy}, sink_{sink}, units_{policy} {}

  void run() {
    check_labels();
    check_groups();
    check_schedules();
    check_units();
    check_nesting();
  }

 private:
  template <typename Visit>
  void for_each_list(const Visit& visit) const {
    for (const auto& rule : policy_.rules) {
      for (const auto* list : {&rule.from, &rule.except_from, &rule.to, &rule.except_to}) {
        visit(*list);
      }
    }
    for (const auto& assertion : policy_.assertions) {
      for (const auto* list :
           {&assertion.from, &assertion.except_from, &assertion.to, &assertion.except_to}) {
        visit(*list);
      }
    }
    for (const auto& service : policy_.services) visit(service.offered_to);
    for (const auto& egress : policy_.egresses) visit(egress.from);
    for (const auto& group : policy_.groups) {
      visit(group.members);
      visit(group.except);
    }
  }

  void check_labels() {
    std::set<std::string_view> of_units;
    std::set<std::string_view> of_services;
    for (const auto& unit : policy_.units) of_units.insert(unit.labels.begin(), unit.labels.end());
    for (const auto& service : policy_.services) {
      of_services.insert(service.labels.begin(), service.labels.end());
    }
    for_each_list([&](const std::vector<Selector>& list) {
      for (const Selector& selector : list) {
        const bool of_unit = selector.kind == SelectorKind::kLabel;
        if (!of_unit && selector.kind != SelectorKind::kServices) continue;
        if ((of_unit ? of_units : of_services).contains(selector.text)) continue;
        const auto label = policy::printable(selector.text);
        sink_.add("label-matches-nothing", selector.text, selector.place,
                  selector.text.size() + (of_unit ? 8 : 11),
                  of_unit ? say("no unit has the label `{}`", "没有单位带标签 `{}`", label)
                          : say("no service has the label `{}`", "没有服务带标签 `{}`", label),
                  say("the selector matches nothing", "该选择符不匹配任何对象"));
      }
    });
  }

  // What a list of selectors stands for, as far as that can be told from the objects alone.
  struct Things {
    bool any{false};
    std::set<ZoneId> zones;
    std::set<std::pair<SpaceId, net::Prefix>> nets;
    Bits units;
    Bits services;
    [[nodiscard]] bool empty() const {
      return !any && zones.empty() && nets.empty() && units.list().empty() &&
             services.list().empty();
    }
  };

  const Things& things_of(GroupId id) {
    if (const auto it = of_group_.find(id); it != of_group_.end()) return it->second;
    const Group& group = policy_.groups[id.index()];
    Things things = things_of(group.members);
    const Things without = things_of(group.except);
    things.units.remove(without.units);
    things.services.remove(without.services);
    for (const ZoneId zone : without.zones) things.zones.erase(zone);
    std::erase_if(things.nets, [&](const auto& net) {
      return std::ranges::any_of(without.nets, [&](const auto& hole) {
        return hole.first == net.first && hole.second.contains(net.second);
      });
    });
    if (without.any) {
      things = Things{};
      things.units = Bits{policy_.units.size()};
      things.services = Bits{policy_.services.size()};
    }
    return of_group_.emplace(id, std::move(things)).first->second;
  }

  Things things_of(const std::vector<Selector>& list) {
    Things things;
    things.units = Bits{policy_.units.size()};
    things.services = Bits{policy_.services.size()};
    for (const Selector& selector : list) {
      switch (selector.kind) {
        case SelectorKind::kAny: things.any = true; break;
        case SelectorKind::kZone: things.zones.insert(selector.zone); break;
        case SelectorKind::kNet: things.nets.emplace(selector.space, selector.prefix); break;
        case SelectorKind::kService: things.services.set(selector.service.index()); break;
        case SelectorKind::kServices:
          for (std::size_t s = 0; s < policy_.services.size(); ++s) {
            const auto& labels = policy_.services[s].labels;
            if (std::ranges::find(labels, selector.text) != labels.end()) things.services.set(s);
          }
          break;
        case SelectorKind::kGroup: {
          const Things& held = things_of(selector.group);
          things.any = things.any || held.any;
          things.zones.insert(held.zones.begin(), held.zones.end());
          things.nets.insert(held.nets.begin(), held.nets.end());
          things.units |= held.units;
          things.services |= held.services;
          break;
        }
        default:
          for (const UnitId unit : units_.of(selector)) things.units.set(unit.index());
          break;
      }
    }
    return things;
  }

  void check_groups() {
    std::vector<bool> is_used(policy_.groups.size(), false);
    for_each_list([&](const std::vector<Selector>& list) {
      for (const Selector& selector : list) {
        if (selector.kind == SelectorKind::kGroup) is_used[selector.group.index()] = true;
      }
    });
    constexpr std::size_t kHeader = 9;  // [[group]]
    for (std::size_t i = 0; i < policy_.groups.size(); ++i) {
      const Group& group = policy_.groups[i];
      if (things_of(GroupId{static_cast<GroupId::rep>(i)}).empty()) {
        sink_.add("group-empty", group.id, group.place, kHeader,
                  say("group {} matches nothing", "分组 {} 不匹配任何对象", group.id),
                  say("a rule that names it alone never matches", "只用它的规则不会匹配任何报文"));
      }
      if (!is_used[i]) {
        sink_.add("group-unused", group.id, group.place, kHeader,
                  say("nothing names group {}", "没有规则使用分组 {}", group.id),
                  say("take it out, or use it", "请删去，或加以使用"));
      }
    }
  }

  void check_schedules() {
    std::vector<bool> is_used(policy_.schedules.size(), false);
    for (const auto& rule : policy_.rules) {
      if (rule.schedule.is_some()) is_used[rule.schedule.index()] = true;
    }
    constexpr std::size_t kHeader = 12;  // [[schedule]]
    for (std::size_t i = 0; i < policy_.schedules.size(); ++i) {
      if (is_used[i]) continue;
      const auto& schedule = policy_.schedules[i];
      sink_.add("schedule-unused", schedule.id, schedule.place, kHeader,
                say("no rule names schedule {}", "没有规则使用时段 {}", schedule.id),
                say("take it out, or use it", "请删去，或加以使用"));
    }
  }

  // Units no packet of which is ever admitted.
  void check_units() {
    std::vector<bool> has_terminal(policy_.units.size(), false);
    for (const auto& terminal : policy_.terminals) has_terminal[terminal.unit.index()] = true;
    constexpr std::size_t kHeader = 8;  // [[unit]]
    for (std::size_t i = 0; i < policy_.units.size(); ++i) {
      const auto& unit = policy_.units[i];
      if (unit.prefixes.empty()) {
        sink_.add("unit-admits-nobody", unit.id, unit.place, kHeader,
                  say("unit {} has no prefixes: no address is its own",
                      "单位 {} 没有前缀，没有地址属于它", unit.id),
                  say("write its prefixes, or take it out", "请写明前缀，或删去该单位"));
      } else if (unit.admission == policy::Admission::kBound && !has_terminal[i]) {
        sink_.add(
            "unit-admits-nobody", unit.id, unit.place, kHeader,
            say("unit {} admits registered terminals only (`bound`), and has none",
                "单位 {} 只准入登记的终端（`bound`），而没有登记任何终端", unit.id),
            say("register its terminals with [[terminal]]: `meiguan policy import terminals` "
                "reads a spreadsheet",
                "请用 [[terminal]] 登记终端，`meiguan policy import terminals` 可从表格导入"));
      }
    }
  }

  // A prefix sorts behind those that hold it: a stack of open ones is enough.
  void check_nesting() {
    struct Held {
      SpaceId space;
      net::Prefix prefix;
      const policy::Unit* unit;
    };
    std::vector<Held> all;
    for (const auto& unit : policy_.units) {
      const auto space = policy_.zones[unit.zone.index()].space;
      for (const auto& prefix : unit.prefixes) all.push_back({space, prefix, &unit});
    }
    std::ranges::sort(all, {}, [](const Held& held) {
      return std::tuple{held.space, held.prefix.family(), held.prefix.address(),
                        held.prefix.length()};
    });
    std::vector<const Held*> open;
    for (const auto& held : all) {
      while (!open.empty() &&
             (open.back()->space != held.space || !open.back()->prefix.contains(held.prefix))) {
        open.pop_back();
      }
      if (!open.empty() && open.back()->unit != held.unit) {
        const Held& outer = *open.back();
        auto& lint = sink_.add("prefix-nested", held.unit->id, held.unit->place, 8,
                               say("prefix {0} of unit {1} lies inside {2} of unit {3}",
                                   "单位 {1} 的前缀 {0} 位于单位 {3} 的 {2} 之内",
                                   net::to_string(held.prefix), held.unit->id,
                                   net::to_string(outer.prefix), outer.unit->id),
                               say("its addresses belong to the longer prefix",
                                   "这些地址归较长的前缀所有"));
        lint.related.push_back({outer.unit->id, policy_.where(outer.unit->place)});
      }
      open.push_back(&held);
    }
  }

  const CheckedPolicy& policy_;
  LintSink& sink_;
  policy::UnitSets units_;
  std::map<GroupId, Things> of_group_;  // one answer for each, however often it is named
};

constexpr std::size_t kServiceHeader = 11;  // [[service]]

void lint_overlap(const CheckedPolicy& policy, const policy::CompileTrace& trace, LintSink& sink) {
  // Services that stand together somewhere; of many at one place, each with the one before.
  std::map<ServiceId, std::set<ServiceId>> others;
  for (const auto& services : trace.services_of_target) {
    for (std::size_t i = 1; i < services.size(); ++i) others[services[i]].insert(services[i - 1]);
  }
  for (const auto& [id, with] : others) {
    const auto& service = policy.services[id.index()];
    const auto& first = policy.services[with.begin()->index()];
    auto& lint =
        sink.add("services-overlap", service.id, service.place, kServiceHeader,
                 with.size() == 1
                     ? say("services {} and {} ({}) both listen at the same address and port",
                           "服务 {} 与 {}（{}）在同一地址和端口监听", service.id, first.id,
                           policy.where(first.place))
                     : say("service {} listens where {} ({}) and {} more do",
                           "服务 {} 与 {}（{}）等的监听处重叠，另有 {} 个", service.id, first.id,
                           policy.where(first.place), with.size() - 1),
                 say("a packet there is in all of them, and is counted to the most specific one",
                     "该处的报文同时属于这些服务，统计计入最具体的一个"));
    for (const ServiceId one : with) {
      const auto& other = policy.services[one.index()];
      lint.related.push_back({other.id, policy.where(other.place)});
    }
  }
}

}  // namespace

void lint_objects(const CheckedPolicy& policy, LintSink& sink) { ObjectLinter{policy, sink}.run(); }

void lint_services(const CheckedPolicy& policy, const image::Image& image,
                   const policy::CompileTrace& trace, const PolicyEffects& effects,
                   LintSink& sink) {
  lint_overlap(policy, trace, sink);
  const std::size_t width = image.meta().zone_columns;
  std::vector<bool> is_reached(policy.services.size(), false);
  for (std::size_t t = 0; t < trace.services_of_target.size(); ++t) {
    const std::uint32_t column = image.target_classes()[t * width + width - 1];
    const std::uint64_t let_by = effects.let_by[column / image::kBlockColumns];
    if ((let_by >> column % image::kBlockColumns & 1) == 0) continue;
    for (const ServiceId service : trace.services_of_target[t]) is_reached[service.index()] = true;
  }
  for (std::size_t i = 0; i < policy.services.size(); ++i) {
    if (is_reached[i]) continue;
    const auto& service = policy.services[i];
    sink.add("service-unreachable", service.id, service.place, kServiceHeader,
             say("nobody may reach service {}", "没有人可以访问服务 {}", service.id),
             say("no rule allows it where isolation lets it by", "在隔离允许之处没有规则放行它"));
  }
}

}  // namespace meiguan::analysis
