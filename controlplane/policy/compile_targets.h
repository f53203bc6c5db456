#pragma once

// The destinations of a policy: each atom cut by protocol and port into targets, at which the
// services that listen and the ports that rules name are the same throughout.

#include <cstddef>
#include <cstdint>
#include <vector>

#include "controlplane/policy/compile_atoms.h"
#include "controlplane/policy/model.h"
#include "dataplane/base/result.h"
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

// No more destinations, and no more questions whether a port list holds a port, than this: a second
// and some 200 MiB. A province has a tenth of it.
inline constexpr std::size_t kMaxTargets = std::size_t{1} << 20;
inline constexpr std::size_t kMaxPortWork = std::size_t{1} << 26;

// Errors: one of the limits would be exceeded (told before the work is done); it names a rule or a
// service whose ports are among those.
[[nodiscard]] Result<TargetPlan> plan_targets(const CheckedPolicy& policy,
                                              const AddressPlan& addresses);

}  // namespace meiguan::policy
