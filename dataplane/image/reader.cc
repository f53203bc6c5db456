#include "dataplane/image/reader.h"

#include <algorithm>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace meiguan::image {

const FileHeader& Image::header() const noexcept {
  // open() checked the size and the alignment.
  return *reinterpret_cast<const FileHeader*>(bytes_.data());
}

std::uint32_t Image::find(std::span<const TrieNode> nodes, std::span<const TrieEntry> entries,
                          TrieEntry root, const net::Address& address) noexcept {
  const std::uint8_t* key = address.wire();
  TrieEntry entry = root;
  while ((entry & kLeafBit) == 0) {
    const TrieNode& node = nodes[entry];
    for (std::uint8_t i = node.skip; i < node.depth; ++i) {
      if (key[i] != node.path[i]) return node.miss & ~kLeafBit;
    }
    entry = entries[node.entries + key[node.depth]];
  }
  return entry & ~kLeafBit;
}

const Atom& Image::atom_at(SpaceId space, const net::Address& address) const noexcept {
  const SpaceRecord& roots = spaces_[space.index()];
  return atoms_[find(trie_nodes_, trie_entries_,
                     address.family() == net::Family::kIpv4 ? roots.objects_v4 : roots.objects_v6,
                     address)];
}

const RouteRecord* Image::route_to(SpaceId space, const net::Address& address) const noexcept {
  const SpaceRecord& roots = spaces_[space.index()];
  const std::uint32_t number =
      find(route_nodes_, route_entries_,
           address.family() == net::Family::kIpv4 ? roots.routes_v4 : roots.routes_v6, address);
  return number == kNoRoute ? nullptr : &routes_[number];
}

Image Image::with_routes(const RouteTables& tables) const noexcept {
  Image image = *this;
  image.spaces_ = tables.spaces;
  image.route_nodes_ = tables.nodes;
  image.route_entries_ = tables.entries;
  image.routes_ = tables.routes;
  return image;
}

bool Image::offers(PortId port, const net::Address& source, std::uint8_t protocol,
                   std::optional<std::uint16_t> port_or_type) const noexcept {
  return std::ranges::any_of(local_services_, [&](const LocalService& service) {
    if (service.port != port.value() || service.from.family() != source.family()) return false;
    if (service.protocol != 0 && service.protocol != protocol) return false;
    const bool fits = port_or_type ? *port_or_type >= service.first && *port_or_type <= service.last
                                   : service.whole != 0;
    return fits && net::Prefix::around(service.from, service.length).contains(source);
  });
}

const TerminalSlot* Image::terminal_at(SpaceId space, const net::Address& address) const noexcept {
  if (terminals_.empty()) return nullptr;
  const std::size_t mask = terminals_.size() - 1;
  // The validator saw an empty slot, so that the probe ends.
  for (std::size_t i = terminal_hash(space, address) & mask;; i = (i + 1) & mask) {
    const TerminalSlot& slot = terminals_[i];
    if (slot.unit == kNone) return nullptr;
    if (slot.space == space.value() && slot.address == address) return &slot;
  }
}

std::uint32_t Image::target_at(const Atom& atom, std::uint8_t protocol,
                               std::uint16_t value) const noexcept {
  const PortMap& map = port_maps_[atom.port_map];
  const std::uint32_t key = std::uint32_t{protocol} << 16 | value;
  const std::span<const PortBreak> breaks = port_breaks_.subspan(map.first_break, map.breaks);
  // The first break has key 0, so that there is one at or before any key.
  const auto after = std::ranges::upper_bound(breaks, key, {}, &PortBreak::key);
  return atom.first_target + (after - 1)->slot;
}

Cell Image::cell(std::uint32_t source_class, std::uint32_t target_class) const noexcept {
  return cells_[std::size_t{block(source_class, target_class / kBlockColumns)} * kBlockColumns +
                target_class % kBlockColumns];
}

Isolation Image::port_isolation(ZoneId from, ZoneId to) const noexcept {
  return Isolation{port_isolation_[from.index() * zones_.size() + to.index()]};
}

Isolation Image::object_isolation(ZoneId from, std::uint16_t zone_set) const noexcept {
  return Isolation{object_isolation_[from.index() * zone_sets_.size() + zone_set]};
}

PortId Image::sub_port(PortId port, std::uint16_t vlan) const noexcept {
  for (std::size_t i = 0; i < ports_.size(); ++i) {
    if (ports_[i].parent == port.value() && ports_[i].vlan == vlan && vlan != 0) {
      return PortId{static_cast<std::uint16_t>(i)};
    }
  }
  return PortId{};
}

std::uint64_t terminal_hash(SpaceId space, const net::Address& address) noexcept {
  return XXH3_64bits_withSeed(address.bytes().data(), address.bytes().size(), space.value());
}

}  // namespace meiguan::image
