#pragma once

// What waits to be exported: an event, what is new in it, and the names that were in force when it
// was read.

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "controlplane/policy/catalog.h"
#include "controlplane/report/flow_progress.h"
#include "dataplane/fastpath/event.h"

namespace meiguan::exporting {

// What ids mean, under one policy.
struct Names {
  struct Port {
    std::uint16_t vlan{0};
    std::uint32_t vrf{0};  // the address space of its zone
  };
  policy::Catalog catalog;
  std::string revision;
  std::vector<Port> ports;          // by PortId
  std::vector<std::string> spaces;  // by SpaceId: the zone; empty: the shared one
};

struct Record {
  fastpath::Event event;
  report::FlowTotals more{};           // of a flow: what no record of it told before
  std::int64_t start_ms{0};            // since 1970: when that began,
  std::int64_t at_ms{0};               // and when the control plane read of it
  std::shared_ptr<const Names> names;  // may be null
};

}  // namespace meiguan::exporting
