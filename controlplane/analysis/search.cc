#include "controlplane/analysis/search.h"

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

#include "controlplane/policy/check_policy.h"
#include "controlplane/policy/message.h"
#include "controlplane/policy/protocol_name.h"

namespace meiguan::analysis {
namespace {

using policy::CheckedPolicy;
using policy::PortMatch;
using policy::say;
using policy::Selector;
using policy::SelectorKind;

std::string folded(std::string_view text) {
  std::string result{text};
  for (char& c : result) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return result;
}

std::optional<Relation> relation_of(const net::Prefix& has, const net::Prefix& wanted) {
  if (has == wanted) return Relation::kEquals;
  if (has.contains(wanted)) return Relation::kContains;
  if (wanted.contains(has)) return Relation::kInside;
  return std::nullopt;
}

std::optional<Relation> relation_of(const PortMatch& has, const PortRange& wanted) {
  if (has.any_protocol) return Relation::kContains;
  if (wanted.protocol ? has.protocol != *wanted.protocol : !policy::has_ports(has.protocol)) {
    return std::nullopt;
  }
  if (has.whole) return wanted.whole ? Relation::kEquals : Relation::kContains;
  if (wanted.whole) return Relation::kInside;
  if (has.first == wanted.first && has.last == wanted.last) return Relation::kEquals;
  if (has.first <= wanted.first && has.last >= wanted.last) return Relation::kContains;
  if (has.first >= wanted.first && has.last <= wanted.last) return Relation::kInside;
  if (has.first <= wanted.last && has.last >= wanted.first) return Relation::kOverlaps;
  return std::nullopt;
}

Relation both(Relation a, Relation b) {
  if (a == Relation::kEquals) return b;
  return b == Relation::kEquals || a == b ? a : Relation::kOverlaps;
}

class Searcher {
 public:
  Searcher(const CheckedPolicy& policy, const Pattern& pattern)
      : policy_{policy}, pattern_{pattern} {}

  std::vector<Match> run() {
    nodes_and_zones();
    for (const auto& unit : policy_.units) search_unit(unit);
    for (const auto& terminal : policy_.terminals) search_terminal(terminal);
    for (const auto& service : policy_.services) search_service(service);
    for (const auto& group : policy_.groups) search_group(group);
    for (const auto& schedule : policy_.schedules) {
      begin("schedule", schedule.place, schedule.id, schedule.name);
      end();
    }
    for (const auto& rule : policy_.rules) search_rule(rule);
    for (const auto& assertion : policy_.assertions) search_assertion(assertion);
    search_translations();
    const auto position = [&](const Match& match) {
      return std::tie(policy_.files[match.place.file], match.place.line, match.place.column);
    };
    std::stable_sort(found_.begin(), found_.end(),
                     [&](const Match& a, const Match& b) { return position(a) < position(b); });
    return std::move(found_);
  }

 private:
  void begin(std::string_view kind, const policy::Place& place, std::string id, std::string name) {
    match_ = {place, kind, std::move(id), std::move(name), {}};
    look_at("id", match_.id);
    if (match_.name != match_.id) look_at("name", match_.name);
  }
  void end() {
    if (!match_.reasons.empty()) found_.push_back(std::move(match_));
  }
  void add(Relation relation, std::string_view key, std::string what) {
    match_.reasons.push_back({relation, std::string{key}, std::move(what)});
  }

  void look_at(std::string_view key, const std::string& text) {
    if (pattern_.text.empty() || text.empty()) return;
    const auto lower = folded(text);
    if (lower == pattern_.text) {
      add(Relation::kEquals, key, text);
    } else if (lower.find(pattern_.text) != lower.npos) {
      add(Relation::kNamed, key, text);
    }
  }
  void look_at(std::string_view key, const std::vector<std::string>& texts) {
    for (const auto& text : texts) look_at(key, text);
  }
  void look_at(std::string_view key, const net::Prefix& prefix) {
    // With ports an endpoint is meant, and what has addresses alone has none.
    if (!pattern_.prefix || pattern_.ports) return;
    if (const auto relation = relation_of(prefix, *pattern_.prefix)) {
      add(*relation, key, net::to_string(prefix));
    }
  }
  void look_at(std::string_view key, const std::vector<PortMatch>& ports) {
    if (!pattern_.ports || pattern_.prefix) return;
    for (const auto& match : ports) {
      if (const auto relation = relation_of(match, *pattern_.ports)) {
        add(*relation, key, policy::ports_text(match));
      }
    }
  }
  void look_at(std::string_view key, const std::vector<Selector>& selectors) {
    for (const auto& selector : selectors) {
      if (selector.kind == SelectorKind::kNet && pattern_.prefix && !pattern_.ports) {
        if (const auto relation = relation_of(selector.prefix, *pattern_.prefix)) {
          add(*relation, key, policy::selector_text(policy_, selector));
        }
      }
      look_at(key, policy::selector_text(policy_, selector));
    }
  }
  void look_at(std::string_view key, const policy::Endpoint& endpoint) {
    const auto addresses = pattern_.prefix ? relation_of(endpoint.prefix, *pattern_.prefix)
                                           : std::optional{Relation::kEquals};
    const auto ports = pattern_.ports ? relation_of(endpoint.match, *pattern_.ports)
                                      : std::optional{Relation::kEquals};
    if (!addresses || !ports) return;
    add(both(*addresses, *ports), key, policy::endpoint_text(endpoint));
  }
  template <typename Flow>
  void look_at_flow(const Flow& flow) {
    look_at("from", flow.from);
    look_at("except_from", flow.except_from);
    look_at("to", flow.to);
    look_at("except_to", flow.except_to);
    look_at("ports", flow.ports);
  }

  void nodes_and_zones() {
    for (const auto& node : policy_.nodes) {
      begin("node", node.place, node.code, node.name);
      end();
    }
    for (const auto& zone : policy_.zones) {
      begin("zone", zone.place, zone.id, zone.name);
      end();
    }
  }

  void search_unit(const policy::Unit& unit) {
    begin("unit", unit.place, unit.id, unit.name);
    for (const auto& prefix : unit.prefixes) look_at("prefixes", prefix);
    look_at("labels", unit.labels);
    end();
  }

  void search_terminal(const policy::Terminal& terminal) {
    match_ = {
        terminal.place, "terminal", net::to_string(terminal.addresses.front()), terminal.name, {}};
    look_at("name", terminal.name);
    for (const auto& address : terminal.addresses) {
      if (!pattern_.prefix || pattern_.ports || !pattern_.prefix->contains(address)) continue;
      const bool single = pattern_.prefix->address() == address &&
                          pattern_.prefix->length() == net::address_bits(address.family());
      add(single ? Relation::kEquals : Relation::kInside, "addresses", net::to_string(address));
    }
    if (terminal.mac) {
      if (pattern_.mac == terminal.mac) {
        add(Relation::kEquals, "mac", net::to_string(*terminal.mac));
      } else {
        look_at("mac", net::to_string(*terminal.mac));
      }
    }
    end();
  }

  void search_service(const policy::Service& service) {
    begin("service", service.place, service.id, service.name);
    if (pattern_.prefix || pattern_.ports) {
      for (const auto& endpoint : service.endpoints) look_at("endpoints", endpoint);
    }
    look_at("labels", service.labels);
    look_at("offered_to", service.offered_to);
    end();
  }

  void search_group(const policy::Group& group) {
    begin("group", group.place, group.id, group.name);
    look_at("members", group.members);
    look_at("except", group.except);
    end();
  }

  void search_rule(const policy::Rule& rule) {
    begin("rule", rule.place, policy_.full_name(rule), rule.name == rule.id ? "" : rule.name);
    look_at_flow(rule);
    if (rule.schedule.is_some()) {
      look_at("schedule", policy_.schedules[rule.schedule.index()].id);
    }
    look_at("ticket", rule.ticket);
    look_at("owner", rule.owner);
    look_at("comment", rule.comment);
    end();
  }

  void search_assertion(const policy::Assertion& assertion) {
    begin("assert", assertion.place, assertion.id, assertion.name);
    look_at_flow(assertion);
    end();
  }

  void search_translations() {
    for (const auto& publish : policy_.publishes) {
      const auto& service = policy_.services[publish.service.index()];
      begin("publish", publish.place, service.id, service.name);
      if (pattern_.prefix || pattern_.ports) look_at("public", publish.address);
      end();
    }
    for (const auto& egress : policy_.egresses) {
      begin("egress", egress.place, egress.id, egress.name);
      look_at("from", egress.from);
      for (const auto& pool : egress.pool) look_at("pool", pool);
      end();
    }
    for (const auto& translate : policy_.translates) {
      const auto& zone = policy_.zones[translate.zone.index()];
      begin("translate", translate.place, zone.id, zone.name);
      look_at("inside", translate.inside);
      look_at("outside", translate.outside);
      end();
    }
  }

  const CheckedPolicy& policy_;
  const Pattern& pattern_;
  Match match_;
  std::vector<Match> found_;
};

// `443` or `8000-8100`: ports of whatever protocol.
std::optional<PortRange> bare_ports(std::string_view text) {
  const auto dash = text.find('-');
  const auto first = policy::parse_number(text.substr(0, dash), 65535);
  const auto last = dash == text.npos ? first : policy::parse_number(text.substr(dash + 1), 65535);
  if (!first || !last || *first == 0 || *first > *last) return std::nullopt;
  return PortRange{std::nullopt, static_cast<std::uint16_t>(*first),
                   static_cast<std::uint16_t>(*last), false};
}

// None for `any`, which says nothing of ports.
std::optional<PortRange> range_of(const PortMatch& match) {
  if (match.any_protocol) return std::nullopt;
  return PortRange{match.protocol, match.first, match.last, match.whole};
}

}  // namespace

std::string_view relation_name(Relation relation) {
  constexpr std::array<std::string_view, 5> kNames{"equals", "contains", "inside", "overlaps",
                                                   "named"};
  return kNames[static_cast<std::size_t>(relation)];
}

policy::Parsed<Pattern> parse_pattern(std::string_view text) {
  constexpr std::size_t kLongest = 256;
  if (text.empty() || text.size() > kLongest) {
    return std::unexpected{
        policy::Complaint{say("a pattern has 1 to {} bytes", "查找内容应为 1 至 {} 字节", kLongest),
                          {}}};
  }
  Pattern pattern;
  pattern.text = folded(text);
  auto inside = text;
  if (inside.starts_with('[') && inside.ends_with(']'))
    inside = inside.substr(1, inside.size() - 2);
  if (const auto address = net::parse_address(inside)) {
    pattern.prefix = net::Prefix::around(*address, net::address_bits(address->family()));
    pattern.text.clear();
    return pattern;
  }
  if (const auto mac = net::parse_mac(text)) {
    pattern.mac = *mac;
    return pattern;
  }
  if (const auto ports = bare_ports(text)) {
    pattern.ports = ports;
    return pattern;
  }
  if (const auto match = policy::parse_ports(text)) {
    pattern.ports = range_of(*match);
    return pattern;
  }
  // Only what begins with an address is one with a length or with ports: the rest is text.
  const auto end = text.starts_with('[') ? text.find(']') : text.find('/');
  const auto start = text.substr(text.starts_with('[') ? 1 : 0,
                                 end == text.npos ? end : end - (text.starts_with('[') ? 1 : 0));
  const auto colon = text.starts_with('[') ? start.npos : start.find(':');
  const bool is_address = net::parse_address(start).has_value() ||
                          (colon != start.npos && net::parse_address(start.substr(0, colon)));
  if (!is_address) return pattern;
  pattern.text.clear();
  auto prefix = policy::parse_prefix(text);
  if (prefix) {
    pattern.prefix = *prefix;
    return pattern;
  }
  const auto endpoint = policy::parse_endpoint(text);
  if (endpoint) {
    pattern.prefix = endpoint->prefix;
    pattern.ports = range_of(endpoint->match);
    return pattern;
  }
  const auto tail = text.substr(text.rfind('/') + 1);
  const bool numeric = std::ranges::all_of(tail, [](char c) { return c >= '0' && c <= '9'; });
  return std::unexpected{numeric ? prefix.error() : endpoint.error()};
}

std::vector<Match> search(const CheckedPolicy& policy, const Pattern& pattern) {
  return Searcher{policy, pattern}.run();
}

}  // namespace meiguan::analysis
