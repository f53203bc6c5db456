#pragma once

// Spans of time in which nobody watched a node: what a store knows of who was watched when.

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "controlplane/store/store.h"

namespace meiguan::store {

struct Span {
  std::int64_t since{0};  // seconds since 1970
  std::int64_t until{0};  // not in it
  bool operator==(const Span&) const = default;
};

// The question of which unwatched() takes the answer: of these nodes, in whole steps within the
// time; nothing but who was watched.
[[nodiscard]] Query watch_query(const std::set<std::string>& nodes, std::int64_t since,
                                std::int64_t until, std::int64_t step, std::int64_t now);
// Of each node the steps in which nothing of it was watched, those beside one another as one.
[[nodiscard]] std::map<std::string, std::vector<Span>> unwatched(const Answer& answer,
                                                                 const std::set<std::string>& nodes,
                                                                 const Query& query);

}  // namespace meiguan::store
