#pragma once

// The destinations of a policy: each atom cut by protocol and port into targets, at which the
// services that listen and the ports that rules name are the same throughout.

#include <cstdint>
#include <vector>

#include "controlplane/policy/compile_atoms.h"
#include "controlplane/policy/model.h"
#include "dataplane/image/format.h"

namespace meiguan::policy {

struct PlannedTarget {
  std::uint32_t atom{0};
  std::uint32_t key{0};  // one key of the target: protocol << 16 | value
  UnitId unit;
  std::vector<ServiceId> services;  // that a packet here is in, ascending
  ServiceId best;                   // the most specific of them
  std::vector<ZoneId> zones;        // of the unit and the services, ascending, unique
};

struct TargetPlan {
  std::vector<PlannedTarget> targets;
  std::vector<std::uint32_t> first_target;  // by atom
  std::vector<std::uint32_t> slots;         // by atom: how many targets it has
  std::vector<std::uint32_t> port_map;      // by atom, index into `maps`
  std::vector<image::PortMap> maps;
  std::vector<image::PortBreak> breaks;
};

// Whether a packet of that key is one that `match` names.
[[nodiscard]] bool matches(const PortMatch& match, std::uint32_t key) noexcept;

[[nodiscard]] TargetPlan plan_targets(const CheckedPolicy& policy, const AddressPlan& addresses);

}  // namespace meiguan::policy
