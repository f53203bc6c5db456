#include "dataplane/image/validator.h"

#include <fmt/core.h>

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace meiguan::image {
namespace {

std::unexpected<Error> damaged(std::string_view what) {
  return fail(fmt::format("the policy image is damaged: {}", what),
              fmt::format("策略映像已损坏：{}", what));
}

bool is_flag(std::uint8_t value) { return value <= 1; }

bool is_terminated(std::span<const char> text) {
  return std::ranges::find(text, '\0') != text.end();
}

}  // namespace

std::uint64_t checksum_of(std::span<const std::byte> bytes) noexcept {
  // The checksum field lies inside the header; hash around it.
  FileHeader header;
  std::memcpy(&header, bytes.data(), sizeof header);
  header.checksum = 0;
  const std::uint64_t head = XXH3_64bits(&header, sizeof header);
  return XXH3_64bits_withSeed(bytes.data() + sizeof header, bytes.size() - sizeof header, head);
}

// One method for each group of sections; every method answers the name of what is wrong, or
// nothing.
class ImageCheck {
 public:
  explicit ImageCheck(const Image& image, std::span<const TrieNode> nodes,
                      std::span<const TrieEntry> entries, std::span<const std::uint32_t> row_blocks,
                      std::span<const std::uint32_t> cells)
      : image_{image}, nodes_{nodes}, entries_{entries}, row_blocks_{row_blocks}, cells_{cells} {}

  [[nodiscard]] const char* zones() const {
    const std::size_t zones = image_.zones().size();
    const std::size_t spaces = image_.spaces().size();
    if (zones > kMaxZones) return "too many zones";
    if (spaces == 0 || spaces > kMaxSpaces) return "number of address spaces";
    if (image_.zone_sets().size() < zones || image_.zone_sets().size() >= kNoZoneSet) {
      return "number of zone sets";
    }
    for (const ZoneRecord& zone : image_.zones()) {
      if (static_cast<std::size_t>(zone.kind) >= kZoneKinds) return "kind of a zone";
      if (!is_flag(zone.drop_unregistered) || zone.space >= spaces) return "a zone";
    }
    return nullptr;
  }

  // No image lifts isolation: its tables must be those that its zones give.
  [[nodiscard]] const char* isolation_tables(std::span<const std::uint8_t> by_port,
                                             std::span<const std::uint8_t> by_object) const {
    const auto zones = image_.zones();
    const auto sets = image_.zone_sets();
    if (by_port.size() != zones.size() * zones.size() ||
        by_object.size() != zones.size() * sets.size()) {
      return "size of the isolation tables";
    }
    for (std::size_t from = 0; from < zones.size(); ++from) {
      const auto between = [&](std::size_t to) {
        return isolation(zones[from].kind, zones[to].kind, from == to,
                         zones[from].space == zones[to].space)
            .bits;
      };
      for (std::size_t to = 0; to < zones.size(); ++to) {
        if (by_port[from * zones.size() + to] != between(to)) return "isolation between ports";
      }
      for (std::size_t set = 0; set < sets.size(); ++set) {
        std::uint8_t bits = 0;
        for (std::size_t to = 0; to < zones.size(); ++to) {
          if ((sets[set].zones[to / 64] >> (to % 64) & 1) != 0) bits |= between(to);
        }
        if (by_object[from * sets.size() + set] != bits) return "isolation between objects";
      }
    }
    return nullptr;
  }

  [[nodiscard]] const char* tries() const {
    if (nodes_.size() * kTrieFanout != entries_.size()) return "number of trie entries";
    for (std::size_t i = 0; i < nodes_.size(); ++i) {
      const TrieNode& node = nodes_[i];
      if (node.skip > node.depth || node.depth >= 16) return "depth of a trie node";
      if ((node.miss & kLeafBit) == 0) return "miss of a trie node";
      if (node.entries != i * kTrieFanout) return "entries of a trie node";
      for (const TrieEntry entry : entries_.subspan(node.entries, kTrieFanout)) {
        if ((entry & kLeafBit) != 0) continue;
        // Later in the table and later in the key: no cycle, no reading past the key.
        if (entry <= i || entry >= nodes_.size() || nodes_[entry].skip != node.depth + 1) {
          return "child of a trie node";
        }
      }
    }
    // Which values a root may lead to depends on the root, so each reachable leaf is visited once
    // for each kind. A node may be reached from one root only.
    std::vector<std::uint8_t> seen(nodes_.size(), 0);
    for (const SpaceRecord& space : image_.spaces()) {
      const std::size_t atoms = image_.atoms().size();
      const std::size_t routes = image_.routes().size();
      if (!walk(space.objects_v4, 4, atoms, false, seen) ||
          !walk(space.objects_v6, 16, atoms, false, seen) ||
          !walk(space.routes_v4, 4, routes, true, seen) ||
          !walk(space.routes_v6, 16, routes, true, seen)) {
        return "a trie";
      }
    }
    return nullptr;
  }

  [[nodiscard]] const char* objects() const {
    const std::size_t units = image_.units().size();
    const std::size_t zones = image_.zones().size();
    const Meta& meta = image_.meta();
    if (meta.zone_columns != zones + 1) return "number of zone columns";
    for (const UnitRecord& unit : image_.units()) {
      if (!is_flag(unit.in_use) || unit.admission > Admission::kBound) return "a unit";
      if (unit.in_use != 0 && unit.zone >= zones) return "zone of a unit";
    }
    for (const ServiceRecord& service : image_.services()) {
      if (!is_flag(service.in_use) || !is_flag(service.publish)) return "a service";
      if (service.in_use != 0 && service.zone >= zones) return "zone of a service";
    }
    for (const RuleRecord& rule : image_.rules()) {
      if (!is_flag(rule.in_use) || rule.action > 2 || rule.phase > 2) return "a rule";
    }
    if (image_.source_classes().size() % meta.zone_columns != 0) return "source classes";
    for (const std::uint32_t c : image_.source_classes()) {
      if (c >= meta.source_classes) return "a source class";
    }
    if (image_.target_classes().size() !=
        image_.targets().size() * std::size_t{meta.zone_columns}) {
      return "target classes";
    }
    for (const std::uint32_t c : image_.target_classes()) {
      if (c >= meta.target_classes) return "a target class";
    }
    const std::size_t groups = image_.source_classes().size() / meta.zone_columns;
    for (const Atom& atom : image_.atoms()) {
      if (atom.unit != kNone && (atom.unit >= units || image_.units()[atom.unit].in_use == 0)) {
        return "unit of an atom";
      }
      if (atom.source_group >= groups) return "source group of an atom";
      if (atom.port_map >= image_.port_maps().size()) return "port map of an atom";
      const PortMap& map = image_.port_maps()[atom.port_map];
      if (map.breaks == 0 || map.first_break > image_.port_breaks().size() ||
          map.breaks > image_.port_breaks().size() - map.first_break) {
        return "a port map";
      }
      if (atom.first_target >= image_.targets().size()) return "target of an atom";
      const std::uint32_t slots = image_.targets()[atom.first_target].slots;
      if (slots > image_.targets().size() - atom.first_target) return "targets of an atom";
      const auto breaks = image_.port_breaks().subspan(map.first_break, map.breaks);
      if (breaks.front().key != 0) return "first break of a port map";
      for (std::size_t i = 0; i < breaks.size(); ++i) {
        if (i > 0 && breaks[i].key <= breaks[i - 1].key) return "order of a port map";
        if (breaks[i].slot >= slots) return "slot of a port map";
      }
    }
    for (const TargetRecord& target : image_.targets()) {
      if (target.service != kNone && (target.service >= image_.services().size() ||
                                      image_.services()[target.service].in_use == 0)) {
        return "service of a target";
      }
      if (target.zone_set != kNoZoneSet && target.zone_set >= image_.zone_sets().size()) {
        return "zone set of a target";
      }
    }
    return nullptr;
  }

  [[nodiscard]] const char* terminals() const {
    const auto slots = image_.terminals();
    if (slots.empty()) return nullptr;
    if (!std::has_single_bit(slots.size())) return "size of the terminal table";
    bool has_empty = false;
    for (const TerminalSlot& slot : slots) {
      if (slot.unit == kNone) {
        has_empty = true;
        continue;
      }
      if (slot.unit >= image_.units().size() || slot.space >= image_.spaces().size() ||
          slot.has_mac > 1) {
        return "a terminal";
      }
    }
    return has_empty ? nullptr : "a full terminal table";
  }

  [[nodiscard]] const char* matrix() const {
    const Meta& meta = image_.meta();
    if (meta.source_classes == 0 || meta.target_classes == 0) return "an empty matrix";
    if (meta.blocks_per_row !=
        (std::uint64_t{meta.target_classes} + kBlockColumns - 1) / kBlockColumns) {
      return "blocks of a row";
    }
    if (row_blocks_.size() != std::size_t{meta.source_classes} * meta.blocks_per_row) {
      return "number of rows";
    }
    if (cells_.size() % kBlockColumns != 0) return "number of cells";
    const std::size_t blocks = cells_.size() / kBlockColumns;
    for (const std::uint32_t block : row_blocks_) {
      if (block >= blocks) return "a block number";
    }
    const std::size_t branches = image_.branches().size();
    const auto leads_on = [&](Cell cell, std::size_t below) {
      return (cell & kBranchBit) != 0 ? (cell & ~kBranchBit) < below
                                      : cell < image_.outcomes().size();
    };
    for (const Cell cell : cells_) {
      if (!leads_on(cell, branches)) return "a cell of the matrix";
    }
    for (std::size_t i = 0; i < branches; ++i) {
      const Branch& branch = image_.branches()[i];
      if (branch.condition >= image_.conditions().size() || !leads_on(branch.when_holds, i) ||
          !leads_on(branch.otherwise, i)) {
        return "a branch";
      }
    }
    const std::size_t rules = image_.rules().size();
    for (const OutcomeRecord& outcome : image_.outcomes()) {
      if (!is_flag(outcome.published)) return "an outcome";
      for (std::size_t mode = 0; mode < 2; ++mode) {
        if (outcome.action[mode] > static_cast<std::uint8_t>(RuleAction::kAllow)) {
          return "action of an outcome";
        }
        const bool decided = outcome.action[mode] !=
                             static_cast<std::uint8_t>(RuleAction::kDefaultDeny);
        if (decided != (outcome.rule[mode] != kNone)) return "rule of an outcome";
        if (decided && outcome.rule[mode] >= rules) return "rule of an outcome";
        if (outcome.first_audit[mode] > image_.audit_rules().size() ||
            outcome.audits[mode] > image_.audit_rules().size() - outcome.first_audit[mode]) {
          return "audits of an outcome";
        }
      }
    }
    for (const AuditRecord& audit : image_.audit_rules()) {
      if (audit.rule >= rules) return "an audit rule";
      if (audit.condition != kNone && audit.condition >= image_.conditions().size()) {
        return "condition of an audit rule";
      }
    }
    return nullptr;
  }

  [[nodiscard]] const char* times() const {
    const auto offsets = image_.utc_offsets();
    if (offsets.empty() || offsets.front().at != std::numeric_limits<std::int64_t>::min()) {
      return "the first UTC offset";
    }
    for (std::size_t i = 0; i < offsets.size(); ++i) {
      if (offsets[i].seconds < -kMostUtcOffset || offsets[i].seconds > kMostUtcOffset) {
        return "a UTC offset";
      }
      if (i > 0 && offsets[i].at <= offsets[i - 1].at) return "order of the UTC offsets";
    }
    const auto dates = image_.schedule_dates();
    for (const ScheduleRecord& schedule : image_.schedules()) {
      if (schedule.start >= kSecondsOfDay || schedule.end > kSecondsOfDay ||
          schedule.start == schedule.end || schedule.weekdays > 0x7f) {
        return "a schedule";
      }
      if (schedule.first_date > dates.size() ||
          schedule.dates > dates.size() - schedule.first_date) {
        return "dates of a schedule";
      }
      const auto own = dates.subspan(schedule.first_date, schedule.dates);
      if (std::ranges::adjacent_find(own, std::ranges::greater_equal{}) != own.end()) {
        return "order of the dates of a schedule";
      }
    }
    if (image_.conditions().size() > kMaxConditions) return "number of conditions";
    for (const ConditionRecord& condition : image_.conditions()) {
      if (condition.schedule != kNone && condition.schedule >= image_.schedules().size()) {
        return "schedule of a condition";
      }
    }
    return nullptr;
  }

  [[nodiscard]] const char* gateway() const {
    const auto ports = image_.ports();
    const std::size_t zones = image_.zones().size();
    if (ports.size() > kMaxPorts) return "too many ports";
    if (image_.meta().has_gateway > 1) return "the gateway flag";
    if (image_.meta().has_gateway == 1 && (image_.meta().workers == 0 || ports.empty())) {
      return "a gateway without workers or ports";
    }
    for (std::size_t i = 0; i < ports.size(); ++i) {
      const PortRecord& port = ports[i];
      if (!is_terminated(port.name) || !is_terminated(port.device)) return "name of a port";
      if (port.device_kind > DeviceKind::kVdev || port.anti_spoof > AntiSpoof::kOff ||
          !is_flag(port.has_mac)) {
        return "a port";
      }
      if (port.zone >= zones || port.space != image_.zones()[port.zone].space) {
        return "zone of a port";
      }
      const bool is_sub = port.device_kind == DeviceKind::kSubPort;
      if (port.parent >= ports.size() || is_sub != (port.vlan != 0) ||
          is_sub != (port.parent != i) || port.vlan > 4094) {
        return "parent of a port";
      }
      if (ports[port.parent].device_kind == DeviceKind::kSubPort) return "parent of a sub-port";
      if (port.first_address > all_port_addresses() ||
          port.addresses > all_port_addresses() - port.first_address) {
        return "addresses of a port";
      }
    }
    for (const RouteRecord& route : image_.routes()) {
      if (route.port >= ports.size() || route.kind > RouteKind::kBroadcast ||
          !is_flag(route.is_default)) {
        return "a route";
      }
    }
    for (const NeighbourRecord& neighbour : image_.neighbours()) {
      if (neighbour.port >= ports.size()) return "port of a neighbour";
    }
    return nullptr;
  }

  void set_port_addresses(std::size_t count) { port_addresses_ = count; }

 private:
  [[nodiscard]] std::size_t all_port_addresses() const { return port_addresses_; }

  // Depth is at most the key's bytes, so that recursion is bounded.
  [[nodiscard]] bool walk(TrieEntry entry, std::uint8_t key_bytes, std::size_t values,
                          bool may_be_none, std::vector<std::uint8_t>& seen) const {
    if ((entry & kLeafBit) != 0) return is_value(entry, values, may_be_none);
    if (entry >= nodes_.size() || nodes_[entry].depth >= key_bytes || seen[entry] != 0) {
      return false;
    }
    seen[entry] = 1;
    const TrieNode& node = nodes_[entry];
    if (!is_value(node.miss, values, may_be_none)) return false;
    return std::ranges::all_of(entries_.subspan(node.entries, kTrieFanout), [&](TrieEntry child) {
      return walk(child, key_bytes, values, may_be_none, seen);
    });
  }
  [[nodiscard]] static bool is_value(TrieEntry leaf, std::size_t values, bool may_be_none) {
    const std::uint32_t value = leaf & ~kLeafBit;
    return value < values || (may_be_none && value == kNoRoute);
  }

  const Image& image_;
  std::span<const TrieNode> nodes_;
  std::span<const TrieEntry> entries_;
  std::span<const std::uint32_t> row_blocks_;
  std::span<const Cell> cells_;
  std::size_t port_addresses_{0};
};

Result<Image> Validator::validate(std::span<const std::byte> bytes) {
  if (bytes.size() < sizeof(FileHeader) || bytes.size() > kMaxImageBytes) {
    return damaged("its size");
  }
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % kSectionAlignment != 0) {
    return damaged("its alignment in memory");
  }
  Image image;
  image.bytes_ = bytes;
  const FileHeader& header = image.header();
  if (header.magic != kMagic) {
    return fail("this file is not a policy image", "此文件不是策略映像");
  }
  if (header.version != kFormatVersion || header.section_count != kSections) {
    return fail(fmt::format("the policy image has format version {}, this program reads version {};"
                            " compile the policy again",
                            header.version, kFormatVersion),
                fmt::format("策略映像格式版本为 {}，本程序读取版本 {}；请重新编译策略",
                            header.version, kFormatVersion));
  }
  if (header.bytes != bytes.size()) return damaged("it is cut short or has bytes too many");
  if (header.checksum != checksum_of(bytes)) return damaged("its checksum");

  std::uint64_t end = sizeof(FileHeader);
  bool in_range = true;
  const auto take = [&]<typename T>(Section section, std::span<const T>& out) {
    const SectionRef& ref = header.sections[static_cast<std::size_t>(section)];
    if (ref.size != sizeof(T) || ref.offset % kSectionAlignment != 0 || ref.offset < end ||
        ref.offset > bytes.size() || ref.count > (bytes.size() - ref.offset) / sizeof(T)) {
      in_range = false;
      return;
    }
    end = ref.offset + ref.count * sizeof(T);
    out = {reinterpret_cast<const T*>(bytes.data() + ref.offset),
           static_cast<std::size_t>(ref.count)};
  };
  std::span<const Meta> meta;
  take(Section::kMeta, meta);
  take(Section::kZones, image.zones_);
  take(Section::kSpaces, image.spaces_);
  take(Section::kZoneSets, image.zone_sets_);
  take(Section::kObjectIsolation, image.object_isolation_);
  take(Section::kPortIsolation, image.port_isolation_);
  take(Section::kTrieNodes, image.trie_nodes_);
  take(Section::kTrieEntries, image.trie_entries_);
  take(Section::kAtoms, image.atoms_);
  take(Section::kUnits, image.units_);
  take(Section::kServices, image.services_);
  take(Section::kRules, image.rules_);
  take(Section::kTerminals, image.terminals_);
  take(Section::kSourceClasses, image.source_classes_);
  take(Section::kPortMaps, image.port_maps_);
  take(Section::kPortBreaks, image.port_breaks_);
  take(Section::kTargets, image.targets_);
  take(Section::kTargetClasses, image.target_classes_);
  take(Section::kRowBlocks, image.row_blocks_);
  take(Section::kCells, image.cells_);
  take(Section::kBranches, image.branches_);
  take(Section::kOutcomes, image.outcomes_);
  take(Section::kAuditRules, image.audit_rules_);
  take(Section::kUtcOffsets, image.utc_offsets_);
  take(Section::kSchedules, image.schedules_);
  take(Section::kScheduleDates, image.schedule_dates_);
  take(Section::kConditions, image.conditions_);
  take(Section::kPorts, image.ports_);
  take(Section::kPortAddresses, image.port_addresses_);
  take(Section::kRoutes, image.routes_);
  take(Section::kNeighbours, image.neighbours_);
  if (!in_range || meta.size() != 1) return damaged("its table of sections");
  image.meta_ = meta.data();

  ImageCheck check{image, image.trie_nodes_, image.trie_entries_, image.row_blocks_, image.cells_};
  check.set_port_addresses(image.port_addresses_.size());
  if (const char* wrong = check.zones()) return damaged(wrong);
  for (const char* wrong :
       {check.isolation_tables(image.port_isolation_, image.object_isolation_), check.objects(),
        check.times(), check.terminals(), check.gateway(), check.matrix(), check.tries()}) {
    if (wrong != nullptr) return damaged(wrong);
  }
  return image;
}

Result<Image> Image::open(std::span<const std::byte> bytes) { return Validator::validate(bytes); }

}  // namespace meiguan::image
