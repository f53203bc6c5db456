#include "dataplane/image/image_check.h"

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace meiguan::image {
namespace {

bool is_flag(std::uint8_t value) { return value <= 1; }

}  // namespace

const char* ImageCheck::zones() const {
  const std::size_t zones = image_.zones().size();
  const std::size_t spaces = image_.spaces().size();
  if (zones > kMaxZones) return "too many zones";
  if (spaces == 0 || spaces > kMaxSpaces) return "number of address spaces";
  // Two spaces with one key would share their block list, and one would be without its own.
  std::vector<std::uint64_t> keys{image_.space_keys().begin(), image_.space_keys().end()};
  if (keys.size() != spaces || keys.front() != 0) return "keys of the address spaces";
  std::ranges::sort(keys);
  if (std::ranges::adjacent_find(keys) != keys.end()) return "keys of the address spaces";
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
const char* ImageCheck::isolation_tables() const {
  const auto zones = image_.zones();
  const auto sets = image_.zone_sets();
  if (port_isolation_.size() != zones.size() * zones.size() ||
      object_isolation_.size() != zones.size() * sets.size()) {
    return "size of the isolation tables";
  }
  for (std::size_t from = 0; from < zones.size(); ++from) {
    const auto between = [&](std::size_t to) {
      return isolation(zones[from].kind, zones[to].kind, from == to,
                       zones[from].space == zones[to].space)
          .bits;
    };
    for (std::size_t to = 0; to < zones.size(); ++to) {
      if (port_isolation_[from * zones.size() + to] != between(to))
        return "isolation between ports";
    }
    for (std::size_t set = 0; set < sets.size(); ++set) {
      std::uint8_t bits = 0;
      for (std::size_t to = 0; to < zones.size(); ++to) {
        if ((sets[set].zones[to / 64] >> (to % 64) & 1) != 0) bits |= between(to);
      }
      if (object_isolation_[from * sets.size() + set] != bits) return "isolation between objects";
    }
  }
  return nullptr;
}

const char* ImageCheck::objects() const {
  const std::size_t units = image_.units().size();
  const std::size_t zones = image_.zones().size();
  const Meta& meta = image_.meta();
  if (units > kMaxUnits) return "too many units";
  if (image_.services().size() > kMaxServices) return "too many services";
  if (meta.zone_columns != zones + 1) return "number of zone columns";
  const auto has_limits = [&](std::uint16_t number) {
    return number == kNoLimits || number < image_.limits().size();
  };
  for (const UnitRecord& unit : image_.units()) {
    if (!is_flag(unit.in_use) || unit.admission > Admission::kBound) return "a unit";
    if (unit.in_use != 0 && unit.zone >= zones) return "zone of a unit";
    if (!has_limits(unit.limits)) return "limits of a unit";
  }
  for (const ServiceRecord& service : image_.services()) {
    if (!is_flag(service.in_use) || !is_flag(service.publish)) return "a service";
    if (service.in_use != 0 && service.zone >= zones) return "zone of a service";
    if (!has_limits(service.limits)) return "limits of a service";
    if (service.timeouts >= image_.timeouts().size()) return "time-outs of a service";
    if (service.helper > Helper::kSip) return "helper of a service";
  }
  for (const RuleRecord& rule : image_.rules()) {
    if (!is_flag(rule.in_use) || rule.action > 2 || rule.phase > 2) return "a rule";
    if (!has_limits(rule.limits)) return "limits of a rule";
  }
  if (image_.source_classes().size() % meta.zone_columns != 0) return "source classes";
  for (const std::uint32_t c : image_.source_classes()) {
    if (c >= meta.source_classes) return "a source class";
  }
  if (image_.target_classes().size() != image_.targets().size() * std::size_t{meta.zone_columns}) {
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

const char* ImageCheck::terminals() const {
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

}  // namespace meiguan::image
