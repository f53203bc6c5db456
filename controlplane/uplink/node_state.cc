#include "controlplane/uplink/node_state.h"

#include <algorithm>
#include <boost/json.hpp>

#include "controlplane/lifecycle/files.h"
#include "controlplane/policy/utf8.h"

namespace meiguan::uplink {
namespace {

namespace json = boost::json;

constexpr std::string_view kSchema = "meiguan.uplink-states/v1";
constexpr std::size_t kMostFileBytes = std::size_t{16} << 20;
constexpr std::int64_t kMostMs = std::int64_t{1} << 50;

std::int64_t time_at(const json::object& object, std::string_view key) {
  return static_cast<std::int64_t>(
      std::min(count_at(object, key), static_cast<std::uint64_t>(kMostMs)));
}

}  // namespace

std::uint64_t count_at(const json::object& object, std::string_view key) {
  const auto* const value = object.if_contains(key);
  if (value == nullptr || !value->is_int64() || value->get_int64() < 0) return 0;
  return static_cast<std::uint64_t>(value->get_int64());
}

std::string word_at(const json::object& object, std::string_view key) {
  constexpr std::size_t kMostBytes = 64;
  const auto* const value = object.if_contains(key);
  if (value == nullptr || !value->is_string()) return {};
  const std::string_view text{value->get_string()};
  const bool good = text.size() <= kMostBytes && !policy::find_invalid_utf8(text) &&
                    !policy::has_control(text);
  return good ? std::string{text} : std::string{};
}

std::optional<std::int64_t> offset_at(const json::object& object) {
  const auto* const value = object.if_contains("offset_ms");
  if (value == nullptr || !value->is_int64()) return std::nullopt;
  return std::clamp(value->get_int64(), -kMostMs, kMostMs);
}

void write_told(const NodeState& state, json::object& object) {
  object["node"] = state.node;
  object["revision"] = state.revision;
  object["spool_batches"] = static_cast<std::int64_t>(state.spool_batches);
  object["spool_bytes"] = static_cast<std::int64_t>(state.spool_bytes);
  object["spool_dropped"] = static_cast<std::int64_t>(state.spool_dropped);
  object["dropped_flows"] = static_cast<std::int64_t>(state.dropped_flows);
  object["refused"] = static_cast<std::int64_t>(state.refused);
  if (state.offset_ms) object["offset_ms"] = *state.offset_ms;
}

void read_told(const json::object& object, NodeState& state) {
  state.node = word_at(object, "node");
  state.revision = word_at(object, "revision");
  state.spool_batches = count_at(object, "spool_batches");
  state.spool_bytes = count_at(object, "spool_bytes");
  state.spool_dropped = count_at(object, "spool_dropped");
  state.dropped_flows = count_at(object, "dropped_flows");
  state.refused = count_at(object, "refused");
  state.offset_ms = offset_at(object);
}

NodeStates load_states(const std::filesystem::path& file) {
  NodeStates states;
  const auto text = lifecycle::read_file(file, kMostFileBytes);
  boost::system::error_code error;
  const auto parsed = text ? json::parse(*text, error) : json::value{};
  if (error || !parsed.is_object() || word_at(parsed.get_object(), "schema") != kSchema) {
    return states;
  }
  const auto* const nodes = parsed.get_object().if_contains("nodes");
  if (nodes == nullptr || !nodes->is_array()) return states;
  for (const auto& one : nodes->get_array()) {
    if (!one.is_object()) continue;
    NodeState state;
    read_told(one.get_object(), state);
    state.via = word_at(one.get_object(), "via");
    state.seen_ms = time_at(one.get_object(), "seen_ms");
    state.newest_minute = time_at(one.get_object(), "newest_minute");
    if (!state.node.empty()) states.emplace(state.node, std::move(state));
  }
  return states;
}

Result<void> save_states(const std::filesystem::path& file, const NodeStates& states) {
  json::array nodes;
  for (const auto& [node, state] : states) {
    json::object one;
    write_told(state, one);
    one["via"] = state.via;
    one["seen_ms"] = state.seen_ms;
    one["newest_minute"] = state.newest_minute;
    nodes.push_back(std::move(one));
  }
  return lifecycle::write_atomically(file,
                                     json::serialize(json::object{{"schema", kSchema},
                                                                  {"nodes", std::move(nodes)}}));
}

}  // namespace meiguan::uplink
