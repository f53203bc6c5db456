// Lints of rules: what they do, over all packets and instants, and what is written beside them.

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <span>

#include "controlplane/analysis/first_packet.h"
#include "controlplane/analysis/lint_sink.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/policy/message.h"

namespace meiguan::analysis {
namespace {

using policy::Action;
using policy::CheckedPolicy;
using policy::Rule;
using policy::say;
using policy::SelectorKind;

constexpr std::size_t kNamed = 4;  // so many rules are named in a sentence

Text list_rules(const CheckedPolicy& policy, std::span<const std::uint32_t> rules) {
  Text text;
  for (std::size_t i = 0; i < std::min(rules.size(), kNamed); ++i) {
    const Rule& rule = policy.rules[rules[i]];
    const auto one = fmt::format("{} ({})", policy.full_name(rule), policy.where(rule.place));
    text.english += (i > 0 ? ", " : "") + one;
    text.chinese += (i > 0 ? "、" : "") +
                    fmt::format("{}（{}）", policy.full_name(rule), policy.where(rule.place));
  }
  if (rules.size() > kNamed) {
    text.english += fmt::format(" and {} more", rules.size() - kNamed);
    text.chinese += fmt::format(" 等 {} 条", rules.size());
  }
  return text;
}

class RuleLinter {
 public:
  RuleLinter(const CheckedPolicy& policy, const PolicyEffects& effects, LintSink& sink)
      : policy_{policy}, effects_{effects}, sink_{sink} {}

  void run() {
    for (std::size_t i = 0; i < policy_.rules.size(); ++i) {
      const Rule& rule = policy_.rules[i];
      const RuleEffect& effect = effects_.rules[i];
      // Where it is not there any more, lint_dates says so.
      if (effect.ever_there) lint(rule, effect);
      if (rule.owner.empty() && rule.ticket.empty()) {
        sink_.add("rule-undocumented", rule,
                  say("rule {} has neither owner nor ticket", "规则 {} 没有责任单位，也没有工单",
                      policy_.full_name(rule)),
                  say("write who asked for it: `owner` or `ticket`",
                      "请用 `owner` 或 `ticket` 写明由谁提出"));
      }
      if (rule.action == Action::kAllow && rule.ports.empty() && has_any(rule.from) &&
          has_any(rule.to)) {
        sink_.add("allow-any-to-any", rule,
                  say("rule {} allows anything to anything", "规则 {} 放行任意源到任意目的",
                      policy_.full_name(rule)),
                  say("name sources, destinations or ports", "请写明源、目的或端口"));
      }
    }
  }

 private:
  [[nodiscard]] bool has_any(const std::vector<policy::Selector>& list) const {
    return std::ranges::any_of(list, [this](const policy::Selector& selector) {
      if (selector.kind == SelectorKind::kGroup) {
        return group_has_any(selector.group);
      }
      return selector.kind == SelectorKind::kAny;
    });
  }

  // Whether a service is named, be it in a group of a group; `seen` are groups already looked into.
  [[nodiscard]] bool names_service(const std::vector<policy::Selector>& list,
                                   std::set<policy::GroupId>& seen) const {
    return std::ranges::any_of(list, [&](const policy::Selector& selector) {
      if (selector.kind == SelectorKind::kGroup) {
        return seen.insert(selector.group).second &&
               names_service(policy_.groups[selector.group.index()].members, seen);
      }
      return selector.kind == SelectorKind::kService || selector.kind == SelectorKind::kServices;
    });
  }

  // Whether the ports leave no protocol, port or type with which a flow can begin.
  [[nodiscard]] static bool open_no_flow(const std::vector<policy::PortMatch>& ports) {
    return !ports.empty() && std::ranges::none_of(ports, [](const policy::PortMatch& match) {
      const std::uint32_t key = std::uint32_t{match.protocol} << 16;
      const std::uint32_t first = match.whole ? key : key | match.first;
      const std::uint32_t end = (match.whole ? key | 0xffff : key | match.last) + 1;
      return match.any_protocol || first_packet_key(net::Family::kIpv4, first, end) ||
             first_packet_key(net::Family::kIpv6, first, end);
    });
  }

  // Each group once: groups that name others twice would be asked twice at each level.
  [[nodiscard]] bool group_has_any(policy::GroupId id) const {
    if (const auto it = group_has_any_.find(id); it != group_has_any_.end()) return it->second;
    const policy::Group& group = policy_.groups[id.index()];
    const bool has = group.except.empty() && has_any(group.members);
    group_has_any_.emplace(id, has);
    return has;
  }

  void relate(Lint& lint, std::span<const std::uint32_t> rules) const {
    for (const auto i : rules) {
      const Rule& rule = policy_.rules[i];
      lint.related.push_back({policy_.full_name(rule), policy_.where(rule.place)});
    }
  }

  void lint(const Rule& rule, const RuleEffect& effect) {
    if (!effect.matches) {
      never_matches(rule, effect);
    } else if (rule.action == Action::kAllow && effect.decides && !effect.lets_by) {
      sink_.add("allow-not-published", rule,
                say("rule {} lets nothing by: from the internet only published services are "
                    "reached, and it names none",
                    "规则 {} 不放行任何报文：从互联网只能访问已发布的服务，而它没有点名这样的服务",
                    policy_.full_name(rule)),
                say("name a service with `publish = true`, or take the rule out",
                    "请点名 `publish = true` 的服务，或删去规则"));
    } else if (!effect.decides && !effect.is_needed) {
      shadowed(rule, effect);
    } else if (!effect.is_needed && !effect.paused_by.empty()) {
      // Redundant at other times only, and hardly meant: the node's own earlier rule stands in its
      // way.
      const Text rules = list_rules(policy_, effect.paused_by);
      shadowed_partly(rule, effect.paused_by,
                      {fmt::format("at times what rule {} matches is decided the other way by {}, "
                                   "which stands before it",
                                   policy_.full_name(rule), rules.english),
                       fmt::format("规则 {} 匹配的报文在某些时间由排在它之前的 {} 作了相反决定",
                                   policy_.full_name(rule), rules.chinese)});
    } else if (!effect.is_needed) {
      redundant(rule, effect);
    } else if (!effect.overruled_by.empty()) {
      const Text rules = list_rules(policy_, effect.overruled_by);
      shadowed_partly(rule, effect.overruled_by,
                      {fmt::format("part of what rule {} matches is decided the other way by {}",
                                   policy_.full_name(rule), rules.english),
                       fmt::format("规则 {} 匹配的一部分由 {} 作了相反决定",
                                   policy_.full_name(rule), rules.chinese)});
    }
  }

  void shadowed_partly(const Rule& rule, std::span<const std::uint32_t> by, Text message) {
    auto& lint = sink_.add("rule-shadowed-partly", rule, std::move(message),
                           say("`meiguan explain --all` shows the order for one packet",
                               "`meiguan explain --all` 可显示某个报文的判决次序"));
    relate(lint, by);
  }

  // Whether a lint of the list's own says already why nothing matches it.
  [[nodiscard]] bool is_told(const std::vector<policy::Selector>& list) const {
    return std::ranges::any_of(list, [this](const policy::Selector& selector) {
      return sink_.has(selector.kind == SelectorKind::kGroup
                           ? policy_.groups[selector.group.index()].place
                           : selector.place);
    });
  }

  void never_matches(const Rule& rule, const RuleEffect& effect) {
    const auto name = policy_.full_name(rule);
    if (!effect.has_sources && is_told(rule.from)) return;
    if (!effect.has_targets && is_told(rule.to)) return;
    const bool below_root = rule.node != NodeId{0};
    if (!effect.has_targets && rule.action == Action::kAllow && below_root) {
      sink_.add("allow-opens-nothing", rule,
                say("rule {} names nothing that node {} may open",
                    "规则 {} 没有指明节点 {} 可以开放的对象", name,
                    policy_.nodes[rule.node.index()].code),
                say("an allow opens what is in its node's subtree, or what was offered to it",
                    "放行规则只能开放本节点子树内的或获准（offered_to）的对象"));
      return;
    }
    if (effect.passed_over && effect.not_isolated) {
      std::set<policy::GroupId> seen;
      const bool names_some = names_service(rule.to, seen);
      sink_.add("allow-names-no-service", rule,
                names_some
                    ? say("wherever isolation lets by what rule {} matches only services can be "
                          "allowed, and those that it names are not there",
                          "规则 {} 匹配且未被隔离之处只能放行服务，而它点名的服务都不在其中", name)
                    : say("rule {} names no service, and wherever it matches only services can be "
                          "allowed",
                          "规则 {} 没有点名服务，而其匹配之处只能放行服务", name),
                say("name the destination with `service:` or `services:`",
                    "目的请用 `service:` 或 `services:`"));
      return;
    }
    Text why = say("isolation drops all of it, or its ends have no address family in common",
                   "其流量全部被隔离表丢弃，或两端没有共同的地址族");
    Text hint = say("see `meiguan isolation show`", "参见 `meiguan isolation show`");
    if (!effect.has_sources) {
      why = say("nothing matches `from`", "没有对象匹配 `from`");
      hint = say("name a source that there is", "请写明存在的源");
    } else if (!effect.has_targets) {
      why = say("nothing matches `to` and `ports`", "没有目的匹配 `to` 和 `ports`");
      hint = say("name a destination that there is", "请写明存在的目的");
    } else if (open_no_flow(rule.ports)) {
      why =
          say("no flow begins with its `ports`: of ICMP only requests (8, 13, 15; of ICMPv6 128) "
              "open one, replies and errors pass by the flow's state",
              "`ports` 中没有能发起流的报文：ICMP 只有请求（8、13、15，ICMPv6 为 128）能发起流，"
              "应答和差错按流的状态通过");
      hint = say("name the request: `icmp/8`, `icmp6/128`",
                 "请写请求的类型：`icmp/8`、`icmp6/128`");
    } else if (!effect.in_scope) {
      why = say("neither end is in the subtree of node {}", "两端都不在节点 {} 的子树内",
                policy_.nodes[rule.node.index()].code);
      hint = say("a rule applies to traffic of its own node and those below",
                 "规则只作用于本节点及其下级的流量");
    } else if (effect.not_isolated && effect.outside) {
      why = say("a mandatory allow applies only inside the subtree of node {}",
                "强制放行只在节点 {} 的子树之内有效", policy_.nodes[rule.node.index()].code);
      hint = say("write it as a local rule", "请改为本级（local）规则");
    }
    sink_.add("rule-never-matches", rule,
              {fmt::format("no packet can match rule {}: {}", name, why.english),
               fmt::format("没有报文能匹配规则 {}：{}", name, why.chinese)},
              std::move(hint));
  }

  void shadowed(const Rule& rule, const RuleEffect& effect) {
    const auto name = policy_.full_name(rule);
    const Text rules = list_rules(policy_, effect.deciders);
    const bool is_audit = rule.action == Action::kAudit;
    const bool of_others = std::ranges::any_of(effect.deciders, [&](std::uint32_t i) {
      return policy_.rules[i].node != rule.node;
    });
    auto& lint = sink_.add("rule-shadowed", rule,
                           {fmt::format("rule {} {}: wherever it matches, {} decide{}", name,
                                        is_audit ? "never counts" : "never decides", rules.english,
                                        effect.deciders.size() == 1 ? "s" : ""),
                            fmt::format("规则 {} {}：其匹配之处都由 {} 决定", name,
                                        is_audit ? "从不计数" : "从不起作用", rules.chinese)},
                           of_others ? say("take it out, or agree it with the nodes of those rules",
                                           "请删去，或与这些规则所属的节点协商")
                                     : say("take it out, or put it before them",
                                           "请删去，或移到这些规则之前"));
    relate(lint, effect.deciders);
  }

  void redundant(const Rule& rule, const RuleEffect& effect) {
    const auto name = policy_.full_name(rule);
    Text instead = list_rules(policy_, effect.successors);
    if (effect.falls_to_default || effect.successors.empty()) {
      instead.english += effect.successors.empty() ? "the default denial"
                                                   : " and the default denial";
      instead.chinese += effect.successors.empty() ? "默认拒绝" : "和默认拒绝";
    }
    auto& lint =
        sink_.add("rule-redundant", rule,
                  {fmt::format("without rule {} every decision would be the same, by {}", name,
                               instead.english),
                   fmt::format("没有规则 {}，各项判决也相同：由 {} 作出", name, instead.chinese)},
                  rule.log ? say("it does log what it matches", "但它记录所匹配的流量")
                           : say("take it out, unless it is there to be counted",
                                 "如不需要单独计数，可删去"));
    relate(lint, effect.successors);
  }

  const CheckedPolicy& policy_;
  mutable std::map<policy::GroupId, bool> group_has_any_;
  const PolicyEffects& effects_;
  LintSink& sink_;
};

// Its dates leave no instant.
bool is_never_there(const Rule& rule) {
  return rule.not_before && rule.expires && *rule.not_before >= *rule.expires;
}

}  // namespace

void lint_rules(const CheckedPolicy& policy, const PolicyEffects& effects, LintSink& sink) {
  RuleLinter{policy, effects, sink}.run();
  for (std::size_t i = 0; i < policy.rules.size(); ++i) {
    const Rule& rule = policy.rules[i];
    const RuleEffect& effect = effects.rules[i];
    // What `expires` does not explain.
    if (effect.ever_there || rule.schedule.is_none() || is_never_there(rule)) continue;
    if (rule.expires && effects.at >= *rule.expires) continue;
    const auto& schedule = policy.schedules[rule.schedule.index()];
    sink.add("rule-expired", rule,
             say("rule {} is never there any more: its dates and schedule {} ({}) do not meet",
                 "规则 {} 不会再生效：其起止日期与时段 {}（{}）没有交集", policy.full_name(rule),
                 schedule.id, policy.where(schedule.place)),
             say("take it out, or give it new dates", "请删去，或改写日期"));
  }
}

void lint_dates(const CheckedPolicy& policy, const LintOptions& options, LintSink& sink) {
  for (const Rule& rule : policy.rules) {
    if (!rule.expires) continue;
    const auto name = policy.full_name(rule);
    const auto when = policy::instant_text(policy.utc_offsets, *rule.expires);
    if (is_never_there(rule)) {
      sink.add("rule-expired", rule,
               say("rule {} is never there: it begins and ends at {}",
                   "规则 {} 从不生效：其起止都是 {}", name, when),
               say("take it out, or give it new dates", "请删去，或改写日期"));
    } else if (*rule.expires <= options.at) {
      sink.add("rule-expired", rule,
               say("rule {} expired at {}", "规则 {} 已于 {} 过期", name, when),
               say("take it out, or prolong it", "请删去，或延长期限"));
    } else if (*rule.expires - options.at <= options.within) {
      sink.add("rule-expires-soon", rule,
               say("rule {} expires at {}", "规则 {} 将于 {} 到期", name, when),
               say("prolong it if it is still needed", "如仍需要，请延长期限"));
    }
  }
}

}  // namespace meiguan::analysis
