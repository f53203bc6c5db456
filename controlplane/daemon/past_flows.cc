// Flows that ended, from the records on disk; and who talked most in them.

#include <algorithm>
#include <array>
#include <boost/json.hpp>
#include <map>

#include "controlplane/api/protocol.h"
#include "controlplane/daemon/stats_answers.h"
#include "controlplane/daemon/stats_request.h"
#include "controlplane/policy/instant_text.h"
#include "dataplane/net/address.h"

namespace meiguan::daemon {
namespace {

namespace json = boost::json;

constexpr std::size_t kMostFlows = 10'000;
constexpr std::size_t kMostTalkers = 100'000;

// `unit=czj`, `addr=10.64.0.0/16`: any one of a key's values, and every key.
struct FlowFilter {
  std::map<std::string, std::vector<std::string>> equal;
  std::vector<net::Prefix> addresses;
};

constexpr std::array<std::string_view, 14> kFilterKeys{"unit",
                                                       "to_unit",
                                                       "service",
                                                       "rule",
                                                       "in",
                                                       "out",
                                                       "end",
                                                       "protocol",
                                                       "source",
                                                       "destination",
                                                       "source_port",
                                                       "destination_port",
                                                       "translated_source",
                                                       "revision"};

std::optional<net::Prefix> prefix_of(std::string_view text) {
  const auto slash = text.find('/');
  const auto address = net::parse_address(text.substr(0, slash));
  if (!address) return std::nullopt;
  unsigned length = net::address_bits(address->family());
  if (slash != std::string_view::npos) {
    const std::string digits{text.substr(slash + 1)};
    if (digits.empty() || digits.size() > 3 ||
        digits.find_first_not_of("0123456789") != std::string::npos) {
      return std::nullopt;
    }
    const auto wanted = static_cast<unsigned>(std::stoul(digits));
    if (wanted > length) return std::nullopt;
    length = wanted;
  }
  return net::Prefix::around(*address, static_cast<std::uint8_t>(length));
}

Result<FlowFilter> parse_filter(const std::vector<std::string>& terms) {
  FlowFilter filter;
  for (const auto& term : terms) {
    const auto equals = std::min(term.find('='), term.size());
    const auto key = term.substr(0, equals);
    const auto value = equals == term.size() ? std::string{} : term.substr(equals + 1);
    if (key == "addr") {
      const auto prefix = prefix_of(value);
      if (!prefix) return fail("addr= needs an address or a prefix", "addr= 后须是地址或前缀");
      filter.addresses.push_back(*prefix);
    } else if (std::ranges::find(kFilterKeys, key) != kFilterKeys.end()) {
      filter.equal[key].push_back(value);
    } else {
      return fail(
          "a filter is addr=…, unit=…, to_unit=…, service=…, rule=…, in=…, out=…, end=…, "
          "protocol=…, source=…, destination=…, source_port=…, destination_port=…, "
          "translated_source=… or revision=…",
          "过滤条件可用 addr=、unit=、to_unit=、service=、rule=、in=、out=、end=、"
          "protocol=、source=、destination=、source_port=、destination_port=、"
          "translated_source=、revision=");
    }
  }
  return filter;
}

std::string text_at(const json::object& flow, std::string_view key) {
  const auto* const value = flow.if_contains(key);
  if (value == nullptr || value->is_null()) return {};
  if (value->is_string()) return std::string{value->get_string()};
  return json::serialize(*value);
}

// Not negative, and of a size that may be added and subtracted: a node below may have written it.
std::int64_t number_at(const json::object& flow, std::string_view key) {
  constexpr std::int64_t kMost = std::int64_t{1} << 46;
  const auto* const value = flow.if_contains(key);
  if (value == nullptr || !value->is_int64()) return 0;
  return std::clamp<std::int64_t>(value->get_int64(), 0, kMost);
}

std::uint64_t sum_at(const json::object& flow, std::string_view key, std::string_view reply_key) {
  return static_cast<std::uint64_t>(number_at(flow, key) + number_at(flow, reply_key));
}

bool passes(const FlowFilter& filter, const json::object& flow) {
  for (const auto& [key, values] : filter.equal) {
    if (std::ranges::find(values, text_at(flow, key)) == values.end()) return false;
  }
  if (filter.addresses.empty()) return true;
  for (const char* const key :
       {"source", "destination", "translated_source", "translated_destination"}) {
    const auto address = net::parse_address(text_at(flow, key));
    if (!address) continue;
    for (const auto& prefix : filter.addresses) {
      if (prefix.contains(*address)) return true;
    }
  }
  return false;
}

// All flows that ended in the time asked for: this node's, then those of the nodes below, each
// ring's about as they came.
template <typename Take>
Result<report::FlowFileRead> read_flows(const StatsInput& input, const json::object& request,
                                        const Take& take) {
  auto* const ring = input.recorder.flows();
  auto* const below = input.recorder.flows_below();
  if (ring == nullptr && below == nullptr) {
    return fail("no records of flows are kept", "未保存流记录");
  }
  const auto& catalog = input.bundle.compiled.catalog;
  const auto top = api::string_at(request, "node");
  if (!top.empty() &&
      std::ranges::find(catalog.nodes, top, &policy::CatalogNode::code) == catalog.nodes.end()) {
    return fail("there is no such node", "没有该节点");
  }
  const auto nodes = subtree_of(catalog, {top});
  std::string node = input.recorder.node();
  json::object times = request;
  times.erase("filter");
  const auto query = parse_query(input.bundle.image.utc_offsets(), times, input.now);
  if (!query) return std::unexpected{query.error()};
  const auto filter = parse_filter(strings_at(request, "filter"));
  if (!filter) return std::unexpected{filter.error()};
  const std::int64_t since = query->since * 1000;
  const std::int64_t until = query->until * 1000;
  const auto sink = [&](std::string_view line) {
    boost::system::error_code error;
    auto value = json::parse(line, error);
    if (error || !value.is_object()) return true;
    auto& flow = value.get_object();
    const auto end = number_at(flow, "end_ms");
    if (end < since || end >= until || !passes(*filter, flow)) return true;
    flow["node"] = node;  // whatever the line may say of that
    take(flow);
    return true;
  };
  report::FlowFileRead read;
  if (ring != nullptr && (top.empty() || nodes.contains(node))) {
    read = ring->read(since, until, sink);
  }
  if (below == nullptr) return read;
  const auto more = below->read(since, until, sink, [&](const report::FlowBlockOrigin& origin) {
    node = origin.code();
    return top.empty() || nodes.contains(node);
  });
  read.blocks += more.blocks;
  read.damaged += more.damaged;
  return read;
}

std::uint64_t lost_records(report::Recorder& recorder) {
  std::uint64_t lost = 0;
  for (const auto* const ring : {recorder.flows(), recorder.flows_below()}) {
    if (ring != nullptr) lost += ring->lost();
  }
  return lost;
}

}  // namespace

json::object past_flows_answer(const StatsInput& input, const json::object& request) {
  std::size_t limit = kMostFlows;
  if (const auto wanted = number_at(request, "limit"); wanted > 0) {
    limit = std::min(limit, static_cast<std::size_t>(wanted));
  }
  std::multimap<std::int64_t, json::object> latest;  // by when they ended
  std::uint64_t found = 0;
  const auto read = read_flows(input, request, [&](const json::object& flow) {
    ++found;
    latest.emplace(number_at(flow, "end_ms"), flow);
    if (latest.size() > limit) latest.erase(latest.begin());
  });
  if (!read) return api::refusal(read.error().message);
  json::array rows;
  const auto offsets = input.bundle.image.utc_offsets();
  for (auto& [ended, flow] : latest) {
    flow.emplace("time", policy::instant_text(offsets, ended / 1000));
    flow.emplace("seconds",
                 static_cast<double>(number_at(flow, "end_ms") - number_at(flow, "start_ms")) /
                     1000);
    rows.push_back(std::move(flow));
  }
  return {{"ok", true},
          {"schema", "meiguan.past-flows/v1"},
          {"found", found},
          {"damaged_blocks", read->damaged},
          {"lost", lost_records(input.recorder)},
          {"rows", std::move(rows)}};
}

json::object talkers_answer(const StatsInput& input, const json::object& request) {
  struct Talker {
    std::string unit;
    std::uint64_t flows{0};
    std::uint64_t packets{0};
    std::uint64_t bytes{0};
  };
  std::map<std::string, Talker> talkers;
  std::uint64_t whole = 0;
  std::int64_t folded = 0;
  const auto read = read_flows(input, request, [&](const json::object& flow) {
    const auto bytes = sum_at(flow, "bytes", "reply_bytes");
    whole += bytes;
    const auto source = text_at(flow, "source");
    if (talkers.size() >= kMostTalkers && !talkers.contains(source)) {
      ++folded;
      return;
    }
    auto& talker = talkers[source];
    talker.unit = text_at(flow, "unit");
    ++talker.flows;
    talker.packets += sum_at(flow, "packets", "reply_packets");
    talker.bytes += bytes;
  });
  if (!read) return api::refusal(read.error().message);
  std::vector<std::pair<std::string, Talker>> sorted{talkers.begin(), talkers.end()};
  std::ranges::stable_sort(sorted, [](const auto& a, const auto& b) {
    return a.second.bytes > b.second.bytes;
  });
  if (sorted.size() > kMostFlows) sorted.resize(kMostFlows);
  json::array rows;
  for (const auto& [source, talker] : sorted) {
    rows.push_back(json::object{
        {"source", source},
        {"unit", talker.unit.empty() ? json::value(nullptr) : json::value(talker.unit)},
        {"flows", talker.flows},
        {"packets", talker.packets},
        {"bytes", talker.bytes},
        {"share",
         whole > 0 ? static_cast<double>(talker.bytes) / static_cast<double>(whole) : 0.0}});
  }
  return {{"ok", true},
          {"schema", "meiguan.top-talkers/v1"},
          {"folded", folded},
          {"damaged_blocks", read->damaged},
          {"rows", std::move(rows)}};
}

}  // namespace meiguan::daemon
