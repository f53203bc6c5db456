#pragma once

// The image's ids, which last over reloads, and the names behind them.

#include <cstddef>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/strong_id.h"

namespace meiguan::policy {

struct Ids {
  std::vector<UnitId> units;  // by index into CheckedPolicy::units
  std::vector<ServiceId> services;
  std::vector<RuleId> rules;
  std::size_t unit_count{0};
  std::size_t service_count{0};
  std::size_t rule_count{0};
};

// `previous` may be null: then ids begin anew.
[[nodiscard]] Ids assign_ids(const CheckedPolicy& policy, const Catalog* previous);

// `gateway` and `previous` may be null. What `previous` has and the policy has not keeps its id and
// its name, and is not in use.
[[nodiscard]] Catalog make_catalog(const CheckedPolicy& policy, const CheckedGateway* gateway,
                                   const Ids& ids, const Catalog* previous);

}  // namespace meiguan::policy
