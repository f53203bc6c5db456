#pragma once

// The smallest image there can be, for tests of what hangs on times: one zone, one cell that
// matters, and whatever schedules, conditions and branches a test gives.

#include <array>
#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "dataplane/image/bytes.h"
#include "dataplane/image/format.h"
#include "dataplane/image/writer.h"

namespace meiguan::image::test {

inline constexpr std::int64_t kEarliest = std::numeric_limits<std::int64_t>::min();
inline constexpr std::int64_t kLatest = std::numeric_limits<std::int64_t>::max();

struct SmallImage {
  std::vector<UtcOffset> offsets{{kEarliest, 8 * 3600, 0}};
  std::vector<ScheduleRecord> schedules;
  std::vector<std::int32_t> dates;
  std::vector<ConditionRecord> conditions;
  std::vector<Branch> branches;
  std::vector<AuditRecord> audits;
  std::vector<OutcomeRecord> outcomes{
      {{kNone, kNone}, {0, 0}, {0, 0}, {0, 0}, 0, 0},  // default-deny
      {{0, 0}, {0, 0}, {0, 0}, {1, 1}, 0, 0},          // rule 0 denies
      {{1, 1}, {0, 0}, {0, 0}, {2, 2}, 0, 0},          // rule 1 allows
  };
  std::vector<UnitRecord> units;
  ServiceRecord service{1, 0, 0, kNoLimits, 0, Helper::kOff};
  bool with_service{false};        // else there is a hole in its place
  bool with_private_space{false};  // a second zone, of a space of its own
  bool with_port{false};
  std::uint16_t rule_limits{kNoLimits};
  std::vector<RouteRecord> routes;
  std::vector<NatPrefix> nat_prefixes;
  std::vector<PublishRecord> publishes;
  std::vector<PublishEndpoint> publish_endpoints;
  std::vector<EgressRecord> egresses;
  std::vector<PoolRecord> pools;
  std::vector<NptRecord> npt_prefixes;
  std::vector<SourceEgress> source_egress;
  std::vector<TranslateRecord> translates;
  std::vector<LimitRecord> limits;
  std::vector<TimeoutRecord> timeouts{TimeoutRecord{}};
  GatewayLimits gateway_limits;
  Cell cell{0};  // of the only source class and target class

  [[nodiscard]] AlignedBytes bytes() const {
    std::vector<Cell> cells(kBlockColumns, 0);
    cells[0] = cell;
    const std::uint32_t zone_count = with_private_space ? 2 : 1;
    const Meta meta{zone_count + 1, 1, 1, 1, 0, 0, 0};
    std::vector<ZoneRecord> zones{{ZoneKind::kExtranet, 0, 0}};
    if (with_private_space) zones.push_back({ZoneKind::kPrivate, 0, 1});
    const std::vector<SpaceRecord> spaces(zone_count, {kLeafBit, kLeafBit, kLeafBit | kNoRoute,
                                                       kLeafBit | kNoRoute});
    std::vector<ZoneSet> zone_sets(zone_count);
    std::vector<std::uint8_t> table;
    for (std::size_t from = 0; from < zone_count; ++from) {
      zone_sets[from].zones[0] = std::uint64_t{1} << from;
      for (std::size_t to = 0; to < zone_count; ++to) {
        table.push_back(isolation(zones[from].kind, zones[to].kind, from == to, from == to).bits);
      }
    }
    PortRecord port{};
    port.device_kind = DeviceKind::kTap;
    Writer writer;
    writer.put(Section::kMeta, std::span<const Meta>{&meta, 1});
    writer.put(Section::kZones, zones);
    writer.put(Section::kSpaces, spaces);
    std::vector<std::uint64_t> keys(spaces.size());
    for (std::size_t i = 0; i < keys.size(); ++i) keys[i] = i;
    writer.put(Section::kSpaceKeys, keys);
    writer.put(Section::kZoneSets, zone_sets);
    writer.put(Section::kObjectIsolation, table);
    writer.put(Section::kPortIsolation, table);
    writer.put(Section::kTrieNodes, std::vector<TrieNode>{});
    writer.put(Section::kTrieEntries, std::vector<TrieEntry>{});
    writer.put(Section::kAtoms, std::vector<Atom>{{kNone, 0, 0, 0, 0}});
    writer.put(Section::kUnits, units);
    writer.put(Section::kServices,
               std::vector<ServiceRecord>{with_service ? service : ServiceRecord{0, 0, 0}});
    writer.put(Section::kRules, std::vector<RuleRecord>(2, RuleRecord{1, 0, 0, 0, rule_limits, 0}));
    writer.put(Section::kTerminals, std::vector<TerminalSlot>{});
    writer.put(Section::kSourceClasses, std::vector<std::uint32_t>(zone_count + 1, 0));
    writer.put(Section::kPortMaps, std::vector<PortMap>{{0, 1}});
    writer.put(Section::kPortBreaks, std::vector<PortBreak>{{0, 0}});
    writer.put(Section::kTargets, std::vector<TargetRecord>{{kNone, kNoZoneSet, 1, 0}});
    writer.put(Section::kTargetClasses, std::vector<std::uint32_t>(zone_count + 1, 0));
    writer.put(Section::kRows, std::vector<std::uint32_t>{0});
    writer.put(Section::kStripes, std::vector<std::uint32_t>(kStripeBlocks, 0));
    writer.put(Section::kCells, cells);
    writer.put(Section::kBranches, branches);
    writer.put(Section::kOutcomes, outcomes);
    writer.put(Section::kAuditRules, audits);
    writer.put(Section::kUtcOffsets, offsets);
    writer.put(Section::kSchedules, schedules);
    writer.put(Section::kScheduleDates, dates);
    writer.put(Section::kConditions, conditions);
    writer.put(Section::kPorts, std::vector<PortRecord>(with_port ? 1 : 0, port));
    writer.put(Section::kPortAddresses, std::vector<PortAddress>{});
    writer.put(Section::kRoutes, routes);
    writer.put(Section::kNeighbours, std::vector<NeighbourRecord>{});
    writer.put(Section::kLocalServices, std::vector<LocalService>{});
    writer.put(Section::kNatPrefixes, nat_prefixes);
    writer.put(Section::kPublishes, publishes);
    writer.put(Section::kPublishEndpoints, publish_endpoints);
    writer.put(Section::kEgresses, egresses);
    writer.put(Section::kPools, pools);
    writer.put(Section::kNptPrefixes, npt_prefixes);
    writer.put(Section::kSourceEgress, source_egress);
    writer.put(Section::kTranslates, translates);
    writer.put(Section::kLimits, limits);
    writer.put(Section::kTimeouts, timeouts);
    writer.put(Section::kGatewayLimits, std::span<const GatewayLimits>{&gateway_limits, 1});
    return writer.finish();
  }
};

// A schedule by weekdays; bit 0 is Monday.
inline ScheduleRecord weekly(std::uint8_t weekdays, std::uint32_t start, std::uint32_t end) {
  return {0, 0, start, end, weekdays, {}};
}
// One by `count` dates from `first` on.
inline ScheduleRecord dated(std::uint32_t first, std::uint32_t count, std::uint32_t start,
                            std::uint32_t end) {
  return {first, count, start, end, 0, {}};
}

}  // namespace meiguan::image::test
