#include "controlplane/daemon/nodes_answer.h"

#include <algorithm>
#include <boost/json.hpp>
#include <map>
#include <set>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/daemon/stats_request.h"
#include "controlplane/policy/instant_text.h"
#include "controlplane/store/unwatched.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::int64_t kHeardWithin = 90;  // seconds; a state comes every 15
constexpr std::int64_t kStep = 300;        // seconds, of spans that nobody watched
constexpr std::int64_t kOnItsWay = 300;    // seconds that a minute may take to come up
constexpr std::size_t kMostSpans = 100;    // shown for a node

std::string parent_of(const policy::Catalog& catalog, const policy::CatalogNode& node) {
  const bool has = node.parent.is_some() && node.parent.index() < catalog.nodes.size();
  return has ? catalog.nodes[node.parent.index()].code : std::string{};
}

// The node and all below it; all where there is none; none where it is none of the tree.
std::set<std::string> wanted_nodes(const policy::Catalog& catalog, const std::string& top) {
  std::set<std::string> all;
  for (const auto& node : catalog.nodes) all.insert(node.code);
  if (top.empty()) return all;
  return all.contains(top) ? subtree_of(catalog, {top}) : std::set<std::string>{};
}

json::value text_or_null(const std::string& text) {
  return text.empty() ? json::value(nullptr) : json::value(text);
}

class Answer {
 public:
  Answer(const StatsInput& input, const TreeLink::View& view,
         const std::vector<store::AlarmRow>& alarms)
      : input_{input}, view_{view} {
    for (const auto& state : view.states) states_[state.node] = &state;
    for (const auto& alarm : alarms) alarms_[alarm.node].push_back(&alarm);
  }

  [[nodiscard]] json::object row(const policy::CatalogNode& node, bool ever) const {
    const auto found = states_.find(node.code);
    const auto* const state = found == states_.end() ? nullptr : found->second;
    json::object row{{"node", node.code},
                     {"node_name", node.name},
                     {"parent", text_or_null(parent_of(input_.bundle.compiled.catalog, node))},
                     {"state", state_of(node.code, state, ever)},
                     {"seen", nullptr},
                     {"lag_seconds", nullptr},
                     {"revision", nullptr},
                     {"spool_batches", nullptr},
                     {"spool_dropped", nullptr},
                     {"dropped_flows", nullptr},
                     {"clock_offset_ms", nullptr}};
    add_alarms(node.code, row);
    if (node.code == input_.recorder.node()) {
      own(row);
    } else if (state != nullptr) {
      if (state->seen_ms > 0) row["seen"] = instant(state->seen_ms / 1000);
      if (state->newest_minute > 0) {
        row["lag_seconds"] =
            std::max<std::int64_t>(input_.now - state->newest_minute - store::kMinute, 0);
      }
      row["revision"] = text_or_null(state->revision);
      row["spool_batches"] = static_cast<std::int64_t>(state->spool_batches);
      row["spool_dropped"] = static_cast<std::int64_t>(state->spool_dropped);
      row["dropped_flows"] = static_cast<std::int64_t>(state->dropped_flows);
      if (state->offset_ms) row["clock_offset_ms"] = *state->offset_ms;
    }
    return row;
  }

  [[nodiscard]] std::string instant(std::int64_t seconds) const {
    return policy::instant_text(input_.bundle.image.utc_offsets(), seconds);
  }

 private:
  [[nodiscard]] std::string_view state_of(const std::string& node, const uplink::NodeState* state,
                                          bool ever) const {
    if (node == input_.recorder.node()) return "self";
    if (state != nullptr && input_.now - state->seen_ms / 1000 <= kHeardWithin) return "up";
    return ever || state != nullptr ? "down" : "never";
  }
  // How many stand, the latest of them, and all that were asked for.
  void add_alarms(const std::string& node, json::object& row) const {
    std::int64_t standing = 0;
    const store::Alarm* latest = nullptr;
    json::array list;
    if (const auto found = alarms_.find(node); found != alarms_.end()) {
      for (const auto* const alarm : found->second) {
        if (!alarm->until) {
          ++standing;
          latest = &alarm->alarm;
        }
        list.push_back(alarm_row(*alarm, [this](std::int64_t at) { return instant(at); }));
      }
    }
    row["alarms"] = standing;
    row["latest_alarm"] = nullptr;
    if (latest != nullptr) {
      row["latest_alarm"] = latest->about.empty() ? latest->name
                                                  : latest->name + " " + latest->about;
    }
    row["alarm_list"] = std::move(list);
  }
  void own(json::object& row) const {
    row["seen"] = instant(input_.now);
    if (!view_.has_parent) return;
    row["spool_batches"] = static_cast<std::int64_t>(view_.spool.batches);
    row["spool_dropped"] = static_cast<std::int64_t>(view_.spool.dropped);
    row["dropped_flows"] = static_cast<std::int64_t>(view_.spool.dropped_flows +
                                                     input_.recorder.status().dropped_flows);
    if (view_.parent.offset_ms) row["clock_offset_ms"] = *view_.parent.offset_ms;
  }

  const StatsInput& input_;
  const TreeLink::View& view_;
  std::map<std::string, const uplink::NodeState*> states_;
  std::map<std::string, std::vector<const store::AlarmRow*>> alarms_;
};

}  // namespace

json::object nodes_answer(const StatsInput& input, const TreeLink::View& view,
                          const json::object& request) {
  const auto& catalog = input.bundle.compiled.catalog;
  const auto offsets = input.bundle.image.utc_offsets();
  const auto wanted = wanted_nodes(catalog, api::string_at(request, "node"));
  if (wanted.empty()) return api::refusal({"there is no such node", "没有该节点"});
  const auto* const down = request.if_contains("down");
  const bool only_down = down != nullptr && down->is_bool() && down->get_bool();
  const auto sources = input.recorder.sources();
  if (!sources) return api::refusal(sources.error().message);
  std::set<std::string> ever;
  for (const auto& source : *sources) {
    if (wanted.contains(source.name)) ever.insert(source.name);
  }
  std::map<std::string, std::vector<store::Span>> spans;
  const auto since_text = api::string_at(request, "since");
  std::int64_t since = 0;
  if (!since_text.empty()) {
    const auto when = parse_when(offsets, since_text, input.now);
    if (!when) return api::refusal(when.error().message);
    const auto query = store::watch_query(ever, *when, input.now - kOnItsWay, kStep, input.now);
    since = query.since;
    if (query.until - query.since > 31 * store::kDay) {
      return api::refusal({"--since: 31 days at most", "--since：最多 31 天"});
    }
    const auto answer = input.recorder.query(query);
    if (!answer) return api::refusal(answer.error().message);
    spans = store::unwatched(*answer, ever, query);
  }
  const auto alarms = input.recorder.alarms(since != 0 ? since : input.now + 1);
  if (!alarms) return api::refusal(alarms.error().message);
  const Answer nodes{input, view, *alarms};
  json::array rows;
  for (const auto& node : catalog.nodes) {
    if (!wanted.contains(node.code)) continue;
    auto row = nodes.row(node, ever.contains(node.code));
    const auto& of = spans[node.code];
    std::int64_t unwatched_seconds = 0;
    json::array list;
    for (const auto& span : of) {
      unwatched_seconds += span.until - span.since;
      if (list.size() < kMostSpans) {
        list.push_back(json::object{{"since", nodes.instant(span.since)},
                                    {"until", nodes.instant(span.until)}});
      }
    }
    const bool is_down = row["state"] == "down" || !of.empty();
    if (only_down && !is_down) continue;
    if (since != 0) {
      row["unwatched_seconds"] = unwatched_seconds;
      row["unwatched"] = std::move(list);
    }
    rows.push_back(std::move(row));
  }
  return {{"ok", true},
          {"schema", "meiguan.nodes/v1"},
          {"has_parent", view.has_parent},
          {"parent_connected", view.parent.connected},
          {"refused_batches", static_cast<std::int64_t>(view.counts.refused)},
          {"malformed_requests", static_cast<std::int64_t>(view.counts.malformed)},
          {"rows", std::move(rows)}};
}

}  // namespace meiguan::daemon
