#pragma once

// Counter-examples as packets that a gateway can be given: which of many to take, and their
// capture.

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/analysis/assertions.h"
#include "controlplane/policy/compile.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"

namespace meiguan::cli {

// A packet to be sent.
struct Sendable {
  analysis::Example example;
  PortId in;          // of the image's gateway, by which it comes in; none without a gateway
  bool agrees{true};  // the gateway judges it as the example says
};

// An example against an assertion that does not hold, with a source that may send: a registered
// terminal where the unit admits no others, and with a gateway one that the gateway judges the same
// way, ports, routes and all. Where none of the first thousands is such a one, the first.
[[nodiscard]] Sendable choose_sendable(analysis::Assertions& assertions, std::size_t number,
                                       const policy::Compiled& compiled, const image::Image& image);

// A pcap file of them, each at its instant.
[[nodiscard]] Result<void> write_capture(const std::string& path, const image::Image& image,
                                         const std::vector<Sendable>& packets);

}  // namespace meiguan::cli
