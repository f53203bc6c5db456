#pragma once

// The answers about time that has passed: from the statistics store and the records of flows.

#include <boost/json/object.hpp>
#include <cstdint>

#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/recorder.h"

namespace meiguan::daemon {

// Who asks, and when.
struct StatsInput {
  const lifecycle::Bundle& bundle;
  report::Recorder& recorder;
  std::int64_t now{0};  // seconds since 1970
};

// {"by":[…],"since":"24h"|instant,"until":…,"step":"5m","filter":["unit=czj",…],"node":CODE}; of
// what is wrong with it the answer is a refusal.
[[nodiscard]] boost::json::object stats_answer(const StatsInput& input,
                                               const boost::json::object& request);
// {"what":"units","since":"1h"}: with shares, and the same time a day and a week before.
[[nodiscard]] boost::json::object top_since_answer(const StatsInput& input,
                                                   const boost::json::object& request);
[[nodiscard]] boost::json::object hits_answer(const StatsInput& input,
                                              const boost::json::object& request);
// {"month":"2026-11"}
[[nodiscard]] boost::json::object month_answer(const StatsInput& input,
                                               const boost::json::object& request);
// Flows that ended: {"since":…,"until":…,"filter":[…],"limit":N}
[[nodiscard]] boost::json::object past_flows_answer(const StatsInput& input,
                                                    const boost::json::object& request);

// Who had most in the flows that ended: the same request.
[[nodiscard]] boost::json::object talkers_answer(const StatsInput& input,
                                                 const boost::json::object& request);

}  // namespace meiguan::daemon
