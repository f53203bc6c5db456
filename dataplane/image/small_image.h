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
  Cell cell{0};  // of the only source class and target class

  [[nodiscard]] AlignedBytes bytes() const {
    std::vector<Cell> cells(kBlockColumns, 0);
    cells[0] = cell;
    const Meta meta{2, 1, 1, 1, 0, 0, 0};
    const std::vector<SpaceRecord> spaces{
        {kLeafBit, kLeafBit, kLeafBit | kNoRoute, kLeafBit | kNoRoute}};
    ZoneSet zone_set{};
    zone_set.zones[0] = 1;
    const std::uint8_t within = isolation(ZoneKind::kExtranet, ZoneKind::kExtranet, true).bits;
    Writer writer;
    writer.put(Section::kMeta, std::span<const Meta>{&meta, 1});
    writer.put(Section::kZones, std::vector<ZoneRecord>{{ZoneKind::kExtranet, 0, 0}});
    writer.put(Section::kSpaces, spaces);
    writer.put(Section::kZoneSets, std::vector<ZoneSet>{zone_set});
    writer.put(Section::kObjectIsolation, std::vector<std::uint8_t>{within});
    writer.put(Section::kPortIsolation, std::vector<std::uint8_t>{within});
    writer.put(Section::kTrieNodes, std::vector<TrieNode>{});
    writer.put(Section::kTrieEntries, std::vector<TrieEntry>{});
    writer.put(Section::kAtoms, std::vector<Atom>{{kNone, 0, 0, 0}});
    writer.put(Section::kUnits, std::vector<UnitRecord>{});
    writer.put(Section::kServices, std::vector<ServiceRecord>{});
    writer.put(Section::kRules, std::vector<RuleRecord>(2, RuleRecord{1, 0, 0, 0}));
    writer.put(Section::kTerminals, std::vector<TerminalSlot>{});
    writer.put(Section::kSourceClasses, std::vector<std::uint32_t>{0, 0});
    writer.put(Section::kPortMaps, std::vector<PortMap>{{0, 1}});
    writer.put(Section::kPortBreaks, std::vector<PortBreak>{{0, 0}});
    writer.put(Section::kTargets, std::vector<TargetRecord>{{kNone, kNoZoneSet, 1}});
    writer.put(Section::kTargetClasses, std::vector<std::uint32_t>{0, 0});
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
    writer.put(Section::kPorts, std::vector<PortRecord>{});
    writer.put(Section::kPortAddresses, std::vector<PortAddress>{});
    writer.put(Section::kRoutes, std::vector<RouteRecord>{});
    writer.put(Section::kNeighbours, std::vector<NeighbourRecord>{});
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
