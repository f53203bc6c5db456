#include "controlplane/daemon/stats_answers.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/stats_request.h"
#include "controlplane/policy/instant_text.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;
using store::Dimension;

// A minute is handed to the store so long after its end; until then it may grow.
constexpr std::int64_t kOpenSeconds = 75 + 2;
// A watch reads the counters once a second, and that never falls exactly on a minute's end.
constexpr std::int64_t kLeastWatchedPercent = 95;

std::span<const image::UtcOffset> offsets_of(const StatsInput& input) {
  return input.bundle.image.utc_offsets();
}

std::string text_of(const StatsInput& input, std::int64_t seconds) {
  return policy::instant_text(offsets_of(input), seconds);
}

// What people call a unit, a service, a node; nothing for other dimensions and unknown ids.
class People {
 public:
  explicit People(const policy::Catalog& catalog) {
    for (const auto& unit : catalog.units) names_[{Dimension::kUnit, unit.id}] = unit.name;
    for (const auto& service : catalog.services) {
      names_[{Dimension::kService, service.id}] = service.name;
    }
    for (const auto& node : catalog.nodes) names_[{Dimension::kNode, node.code}] = node.name;
  }
  [[nodiscard]] json::value name(Dimension dimension, const std::string& id) const {
    const auto found = names_.find(
        {dimension == Dimension::kPeer ? Dimension::kUnit : dimension, id});
    return found == names_.end() ? json::value(nullptr) : json::value(found->second);
  }
  [[nodiscard]] static bool knows(Dimension dimension) {
    return dimension == Dimension::kUnit || dimension == Dimension::kPeer ||
           dimension == Dimension::kService || dimension == Dimension::kNode;
  }

 private:
  std::map<std::pair<Dimension, std::string>, std::string> names_;
};

void widen_nodes(const policy::Catalog& catalog, store::Query& query) {
  const auto wanted = query.filter.find(Dimension::kNode);
  if (wanted == query.filter.end()) return;
  const auto codes = subtree_of(catalog, {wanted->second.begin(), wanted->second.end()});
  wanted->second.assign(codes.begin(), codes.end());
}

Result<store::Answer> ask(const StatsInput& input, const store::Query& query) {
  return query.step % store::kMinute != 0 ? input.recorder.ten_seconds(query)
                                          : input.recorder.query(query);
}

// The nodes of the tree that ever reported and that the question is about.
std::set<std::string> expected_nodes(const StatsInput& input, const store::Query& query) {
  std::set<std::string> expected;
  const auto sources = input.recorder.sources();
  if (!sources) return expected;
  std::set<std::string> codes;
  for (const auto& node : input.bundle.compiled.catalog.nodes) codes.insert(node.code);
  const auto wanted = query.filter.find(Dimension::kNode);
  for (const auto& source : *sources) {
    const bool asked = wanted == query.filter.end() ||
                       std::ranges::find(wanted->second, source.name) != wanted->second.end();
    if (asked && codes.contains(source.name)) expected.insert(source.name);
  }
  return expected;
}

// The steps that were not watched from begin to end by all who should, or are not over.
std::set<std::int64_t> incomplete_steps(const store::Query& query, const store::Answer& answer,
                                        std::int64_t now, const std::set<std::string>& expected) {
  std::set<std::int64_t> result;
  const auto& [nodes, steps] = answer.watched;
  std::set<std::string_view> told{nodes.begin(), nodes.end()};
  // Somebody's report will not come at all.
  const bool one_is_missing = std::ranges::any_of(expected, [&](const std::string& node) {
    return !told.contains(node);
  });
  std::vector<bool> awaited;
  for (const auto& node : nodes) awaited.push_back(expected.contains(node));
  for (const auto& [at, watches] : steps) {
    const std::int64_t step = query.step == 0 ? query.until - at : query.step;
    const std::int64_t end = std::min(at + step, query.until);
    bool whole = !one_is_missing && end + kOpenSeconds <= now;
    for (std::size_t i = 0; whole && i < nodes.size(); ++i) {
      const auto watched = i < watches.size() ? watches[i].watched_ms : 0;
      // Of one that nobody awaits, only what it told of is looked at.
      whole = watched / 10 >= (end - at) * kLeastWatchedPercent || (watched == 0 && !awaited[i]);
    }
    if (!whole) result.insert(at);
  }
  for (const auto& row : answer.rows) {
    if (!steps.contains(row.time)) result.insert(row.time);
  }
  return result;
}

void add_sums(json::object& row, const store::AnswerRow& from) {
  row.emplace("packets", from.sums.packets);
  row.emplace("bytes", from.sums.bytes);
  row.emplace("denied", from.denied);
  row.emplace("started", from.sums.started);
  row.emplace("ended", from.sums.ended);
  row.emplace("peak_packets_per_second", from.sums.peak_packets);
  row.emplace("peak_bits_per_second", 8 * from.sums.peak_bytes);
}

void add_names(json::object& row, const People& people, const std::vector<Dimension>& by,
               const store::AnswerRow& from) {
  for (std::size_t i = 0; i < by.size(); ++i) {
    const std::string key{store::kDimensionNames[static_cast<std::size_t>(by[i])]};
    row.emplace(key, from.names[i].empty() ? json::value(nullptr) : json::value(from.names[i]));
    if (People::knows(by[i])) row.emplace(key + "_name", people.name(by[i], from.names[i]));
  }
}

double share_of(std::int64_t part, std::int64_t whole) {
  return whole > 0 ? static_cast<double>(part) / static_cast<double>(whole) : 0;
}

}  // namespace

json::object stats_answer(const StatsInput& input, const json::object& request) {
  auto query = parse_query(offsets_of(input), request, input.now);
  if (!query) return api::refusal(query.error().message);
  widen_nodes(input.bundle.compiled.catalog, *query);
  const auto answer = ask(input, *query);
  if (!answer) return api::refusal(answer.error().message);
  const People people{input.bundle.compiled.catalog};
  const auto incomplete = incomplete_steps(*query, *answer, input.now,
                                           query->step % store::kMinute != 0
                                               ? std::set<std::string>{}
                                               : expected_nodes(input, *query));
  store::Watch watch;
  for (const auto& [at, watches] : answer->watched.steps) {
    for (const auto& one : watches) watch.add(one);
  }
  std::map<std::int64_t, std::int64_t> bytes;  // of each step
  for (const auto& row : answer->rows) bytes[row.time] += row.sums.bytes;
  json::array rows;
  for (const auto& from : answer->rows) {
    json::object row{{"time", text_of(input, from.time)},
                     {"complete", !incomplete.contains(from.time)}};
    add_names(row, people, query->by, from);
    add_sums(row, from);
    row.emplace("share", share_of(from.sums.bytes, bytes[from.time]));
    rows.push_back(std::move(row));
  }
  json::array by;
  for (const auto dimension : query->by) {
    by.push_back(json::value(store::kDimensionNames[static_cast<std::size_t>(dimension)]));
  }
  return {{"ok", true},
          {"schema", "meiguan.stats/v1"},
          {"since", text_of(input, query->since)},
          {"until", text_of(input, query->until)},
          {"step_seconds", query->step},
          {"resolution_seconds", query->step % store::kMinute != 0 ? 10 : answer->resolution},
          {"by", std::move(by)},
          {"events_lost", watch.events_lost},
          {"folded", watch.folded},
          {"untold_packets", input.recorder.status().untold_packets},
          {"rows", std::move(rows)}};
}

namespace {

struct TopKind {
  std::string_view what;
  Dimension by;
  bool drops;
};
constexpr TopKind kTopKinds[] = {
    {"units", Dimension::kUnit, false},     {"services", Dimension::kService, false},
    {"rules", Dimension::kRule, false},     {"nodes", Dimension::kNode, false},
    {"reasons", Dimension::kReason, false}, {"drops", Dimension::kReason, true},
};

// How much of a name there was in the same time so long before; nothing where the store does not
// reach there.
std::optional<std::map<std::string, std::int64_t>> before(const StatsInput& input,
                                                          store::Query query, std::int64_t ago,
                                                          bool drops) {
  query.since -= ago;
  query.until -= ago;
  const auto answer = input.recorder.query(query);
  if (!answer || answer->watched.nodes.empty()) return std::nullopt;
  std::map<std::string, std::int64_t> result;
  for (const auto& row : answer->rows) {
    result[row.names.at(0)] += drops ? row.denied : row.sums.bytes;
  }
  return result;
}

json::value change_of(const std::optional<std::map<std::string, std::int64_t>>& then,
                      const std::string& name, std::int64_t now) {
  if (!then) return nullptr;
  const auto found = then->find(name);
  if (found == then->end() || found->second <= 0) return nullptr;
  return static_cast<double>(now - found->second) / static_cast<double>(found->second);
}

}  // namespace

json::object top_since_answer(const StatsInput& input, const json::object& request) {
  const auto what = api::string_at(request, "what");
  const auto* const kind = std::ranges::find(kTopKinds, what, &TopKind::what);
  if (kind == std::end(kTopKinds)) {
    return api::refusal(
        {"with --since: top units, services, rules, nodes, reasons, drops or "
         "talkers",
         "带 --since 时：top units、services、rules、nodes、reasons、drops 或 "
         "talkers"});
  }
  auto query = parse_query(offsets_of(input), request, input.now);
  if (!query) return api::refusal(query.error().message);
  widen_nodes(input.bundle.compiled.catalog, *query);
  query->by = {kind->by};
  query->step = 0;
  if (kind->drops) query->filter[Dimension::kVerdict] = {"drop"};
  auto answer = input.recorder.query(*query);
  if (!answer) return api::refusal(answer.error().message);
  const auto worth = [&](const store::AnswerRow& row) {
    return kind->drops ? row.denied : row.sums.bytes;
  };
  std::ranges::stable_sort(answer->rows, std::ranges::greater{}, worth);
  std::int64_t whole = 0;
  for (const auto& row : answer->rows) whole += worth(row);
  const auto yesterday = before(input, *query, store::kDay, kind->drops);
  const auto last_week = before(input, *query, 7 * store::kDay, kind->drops);
  const People people{input.bundle.compiled.catalog};
  const auto incomplete = incomplete_steps(*query, *answer, input.now,
                                           expected_nodes(input, *query));
  json::array rows;
  for (const auto& from : answer->rows) {
    if (from.names.at(0).empty()) continue;  // of none: in the whole, and in no place
    json::object row;
    add_names(row, people, query->by, from);
    add_sums(row, from);
    row.emplace("share", share_of(worth(from), whole));
    row.emplace("day_change", change_of(yesterday, from.names[0], worth(from)));
    row.emplace("week_change", change_of(last_week, from.names[0], worth(from)));
    rows.push_back(std::move(row));
  }
  return {{"ok", true},
          {"schema", "meiguan.top-since/v1"},
          {"what", what},
          {"since", text_of(input, query->since)},
          {"until", text_of(input, query->until)},
          {"complete", incomplete.empty()},
          {"rows", std::move(rows)}};
}

namespace {

// What the nodes of a subtree say of a rule, together.
struct RuleWatch {
  store::HitsRow sum;
  std::int64_t nodes{0};  // that watched it

  void add(const store::HitsRow& one) {
    if (nodes++ == 0) {
      sum = one;
      return;
    }
    sum.hits += one.hits;
    sum.audited += one.audited;
    if (one.first) sum.first = std::min(sum.first.value_or(*one.first), *one.first);
    if (one.last) sum.last = std::max(sum.last.value_or(*one.last), *one.last);
    // The window in which all of them watched: who says "unused" speaks for each. Where there is
    // none, it ends where it begins.
    sum.watched_since = std::max(sum.watched_since, one.watched_since);
    sum.watched_until = std::min(sum.watched_until, one.watched_until);
    sum.watched_ms = std::min(sum.watched_ms, one.watched_ms);
  }
  [[nodiscard]] bool used() const { return sum.hits + sum.audited > 0; }
  [[nodiscard]] bool has_window() const { return sum.watched_since <= sum.watched_until; }
};

json::object hits_row(const StatsInput& input, const RuleWatch& watch) {
  const auto instant = [&](const std::optional<std::int64_t>& at) {
    return at ? json::value(text_of(input, *at)) : json::value(nullptr);
  };
  const bool window = watch.nodes > 0 && watch.has_window();
  const auto* const state = watch.used() ? "used" : window ? "unused" : "unwatched";
  return {{"state", state},
          {"hits", watch.sum.hits},
          {"audited", watch.sum.audited},
          {"first", instant(watch.sum.first)},
          {"last", instant(watch.sum.last)},
          {"watched_since",
           window ? json::value(text_of(input, watch.sum.watched_since)) : json::value(nullptr)},
          {"watched_until",
           window ? json::value(text_of(input, watch.sum.watched_until + store::kMinute))
                  : json::value(nullptr)},
          {"watched_seconds", window ? watch.sum.watched_ms / 1000 : 0},
          {"nodes", watch.nodes}};
}

}  // namespace

json::object hits_answer(const StatsInput& input, const json::object& request) {
  const auto& catalog = input.bundle.compiled.catalog;
  auto query = parse_query(offsets_of(input), request, input.now);
  if (!query) return api::refusal(query.error().message);
  if (api::string_at(request, "since").empty()) query->since = input.now - store::kDay;
  query->by = {Dimension::kRule, Dimension::kVerdict};
  query->step = 0;
  const auto asked = api::string_at(request, "node");
  const auto top = asked.empty() ? input.recorder.node() : asked;
  if (std::ranges::find(catalog.nodes, top, &policy::CatalogNode::code) == catalog.nodes.end()) {
    return api::refusal({"there is no such node", "没有该节点"});
  }
  const auto nodes = subtree_of(catalog, {top});
  query->filter[Dimension::kNode].assign(nodes.begin(), nodes.end());
  const auto known = input.recorder.hits("");
  if (!known) return api::refusal(known.error().message);
  const auto recent = input.recorder.query(*query);
  if (!recent) return api::refusal(recent.error().message);
  // First packets since then: flows of an allow, packets of a deny.
  std::map<std::string, std::int64_t> fresh;
  for (const auto& row : recent->rows) {
    fresh[row.names[0]] += row.names[1] == "drop" ? row.sums.packets : row.sums.started;
  }
  std::map<std::string, RuleWatch> by_rule;
  for (const auto& row : *known) {
    if (nodes.contains(row.node)) by_rule[row.rule].add(row);
  }
  json::array rows;
  const auto add = [&](const std::string& name, json::value action, json::value where) {
    json::object row{{"rule", name}, {"action", std::move(action)}};
    for (auto& [key, value] : hits_row(input, by_rule[name])) row.emplace(key, value);
    row.emplace("new", fresh[name]);
    row.emplace("where", std::move(where));
    rows.push_back(std::move(row));
  };
  std::set<std::string_view> ours;
  for (const auto& rule : catalog.rules) {
    ours.insert(rule.full_name);
    // What is not in use here may be below.
    if (!rule.in_use && !by_rule.contains(rule.full_name)) continue;
    add(rule.full_name, json::value(rule.action), json::value(rule.where));
  }
  // Nodes below may be at another revision. What nobody watched lately is gone from all.
  std::vector<std::string> theirs;
  for (const auto& [name, watch] : by_rule) {
    if (!ours.contains(name) && watch.sum.watched_until >= query->since) theirs.push_back(name);
  }
  for (const auto& name : theirs) add(name, nullptr, nullptr);
  return {{"ok", true},
          {"schema", "meiguan.hits/v1"},
          {"node", top},
          {"new_since", text_of(input, query->since)},
          {"rows", std::move(rows)}};
}

}  // namespace meiguan::daemon
