#include "controlplane/analysis/joint.h"

#include <algorithm>
#include <set>
#include <tuple>
#include <utility>

#include "controlplane/analysis/first_packet.h"
#include "dataplane/fastpath/decide.h"

namespace meiguan::analysis {
namespace {

using image::Image;
using image::kNone;
using net::Family;

// Zones by what they are called: the same id may have other numbers.
struct JointZone {
  std::string id;
  Sides<ZoneId> zone;  // none where that side has no such zone
};

// An address space on both sides, with the zones that lie in it.
struct JointSpace {
  Sides<SpaceId> space;  // none where that side has no such space
  std::vector<JointZone> zones;
};

std::vector<JointSpace> join_spaces(const Sides<PolicySide>& sides) {
  std::map<std::string, JointZone> zones;
  for (const std::size_t side : {kBefore, kAfter}) {
    const auto& names = sides[side].catalog->zones;
    for (std::size_t z = 0; z < names.size(); ++z) {
      zones[names[z]].id = names[z];
      zones[names[z]].zone[side] = ZoneId{static_cast<ZoneId::rep>(z)};
    }
  }
  const auto space_of = [&](const JointZone& zone, std::size_t side) {
    return zone.zone[side].is_none()
               ? SpaceId{}
               : SpaceId{sides[side].image->zones()[zone.zone[side].index()].space};
  };
  std::vector<JointSpace> spaces;
  const auto add = [&](const Sides<SpaceId>& pair, const JointZone& zone) {
    const auto it = std::ranges::find(spaces, pair, &JointSpace::space);
    (it == spaces.end() ? spaces.insert(it, {pair, {}}) : it)->zones.push_back(zone);
  };
  // The shared spaces are one; a zone that only one side has is seen beside the other's.
  spaces.push_back({{kSharedSpace, kSharedSpace}, {}});
  for (const auto& [id, zone] : zones) {
    Sides<SpaceId> pair{space_of(zone, kBefore), space_of(zone, kAfter)};
    if (pair[0] == kSharedSpace || pair[1] == kSharedSpace) {
      JointZone shared = zone;
      // Private on one side only: there it is another space, with addresses of its own.
      for (const std::size_t side : {kBefore, kAfter}) {
        if (pair[side].is_none() || pair[side] == kSharedSpace) continue;
        JointZone alone = zone;
        alone.zone[1 - side] = ZoneId{};
        Sides<SpaceId> own;
        own[side] = pair[side];
        add(own, alone);
        shared.zone[side] = ZoneId{};
      }
      add({kSharedSpace, kSharedSpace}, shared);
    } else {
      add(pair, zone);
    }
  }
  return spaces;
}

// Addresses of one family under the atoms of both sides.
struct JointAtoms {
  Sides<std::uint32_t> atom{kNone, kNone};
  Families families{0};
  std::array<JointRange, 2> ranges;
};

std::uint64_t size_rank(const JointRange& range) {
  // How good a range is for examples: any but a single odd address.
  return range.first == range.last ? 0 : 1;
}

std::vector<JointAtoms> join_atoms(const Sides<PolicySide>& sides, const JointSpace& space) {
  std::map<Sides<std::uint32_t>, JointAtoms> joined;
  for (const Family family : {Family::kIpv4, Family::kIpv6}) {
    Sides<std::vector<AtomRange>> ranges;
    for (const std::size_t side : {kBefore, kAfter}) {
      if (space.space[side].is_some()) {
        ranges[side] = atom_ranges(*sides[side].image, space.space[side], family);
      }
    }
    const auto put = [&](const Sides<std::uint32_t>& atoms, const JointRange& range) {
      JointAtoms& one = joined[atoms];
      one.atom = atoms;
      JointRange& known = one.ranges[index_of(family)];
      const bool is_new = (one.families & bit_of(family)) == 0;
      if (is_new || size_rank(range) > size_rank(known)) known = range;
      one.families |= bit_of(family);
    };
    if (ranges[0].empty() || ranges[1].empty()) {
      const std::size_t side = ranges[0].empty() ? kAfter : kBefore;
      for (const AtomRange& range : ranges[side]) {
        Sides<std::uint32_t> atoms{kNone, kNone};
        atoms[side] = range.atom;
        put(atoms, {range.first, range.last});
      }
      continue;
    }
    // Both cover all addresses: walk them side by side.
    std::size_t a = 0;
    std::size_t b = 0;
    while (a < ranges[0].size() && b < ranges[1].size()) {
      const AtomRange& left = ranges[0][a];
      const AtomRange& right = ranges[1][b];
      put({left.atom, right.atom},
          {std::max(left.first, right.first), std::min(left.last, right.last)});
      const auto end = std::min(left.last, right.last);
      if (left.last == end) ++a;
      if (right.last == end) ++b;
    }
  }
  std::vector<JointAtoms> result;
  for (auto& [atoms, one] : joined) result.push_back(one);
  return result;
}

// The zones, as numbers in `space.zones`, that the objects of an atom put it in; nothing where any
// zone will do.
std::optional<std::vector<std::size_t>> source_zones(const Image& image, std::uint32_t number,
                                                     const JointSpace& space, std::size_t side) {
  const image::Atom& atom = image.atoms()[number];
  std::set<ZoneId> zones;
  if (atom.unit != kNone) {
    zones.emplace(image.units()[atom.unit].zone);
  } else {
    const auto of_services = service_zones(image, atom);
    zones.insert(of_services.begin(), of_services.end());
  }
  if (zones.empty()) return std::nullopt;
  std::vector<std::size_t> numbers;
  for (std::size_t z = 0; z < space.zones.size(); ++z) {
    if (zones.contains(space.zones[z].zone[side])) numbers.push_back(z);
  }
  return numbers;
}

constexpr std::size_t kNoZone = static_cast<std::size_t>(-1);

// Which zone on the one side goes with which on the other: the same where it can be.
std::vector<Sides<std::size_t>> pair_zones(
    const JointSpace& space, const Sides<std::optional<std::vector<std::size_t>>>& sets) {
  std::vector<Sides<std::size_t>> pairs;
  if (!sets[0] || !sets[1]) {
    if (!sets[0] && !sets[1]) {
      for (std::size_t z = 0; z < space.zones.size(); ++z) pairs.push_back({z, z});
    } else {
      for (const std::size_t z : sets[0] ? *sets[0] : *sets[1]) pairs.push_back({z, z});
    }
    return pairs;
  }
  const auto has = [](const std::vector<std::size_t>& set, std::size_t z) {
    return std::ranges::find(set, z) != set.end();
  };
  for (const std::size_t before : *sets[0]) {
    for (const std::size_t after : *sets[1]) {
      const bool alone = !has(*sets[1], before) || !has(*sets[0], after);
      if (before == after || alone) pairs.push_back({before, after});
    }
  }
  return pairs;
}

void add_sources(const Sides<PolicySide>& sides, const JointSpace& space, const JointAtoms& atoms,
                 std::vector<JointSource>& out) {
  Sides<std::optional<std::vector<std::size_t>>> sets;
  for (const std::size_t side : {kBefore, kAfter}) {
    if (atoms.atom[side] != kNone) {
      sets[side] = source_zones(*sides[side].image, atoms.atom[side], space, side);
    }
  }
  for (const auto& pair : pair_zones(space, sets)) {
    JointSource source;
    source.families = atoms.families;
    source.ranges = atoms.ranges;
    for (const std::size_t side : {kBefore, kAfter}) {
      SourceSide& here = source.sides[side];
      here.atom = atoms.atom[side];
      here.space = space.space[side];
      here.zone = space.zones[pair[side]].zone[side];
      if (here.atom == kNone || here.zone.is_none()) continue;
      const Image& image = *sides[side].image;
      here.row = image.source_classes()[std::size_t{image.atoms()[here.atom].source_group} *
                                            image.meta().zone_columns +
                                        here.zone.index()];
      here.sender = {here.zone, false, image.atoms()[here.atom].translated != 0};
    }
    if (source.sides[0].row == kNone && source.sides[1].row == kNone) continue;
    // Both families at once where an egress covers both or none, on either side.
    JointSource v4 = source;
    JointSource v6 = source;
    bool alike = true;
    for (const std::size_t side : {kBefore, kAfter}) {
      const SourceSide& here = source.sides[side];
      if (here.row == kNone) continue;
      const Image& image = *sides[side].image;
      const image::SourceEgress by = image.egress_of(image.atoms()[here.atom].source_group,
                                                     here.zone.value());
      v4.sides[side].sender.egress = by.v4 != image::kNoEgress;
      v6.sides[side].sender.egress = by.v6 != image::kNoEgress;
      alike = alike && v4.sides[side].sender == v6.sides[side].sender;
    }
    if (alike) {
      out.push_back(v4);
      continue;
    }
    v4.families &= kHasV4;
    v6.families &= kHasV6;
    for (const JointSource& one : {v4, v6}) {
      if (one.families != 0) out.push_back(one);
    }
  }
}

// Spans of protocols and ports under the targets of both sides.
struct JointSlot {
  Sides<std::uint32_t> target{kNone, kNone};
  Families families{0};
  std::array<std::uint32_t, 2> keys{};
};

std::vector<JointSlot> join_slots(const Sides<PolicySide>& sides, const JointAtoms& atoms) {
  std::set<std::uint32_t> cuts;
  for (const std::size_t side : {kBefore, kAfter}) {
    if (atoms.atom[side] == kNone) continue;
    const Image& image = *sides[side].image;
    const image::PortMap& map = image.port_maps()[image.atoms()[atoms.atom[side]].port_map];
    for (std::uint32_t i = 0; i < map.breaks; ++i) {
      cuts.insert(image.port_breaks()[map.first_break + i].key);
    }
  }
  std::map<Sides<std::uint32_t>, JointSlot> slots;
  for (auto cut = cuts.begin(); cut != cuts.end(); ++cut) {
    const std::uint32_t end = std::next(cut) == cuts.end() ? kKeyEnd : *std::next(cut);
    Sides<std::uint32_t> target{kNone, kNone};
    for (const std::size_t side : {kBefore, kAfter}) {
      if (atoms.atom[side] == kNone) continue;
      const Image& image = *sides[side].image;
      target[side] = image.target_at(image.atoms()[atoms.atom[side]],
                                     static_cast<std::uint8_t>(*cut >> 16),
                                     static_cast<std::uint16_t>(*cut & 0xffff));
    }
    for (const Family family : {Family::kIpv4, Family::kIpv6}) {
      if ((atoms.families & bit_of(family)) == 0) continue;
      const auto key = first_packet_key(family, *cut, end);
      if (!key) continue;
      JointSlot& slot = slots[target];
      slot.target = target;
      const bool is_new = (slot.families & bit_of(family)) == 0;
      if (is_new || *key >> 16 == 6) slot.keys[index_of(family)] = *key;
      slot.families |= bit_of(family);
    }
  }
  std::vector<JointSlot> result;
  for (auto& [target, slot] : slots) result.push_back(slot);
  return result;
}

// The zones of the objects at a target; nothing where there is none.
std::optional<std::vector<std::size_t>> target_zones(const Image& image, std::uint32_t target,
                                                     const JointSpace& space, std::size_t side) {
  const std::uint16_t set = image.targets()[target].zone_set;
  if (set == image::kNoZoneSet) return std::nullopt;
  std::vector<std::size_t> numbers;
  for (std::size_t z = 0; z < space.zones.size(); ++z) {
    const ZoneId zone = space.zones[z].zone[side];
    if (zone.is_none()) continue;
    if ((image.zone_sets()[set].zones[zone.index() / 64] >> zone.index() % 64 & 1) != 0) {
      numbers.push_back(z);
    }
  }
  return numbers;
}

void add_targets(const Sides<PolicySide>& sides, const JointSpace& space, const JointAtoms& atoms,
                 std::vector<JointTarget>& out) {
  for (const JointSlot& slot : join_slots(sides, atoms)) {
    Sides<std::optional<std::vector<std::size_t>>> sets;
    for (const std::size_t side : {kBefore, kAfter}) {
      if (slot.target[side] != kNone) {
        sets[side] = target_zones(*sides[side].image, slot.target[side], space, side);
      }
    }
    const auto add = [&](std::size_t assumed) {
      JointTarget target;
      target.families = slot.families;
      target.ranges = atoms.ranges;
      target.keys = slot.keys;
      for (const std::size_t side : {kBefore, kAfter}) {
        TargetSide& here = target.sides[side];
        here.target = slot.target[side];
        here.space = space.space[side];
        if (here.target == kNone) continue;
        const Image& image = *sides[side].image;
        here.translated = image.atoms()[atoms.atom[side]].translated != 0;
        std::size_t column = image.meta().zone_columns - 1;
        if (!sets[side]) {
          here.zone = space.zones[assumed].zone[side];
          if (here.zone.is_none()) continue;
          column = here.zone.index();
        }
        here.column =
            image.target_classes()[std::size_t{here.target} * image.meta().zone_columns + column];
      }
      if (target.sides[0].column != kNone || target.sides[1].column != kNone) {
        out.push_back(target);
      }
    };
    if (sets[0] && sets[1]) {
      add(kNoZone);
    } else if (sets[0] || sets[1]) {
      for (const std::size_t z : sets[0] ? *sets[0] : *sets[1]) add(z);
    } else {
      for (std::size_t z = 0; z < space.zones.size(); ++z) add(z);
    }
  }
}

}  // namespace

JointPoints join(const Sides<PolicySide>& sides) {
  JointPoints points;
  for (const JointSpace& space : join_spaces(sides)) {
    for (const JointAtoms& atoms : join_atoms(sides, space)) {
      add_sources(sides, space, atoms, points.sources);
      add_targets(sides, space, atoms, points.targets);
    }
  }
  return points;
}

image::Isolation isolation_of(const Image& image, const Sender& from,
                              const TargetSide& to) noexcept {
  fastpath::Target target;
  target.has_translate = to.translated;
  target.number = to.target;
  target.assumed_zone = to.zone;
  return fastpath::isolate(image, from.subject(), target);
}

std::uint32_t isolation_key_of(const Image& image, const TargetSide& to) noexcept {
  if (to.column == kNone) return kNone;
  const std::uint32_t translated = to.translated ? 0x2'0000U : 0U;
  return translated |
         (to.zone.is_some() ? 0x1'0000U | to.zone.value() : image.targets()[to.target].zone_set);
}

}  // namespace meiguan::analysis
