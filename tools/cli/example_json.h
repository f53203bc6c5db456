#pragma once

#include <boost/json/value.hpp>

#include "controlplane/analysis/example.h"

namespace meiguan::cli {

// A packet with its fate: from, from_zone, to, to_zone, at (null where it does not matter), unit,
// to_unit, service, verdict, reason, rule, where, explain (the options that ask the same).
[[nodiscard]] boost::json::value example_json(const image::Image& image,
                                              const analysis::Names& names,
                                              const analysis::Example& example);

}  // namespace meiguan::cli
