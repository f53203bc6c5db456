#pragma once

// One packet out of many that share their fate, to show to people and to send.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "controlplane/analysis/names.h"
#include "controlplane/analysis/probe.h"
#include "controlplane/analysis/prove.h"
#include "controlplane/analysis/reach.h"
#include "dataplane/base/text.h"

namespace meiguan::analysis {

// A packet as `explain` is asked of it without a gateway, and what fastpath::decide says of it.
struct Example {
  net::Address from;
  Destination to;
  ZoneId from_zone;    // with its address space
  ZoneId to_zone;      // likewise; of the objects where there are any
  std::int64_t at{0};  // seconds since 1970-01-01T00:00Z
  bool timed{false};   // at other instants its fate is another
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  fastpath::Decision decision;
};

// Shows examples of `packets` to `visit`, each with other addresses, until it answers true; of each
// point `most` addresses at most. Answers whether it did.
bool each_example(const Reach& reach, const Packets& packets, std::size_t most,
                  const std::function<bool(const Example&)>& visit);

// "10.64.37.5 (unit czj-360121, zone extranet) to 59.205.16.10:443/tcp (service budget)"
[[nodiscard]] Text packet_text(const image::Image& image, const Names& names,
                               const Example& example);
// "is allowed by 360000/budget-for-finance (rules.toml:12)", "is dropped: zone-isolated"
[[nodiscard]] Text decision_text(const Names& names, const fastpath::Decision& decision);
// The options with which `meiguan explain` answers the same: "--from … --to …".
[[nodiscard]] std::string explain_options(const image::Image& image, const Names& names,
                                          const Example& example);

}  // namespace meiguan::analysis
