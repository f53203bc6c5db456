#include "controlplane/store/unwatched.h"

#include <algorithm>
#include <string_view>

namespace meiguan::store {

Query watch_query(const std::set<std::string>& nodes, std::int64_t since, std::int64_t until,
                  std::int64_t step, std::int64_t now) {
  Query query;
  query.since = bucket_of(since, step, {});
  query.until = bucket_of(until, step, {});
  query.step = step;
  query.now = now;
  query.filter[Dimension::kNode] = {nodes.begin(), nodes.end()};
  query.filter[Dimension::kReason] = {};  // no rows
  return query;
}

std::map<std::string, std::vector<Span>> unwatched(const Answer& answer,
                                                   const std::set<std::string>& nodes,
                                                   const Query& query) {
  const auto step = std::max(query.step, answer.resolution);
  const auto& [names, steps] = answer.watched;
  std::map<std::string_view, std::size_t> places;
  for (std::size_t i = 0; i < names.size(); ++i) places.emplace(names[i], i);
  std::map<std::string, std::vector<Span>> result;
  for (const auto& node : nodes) result[node];
  for (auto at = bucket_of(query.since, step, {}); at < query.until; at += step) {
    const auto found = steps.find(at);
    for (auto& [node, spans] : result) {
      const auto place = places.find(node);
      if (place != places.end() && found != steps.end() && place->second < found->second.size() &&
          found->second[place->second].watched_ms > 0) {
        continue;
      }
      if (!spans.empty() && spans.back().until == at) {
        spans.back().until = at + step;
      } else {
        spans.push_back({at, at + step});
      }
    }
  }
  return result;
}

}  // namespace meiguan::store
