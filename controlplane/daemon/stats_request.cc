#include "controlplane/daemon/stats_request.h"

#include <fmt/format.h>

#include <algorithm>
#include <boost/json.hpp>
#include <charconv>

#include "controlplane/api/protocol.h"
#include "controlplane/policy/instant_text.h"

namespace meiguan::daemon {
namespace {

constexpr std::int64_t kMostSeconds = std::int64_t{100} * 366 * store::kDay;
constexpr std::size_t kMostSteps = 100'000;
constexpr std::string_view kDefaultSince = "1h";

std::string dimension_list() {
  std::string list;
  for (const auto name : store::kDimensionNames) {
    if (!list.empty()) list += ", ";
    list += name;
  }
  return list;
}

std::unexpected<Error> no_dimension(std::string_view name) {
  return fail(fmt::format("`{}` is none of {}", name.substr(0, 64), dimension_list()),
              fmt::format("`{}` 不是以下之一：{}", name.substr(0, 64), dimension_list()));
}

}  // namespace

std::optional<std::int64_t> parse_span(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc{} || number < 0 || end + 1 != text.data() + text.size()) {
    return std::nullopt;
  }
  std::int64_t unit = 0;
  switch (*end) {
    case 's': unit = 1; break;
    case 'm': unit = store::kMinute; break;
    case 'h': unit = store::kHour; break;
    case 'd': unit = store::kDay; break;
    case 'w': unit = 7 * store::kDay; break;
    default: return std::nullopt;
  }
  if (number > kMostSeconds / unit) return std::nullopt;
  return number * unit;
}

std::int64_t offset_at(std::span<const image::UtcOffset> offsets, std::int64_t seconds) {
  std::int64_t offset = 0;
  for (const auto& entry : offsets) {
    if (&entry != offsets.data() && entry.at > seconds) break;
    offset = entry.seconds;
  }
  return offset;
}

Result<std::int64_t> parse_when(std::span<const image::UtcOffset> offsets, std::string_view text,
                                std::int64_t now) {
  if (const auto span = parse_span(text)) return now - *span;
  if (const auto instant = policy::parse_instant(offsets, text)) return *instant;
  return fail(fmt::format("`{}` is no time: give a span such as 24h, or 2026-10-01T08:30",
                          text.substr(0, 64)),
              fmt::format("`{}` 不是时间：请用 24h 这样的时长，或 2026-10-01T08:30",
                          text.substr(0, 64)));
}

std::optional<store::Dimension> find_dimension(std::string_view name) {
  const auto found = std::ranges::find(store::kDimensionNames, name);
  if (found == store::kDimensionNames.end()) return std::nullopt;
  return static_cast<store::Dimension>(found - store::kDimensionNames.begin());
}

std::vector<std::string> strings_at(const boost::json::object& request, std::string_view key) {
  std::vector<std::string> result;
  const auto* const array = request.if_contains(key);
  if (array == nullptr || !array->is_array()) return result;
  for (const auto& value : array->get_array()) {
    if (value.is_string()) result.emplace_back(value.get_string());
  }
  return result;
}

Result<store::Query> parse_query(std::span<const image::UtcOffset> offsets,
                                 const boost::json::object& request, std::int64_t now) {
  store::Query query;
  query.now = now;
  query.until = now + 1;
  const auto since = api::string_at(request, "since");
  const auto from = parse_when(offsets, since.empty() ? kDefaultSince : since, now);
  if (!from) return std::unexpected{from.error()};
  query.since = *from;
  if (const auto until = api::string_at(request, "until"); !until.empty()) {
    const auto to = parse_when(offsets, until, now);
    if (!to) return std::unexpected{to.error()};
    query.until = *to;
  }
  if (query.until <= query.since) {
    return fail("--until is not after --since", "--until 不晚于 --since");
  }
  if (const auto step = api::string_at(request, "step"); !step.empty()) {
    const auto seconds = parse_span(step);
    if (!seconds || *seconds < 10 || *seconds % 10 != 0) {
      return fail(fmt::format("`{}` is no step: 10s, 1m, 5m, 1h, 1d and multiples of them",
                              step.substr(0, 64)),
                  fmt::format("`{}` 不是步长：可用 10s、1m、5m、1h、1d 及其倍数",
                              step.substr(0, 64)));
    }
    query.step = *seconds;
    if (static_cast<std::size_t>((query.until - query.since) / query.step) > kMostSteps) {
      return fail("too many steps: give a longer --step", "步数过多：请加大 --step");
    }
  }
  for (const auto& name : strings_at(request, "by")) {
    const auto dimension = find_dimension(name);
    if (!dimension) return no_dimension(name);
    query.by.push_back(*dimension);
  }
  for (const auto& text : strings_at(request, "filter")) {
    const auto equals = std::min(text.find('='), text.size());
    const auto dimension = find_dimension(std::string_view{text}.substr(0, equals));
    if (!dimension || equals == text.size()) return no_dimension(text);
    query.filter[*dimension].push_back(text.substr(equals + 1));
  }
  if (const auto node = api::string_at(request, "node"); !node.empty()) {
    query.filter[store::Dimension::kNode].push_back(node);
  }
  return query;
}

std::set<std::string> subtree_of(const policy::Catalog& catalog, std::set<std::string> codes) {
  for (std::size_t round = 0; round < 8; ++round) {  // tiers are five
    for (const auto& node : catalog.nodes) {
      if (node.parent.is_some() && node.parent.index() < catalog.nodes.size() &&
          codes.contains(catalog.nodes[node.parent.index()].code)) {
        codes.insert(node.code);
      }
    }
  }
  return codes;
}

}  // namespace meiguan::daemon
