#pragma once

// Which rules are in force at a node, and for how long that was watched: kept once for the list and
// not for each rule. A list that another takes the place of is folded: what was watched of it is
// added to what is kept of each of its rules.

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "controlplane/store/store.h"

namespace meiguan::store {

struct ListWatch {
  std::int64_t first{0};  // minutes, seconds since 1970
  std::int64_t last{0};
  std::int64_t watched_ms{0};  // 0: not watched so far

  void add(std::int64_t minute, std::int64_t ms) {
    first = watched_ms == 0 ? minute : std::min(first, minute);
    last = watched_ms == 0 ? minute : std::max(last, minute);
    watched_ms += ms;
  }
};

// A node's list that was watched.
struct WatchedList {
  std::string node;
  std::string rules;  // as joined()
  ListWatch watch;
};

// Names with a line feed between; none has one.
[[nodiscard]] std::string joined(const RuleList& rules);
[[nodiscard]] RuleList parted(const std::string& rules);

// What is known of each rule, and what of the lists in force: `rows` by node, then by rule, before
// and after.
void add_lists(std::vector<HitsRow>& rows, std::span<const WatchedList> lists);

// Of batches in their order; `ops` is the database:
//   bool known(nodes, map<node, fingerprint>&)    of the lists that it has
//   bool fold(node)                               its list, with its watch, which then is gone
//   bool adopt(node, fingerprint, joined rules)
//   bool watched(map<node, ListWatch>)            adds to what was watched of their lists
// A batch whose list the database does not have was watched for nobody: its own was lost.
template <typename Ops>
[[nodiscard]] bool put_lists(std::span<const Batch* const> batches, Ops&& ops) {
  std::map<std::string, std::uint64_t> known;
  for (const auto* const batch : batches) {
    if (batch->rules != 0) known.emplace(batch->node, 0);
  }
  if (known.empty()) return true;
  if (!ops.known(known)) return false;
  std::map<std::string, ListWatch> watched;
  for (const auto* const batch : batches) {
    if (batch->rules == 0) continue;
    auto& has = known[batch->node];
    if (batch->list && has != batch->rules) {
      if (const auto before = watched.extract(batch->node); !before.empty()) {
        if (!ops.watched({{before.key(), before.mapped()}})) return false;
      }
      if (!ops.fold(batch->node) || !ops.adopt(batch->node, batch->rules, joined(*batch->list))) {
        return false;
      }
      has = batch->rules;
    }
    if (has == batch->rules && batch->watch.watched_ms > 0) {
      watched[batch->node].add(batch->minute, batch->watch.watched_ms);
    }
  }
  return watched.empty() || ops.watched(watched);
}

}  // namespace meiguan::store
