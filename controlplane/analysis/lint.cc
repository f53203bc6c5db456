#include "controlplane/analysis/lint.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <map>
#include <set>
#include <tuple>
#include <utility>

namespace meiguan::analysis {
namespace {

using policy::CheckedPolicy;
using policy::Rule;
using policy::Selector;
using policy::SelectorKind;

class Linter {
 public:
  Linter(const CheckedPolicy& policy, const std::filesystem::path& path)
      : policy_{policy}, path_{path} {}

  policy::Diagnostics run() {
    check_labels();
    check_nesting();
    check_service_cells();
    std::ranges::stable_sort(found_, {}, [](const policy::Diagnostic& d) {
      return std::tuple{std::string_view{d.file}, d.line, d.column};
    });
    add_source_lines();
    return std::move(found_);
  }

 private:
  void add(const policy::Place& place, std::size_t length, Text message, Text hint) {
    policy::Diagnostic diagnostic;
    diagnostic.file = policy_.files[place.file];
    diagnostic.line = place.line;
    diagnostic.column = place.column;
    diagnostic.length = static_cast<std::uint32_t>(std::max<std::size_t>(length, 1));
    diagnostic.message = std::move(message);
    diagnostic.hint = std::move(hint);
    found_.push_back(std::move(diagnostic));
  }

  void add_source_lines() {
    std::string open;
    std::vector<std::string> lines;
    for (auto& diagnostic : found_) {
      if (diagnostic.file != open) {
        open = diagnostic.file;
        lines.clear();
        std::ifstream file{std::filesystem::is_directory(path_) ? path_ / open : path_};
        for (std::string line; std::getline(file, line);) lines.push_back(line);
      }
      if (diagnostic.line >= 1 && diagnostic.line <= lines.size()) {
        diagnostic.source_line = lines[diagnostic.line - 1];
      }
    }
  }

  template <typename Visit>
  void for_each_selector(const Visit& visit) const {
    for (const auto& rule : policy_.rules) {
      for (const auto* const list : {&rule.from, &rule.except_from, &rule.to, &rule.except_to}) {
        for (const auto& selector : *list) visit(selector);
      }
    }
    for (const auto& group : policy_.groups) {
      for (const auto* const list : {&group.members, &group.except}) {
        for (const auto& selector : *list) visit(selector);
      }
    }
  }

  void check_labels() {
    std::set<std::string_view> of_units;
    std::set<std::string_view> of_services;
    for (const auto& unit : policy_.units) of_units.insert(unit.labels.begin(), unit.labels.end());
    for (const auto& service : policy_.services) {
      of_services.insert(service.labels.begin(), service.labels.end());
    }
    for_each_selector([&](const Selector& selector) {
      const bool of_unit = selector.kind == SelectorKind::kLabel;
      if (!of_unit && selector.kind != SelectorKind::kServices) return;
      if ((of_unit ? of_units : of_services).contains(selector.text)) return;
      add(selector.place, selector.text.size() + (of_unit ? 8 : 11),
          {fmt::format("no {} has the label `{}`", of_unit ? "unit" : "service", selector.text),
           fmt::format("没有{}带标签 `{}`", of_unit ? "单位" : "服务", selector.text)},
          {"the selector matches nothing", "该选择符不匹配任何对象"});
    });
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
        add(held.unit->place, 8,
            {fmt::format("prefix {} of unit {} lies inside {} of unit {}",
                         net::to_string(held.prefix), held.unit->id, net::to_string(outer.prefix),
                         outer.unit->id),
             fmt::format("单位 {1} 的前缀 {0} 位于单位 {3} 的 {2} 之内",
                         net::to_string(held.prefix), held.unit->id, net::to_string(outer.prefix),
                         outer.unit->id)},
            {"its addresses belong to the longer prefix", "这些地址归较长的前缀所有"});
      }
      open.push_back(&held);
    }
  }

  // What a list of selectors may stand for.
  struct Meaning {
    bool is_any{false};  // any zone at all: the rest is then not complete
    std::set<ZoneId> zones;
    bool names_service{false};
  };

  const Meaning& meaning_of(policy::GroupId id) {
    if (const auto it = groups_.find(id); it != groups_.end()) return it->second;
    return groups_.emplace(id, meaning_of(policy_.groups[id.index()].members)).first->second;
  }

  Meaning meaning_of(const std::vector<Selector>& list) {
    Meaning meaning;
    auto& zones = meaning.zones;
    const auto add_units = [&](const auto& matches) {
      for (const auto& unit : policy_.units) {
        if (matches(unit)) zones.insert(unit.zone);
      }
    };
    for (const auto& selector : list) {
      switch (selector.kind) {
        case SelectorKind::kAny:
        case SelectorKind::kNet: meaning.is_any = true; return meaning;
        case SelectorKind::kUnit: zones.insert(policy_.units[selector.unit.index()].zone); break;
        case SelectorKind::kNode:
          add_units([&](const auto& u) { return policy_.is_within(u.node, selector.node); });
          break;
        case SelectorKind::kTier:
          add_units(
              [&](const auto& u) { return policy_.nodes[u.node.index()].tier == selector.tier; });
          break;
        case SelectorKind::kLabel:
          add_units([&](const auto& u) {
            return std::ranges::find(u.labels, selector.text) != u.labels.end();
          });
          break;
        case SelectorKind::kZone: zones.insert(selector.zone); break;
        case SelectorKind::kGroup: {
          const Meaning& held = meaning_of(selector.group);
          if (held.is_any) return held;
          zones.insert(held.zones.begin(), held.zones.end());
          meaning.names_service = meaning.names_service || held.names_service;
          break;
        }
        case SelectorKind::kService:
        case SelectorKind::kServices: meaning.names_service = true; break;
      }
    }
    return meaning;
  }

  void check_service_cells() {
    for (const Rule& rule : policy_.rules) {
      if (rule.action != policy::Action::kAllow) continue;
      const Meaning from = meaning_of(rule.from);
      const Meaning to = meaning_of(rule.to);
      if (from.is_any || to.is_any || to.names_service) continue;
      const policy::Zone* service_from = nullptr;
      const policy::Zone* service_to = nullptr;
      bool can_meet = false;
      for (const auto f : from.zones) {
        for (const auto t : to.zones) {
          const auto answer = image::isolation(policy_.zones[f.index()].kind,
                                               policy_.zones[t.index()].kind, f == t);
          if (answer.dropped()) continue;
          if (!answer.service()) can_meet = true;
          service_from = &policy_.zones[f.index()];
          service_to = &policy_.zones[t.index()];
        }
      }
      if (can_meet || service_from == nullptr) continue;
      add(rule.place, 8,
          {fmt::format("rule {} names no service, and from {} to {} only services can be allowed",
                       policy_.full_name(rule), service_from->id, service_to->id),
           fmt::format("规则 {} 没有点名服务，而从 {} 到 {} 只能放行服务", policy_.full_name(rule),
                       service_from->id, service_to->id)},
          {"name the destination with `service:` or `services:`",
           "目的请用 `service:` 或 `services:`"});
    }
  }

  const CheckedPolicy& policy_;
  const std::filesystem::path& path_;
  policy::Diagnostics found_;
  std::map<policy::GroupId, Meaning> groups_;  // one answer for each, however often it is named
};

}  // namespace

policy::Diagnostics lint(const CheckedPolicy& policy, const std::filesystem::path& path) {
  return Linter{policy, path}.run();
}

std::string render_lint(const policy::Diagnostic& diagnostic, Language language, bool colour) {
  std::string text = policy::render(diagnostic, language, colour);
  const auto end_of_line = text.find('\n');
  for (const auto& [word, instead] :
       {std::pair<std::string_view, std::string_view>{"error", "lint"}, {"错误", "提示"}}) {
    const auto at = text.find(word);
    if (at == std::string::npos || at > end_of_line) continue;
    text.replace(at, word.size(), instead);
    break;
  }
  if (!text.ends_with('\n')) text += '\n';
  return text;
}

}  // namespace meiguan::analysis
