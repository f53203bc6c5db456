#include "controlplane/analysis/reach.h"

#include <algorithm>

#include "controlplane/analysis/first_packet.h"

namespace meiguan::analysis {

using image::Image;
using net::Family;

std::vector<ZoneId> service_zones(const Image& image, const image::Atom& atom) {
  image::ZoneSet all{};
  const std::uint32_t slots = image.targets()[atom.first_target].slots;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const std::uint16_t set = image.targets()[atom.first_target + slot].zone_set;
    if (set == image::kNoZoneSet) continue;
    for (std::size_t word = 0; word < all.zones.size(); ++word) {
      all.zones[word] |= image.zone_sets()[set].zones[word];
    }
  }
  std::vector<ZoneId> zones;
  for (std::size_t zone = 0; zone < image.zones().size(); ++zone) {
    if ((all.zones[zone / 64] >> zone % 64 & 1) != 0) {
      zones.emplace_back(static_cast<ZoneId::rep>(zone));
    }
  }
  return zones;
}

Reach::Reach(const Image& image) : image_{image} {
  for (const image::TerminalSlot& slot : image.terminals()) {
    if (slot.unit == image::kNone) continue;
    if (image.units()[slot.unit].admission == image::Admission::kOpen) continue;
    terminals_[UnitId{slot.unit}].push_back(slot.address);
  }
  for (auto& [unit, addresses] : terminals_) std::ranges::sort(addresses);
  for (std::size_t s = 0; s < image.spaces().size(); ++s) {
    const SpaceId space{static_cast<SpaceId::rep>(s)};
    std::map<std::uint32_t, Families> atoms;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      auto ranges = atom_ranges(image, space, family);
      for (const AtomRange& range : ranges) atoms[range.atom] |= bit_of(family);
      std::ranges::stable_sort(ranges, {}, &AtomRange::atom);
      ranges_.emplace(std::pair{space, family}, std::move(ranges));
    }
    // Those of units first: of several examples theirs says most.
    for (const bool with_unit : {true, false}) {
      for (const auto& [atom, families] : atoms) {
        if ((image.atoms()[atom].unit != image::kNone) == with_unit) {
          add_sources(space, atom, families);
          add_targets(space, atom, families);
        }
      }
    }
  }
}

std::span<const net::Address> Reach::terminals(UnitId unit) const {
  const auto it = terminals_.find(unit);
  if (it == terminals_.end()) return {};
  return it->second;
}

std::vector<ZoneId> Reach::zones_of(SpaceId space) const {
  std::vector<ZoneId> zones;
  for (std::size_t zone = 0; zone < image_.zones().size(); ++zone) {
    if (image_.zones()[zone].space == space.value()) {
      zones.emplace_back(static_cast<ZoneId::rep>(zone));
    }
  }
  return zones;
}

void Reach::add_sources(SpaceId space, std::uint32_t number, Families families) {
  const image::Atom& atom = image_.atoms()[number];
  std::vector<ZoneId> zones;
  if (atom.unit != image::kNone) {
    zones.emplace_back(image_.units()[atom.unit].zone);
  } else {
    zones = service_zones(image_, atom);
    if (zones.empty()) zones = zones_of(space);
  }
  for (const ZoneId zone : zones) {
    const std::uint32_t row =
        image_.source_classes()[std::size_t{atom.source_group} * image_.meta().zone_columns +
                                zone.index()];
    const image::SourceEgress by = image_.egress_of(atom.source_group, zone.value());
    const bool v4 = by.v4 != image::kNoEgress;
    const bool v6 = by.v6 != image::kNoEgress;
    const auto add = [&](Families some, bool egress) {
      if (some == 0) return;
      sources_.push_back({number, row, space, zone, some, {zone, egress, atom.translated != 0}});
    };
    if (v4 == v6) {
      add(families, v4);
    } else {
      add(families & kHasV4, v4);
      add(families & kHasV6, v6);
    }
  }
}

void Reach::add_targets(SpaceId space, std::uint32_t number, Families families) {
  const image::Atom& atom = image_.atoms()[number];
  const std::size_t columns = image_.meta().zone_columns;
  const std::uint32_t slots = image_.targets()[atom.first_target].slots;
  for (std::uint32_t slot = 0; slot < slots; ++slot) {
    const std::uint32_t target = atom.first_target + slot;
    Families reachable = 0;
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if ((families & bit_of(family)) != 0 && slot_keys(atom.port_map, family, slots)[slot]) {
        reachable |= bit_of(family);
      }
    }
    if (reachable == 0) continue;
    const auto add = [&](ZoneId zone, std::size_t column) {
      const std::uint32_t target_class = image_.target_classes()[target * columns + column];
      targets_.push_back(
          {number, target, target_class, space, zone, reachable, atom.translated != 0});
    };
    if (image_.targets()[target].zone_set != image::kNoZoneSet) {
      add(ZoneId{}, columns - 1);  // by the objects
    } else {
      for (const ZoneId zone : zones_of(space)) add(zone, zone.index());
    }
  }
}

const std::vector<std::optional<std::uint32_t>>& Reach::slot_keys(std::uint32_t port_map,
                                                                  Family family,
                                                                  std::size_t slots) {
  auto& keys = keys_[{port_map, family}];
  if (!keys.empty()) return keys;
  keys.resize(slots);
  const image::PortMap& map = image_.port_maps()[port_map];
  for (std::uint32_t i = 0; i < map.breaks; ++i) {
    const image::PortBreak& here = image_.port_breaks()[map.first_break + i];
    const std::uint32_t end = i + 1 < map.breaks ? image_.port_breaks()[map.first_break + i + 1].key
                                                 : kKeyEnd;
    const auto found = first_packet_key(family, here.key, end);
    // Of several spans of a slot TCP says most to people.
    if (found && (!keys[here.slot] || *found >> 16 == 6)) keys[here.slot] = found;
  }
  return keys;
}

fastpath::Subject Sender::subject() const noexcept {
  fastpath::Subject subject;
  subject.in_zone = zone;
  subject.atom.translated = translated ? 1 : 0;
  if (egress) subject.egress = 0;
  return subject;
}

image::Isolation Reach::isolation(const Sender& from, const TargetPoint& to) const noexcept {
  fastpath::Target target;
  target.number = to.target;
  target.assumed_zone = to.zone;
  target.has_translate = to.translated;
  return fastpath::isolate(image_, from.subject(), target);
}

std::uint32_t Reach::isolation_key(const TargetPoint& to) const noexcept {
  const std::uint32_t translated = to.translated ? 0x2'0000U : 0U;
  return translated |
         (to.zone.is_some() ? 0x1'0000U | to.zone.value() : image_.targets()[to.target].zone_set);
}

std::span<const AtomRange> Reach::ranges(SpaceId space, Family family, std::uint32_t atom) const {
  const auto it = ranges_.find({space, family});
  if (it == ranges_.end()) return {};
  const auto found = std::ranges::equal_range(it->second, atom, {}, &AtomRange::atom);
  return {found.begin(), found.end()};
}

std::optional<std::uint32_t> Reach::key(const TargetPoint& to, Family family) const {
  const image::Atom& atom = image_.atoms()[to.atom];
  const auto it = keys_.find({atom.port_map, family});
  if (it == keys_.end()) return std::nullopt;
  return it->second[to.target - atom.first_target];
}

}  // namespace meiguan::analysis
