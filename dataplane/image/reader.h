#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "dataplane/base/result.h"
#include "dataplane/image/format.h"
#include "dataplane/image/moment.h"

namespace meiguan::image {

// Longest-prefix tries for routes, and the records that they lead to. Roots of objects are those of
// the image; nodes and leaves of routes satisfy what Image::open checks.
struct RouteTables {
  std::span<const SpaceRecord> spaces;
  std::span<const TrieNode> nodes;
  std::span<const TrieEntry> entries;
  std::span<const RouteRecord> routes;
};

// A validated view of an image's bytes; it owns nothing. `open()` checks everything that an
// accessor relies on, so that no look-up can leave the bytes or fail to end.
class Image {
 public:
  // `bytes` must be 64-byte aligned and outlive the view. Errors: not an image, another version,
  // cut short, a wrong checksum, any index out of range; the message names what.
  [[nodiscard]] static Result<Image> open(std::span<const std::byte> bytes);

  [[nodiscard]] const Meta& meta() const noexcept { return *meta_; }
  [[nodiscard]] std::span<const std::byte> bytes() const noexcept { return bytes_; }
  [[nodiscard]] std::uint64_t checksum() const noexcept { return header().checksum; }

  [[nodiscard]] std::span<const ZoneRecord> zones() const noexcept { return zones_; }
  [[nodiscard]] std::span<const SpaceRecord> spaces() const noexcept { return spaces_; }
  // What an address space is known by from one policy to the next, where its number is not.
  [[nodiscard]] std::span<const std::uint64_t> space_keys() const noexcept { return space_keys_; }
  [[nodiscard]] std::span<const ZoneSet> zone_sets() const noexcept { return zone_sets_; }
  [[nodiscard]] std::span<const TrieNode> trie_nodes() const noexcept { return trie_nodes_; }
  [[nodiscard]] std::span<const TrieEntry> trie_entries() const noexcept { return trie_entries_; }
  [[nodiscard]] std::span<const Atom> atoms() const noexcept { return atoms_; }
  [[nodiscard]] std::span<const UnitRecord> units() const noexcept { return units_; }
  [[nodiscard]] std::span<const ServiceRecord> services() const noexcept { return services_; }
  [[nodiscard]] std::span<const RuleRecord> rules() const noexcept { return rules_; }
  [[nodiscard]] std::span<const TerminalSlot> terminals() const noexcept { return terminals_; }
  [[nodiscard]] std::span<const std::uint32_t> source_classes() const noexcept {
    return source_classes_;
  }
  [[nodiscard]] std::span<const PortMap> port_maps() const noexcept { return port_maps_; }
  [[nodiscard]] std::span<const PortBreak> port_breaks() const noexcept { return port_breaks_; }
  [[nodiscard]] std::span<const TargetRecord> targets() const noexcept { return targets_; }
  [[nodiscard]] std::span<const std::uint32_t> target_classes() const noexcept {
    return target_classes_;
  }
  [[nodiscard]] std::span<const OutcomeRecord> outcomes() const noexcept { return outcomes_; }
  [[nodiscard]] std::span<const AuditRecord> audit_rules() const noexcept { return audit_rules_; }
  [[nodiscard]] std::span<const Branch> branches() const noexcept { return branches_; }
  [[nodiscard]] std::span<const Cell> cells() const noexcept { return cells_; }
  [[nodiscard]] std::span<const UtcOffset> utc_offsets() const noexcept { return utc_offsets_; }
  [[nodiscard]] std::span<const ScheduleRecord> schedules() const noexcept { return schedules_; }
  [[nodiscard]] std::span<const std::int32_t> schedule_dates() const noexcept {
    return schedule_dates_;
  }
  [[nodiscard]] std::span<const ConditionRecord> conditions() const noexcept { return conditions_; }
  [[nodiscard]] std::span<const PortRecord> ports() const noexcept { return ports_; }
  [[nodiscard]] std::span<const PortAddress> port_addresses(const PortRecord& port) const noexcept {
    return port_addresses_.subspan(port.first_address, port.addresses);
  }
  [[nodiscard]] std::span<const RouteRecord> routes() const noexcept { return routes_; }
  [[nodiscard]] std::span<const NeighbourRecord> neighbours() const noexcept { return neighbours_; }
  [[nodiscard]] std::span<const LocalService> local_services() const noexcept {
    return local_services_;
  }

  // Translations, limits and time-outs; see format_nat.h and format_limits.h.
  [[nodiscard]] std::span<const NatPrefix> nat_prefixes() const noexcept { return nat_prefixes_; }
  [[nodiscard]] std::span<const PublishRecord> publishes() const noexcept { return publishes_; }
  [[nodiscard]] std::span<const PublishEndpoint> publish_endpoints() const noexcept {
    return publish_endpoints_;
  }
  [[nodiscard]] std::span<const EgressRecord> egresses() const noexcept { return egresses_; }
  [[nodiscard]] std::span<const PoolRecord> pools() const noexcept { return pools_; }
  [[nodiscard]] std::span<const NptRecord> npt_prefixes() const noexcept { return npt_prefixes_; }
  [[nodiscard]] std::span<const TranslateRecord> translates() const noexcept { return translates_; }
  [[nodiscard]] std::span<const LimitRecord> limits() const noexcept { return limits_; }
  [[nodiscard]] std::span<const TimeoutRecord> timeouts() const noexcept { return timeouts_; }
  [[nodiscard]] const GatewayLimits& gateway_limits() const noexcept { return *gateway_limits_; }
  // The egress that covers the sources of a group that come in by a zone column, by family.
  [[nodiscard]] SourceEgress egress_of(std::uint32_t source_group,
                                       std::uint32_t column) const noexcept {
    if (source_egress_.empty()) return {kNoEgress, kNoEgress};
    return source_egress_[std::size_t{source_group} * meta_->zone_columns + column];
  }
  [[nodiscard]] bool has_egress() const noexcept { return !source_egress_.empty(); }
  // Whether any service has a helper.
  [[nodiscard]] bool has_helpers() const noexcept { return has_helpers_; }

  // The objects at an address; every address has an atom.
  [[nodiscard]] const Atom& atom_at(SpaceId space, const net::Address& address) const noexcept;
  // Whether `source` may reach that of the machine itself by `port`; `port_or_type` is nothing of a
  // packet that has none.
  [[nodiscard]] bool offers(PortId port, const net::Address& source, std::uint8_t protocol,
                            std::optional<std::uint16_t> port_or_type) const noexcept;
  // The longest matching route, or null.
  [[nodiscard]] const RouteRecord* route_to(SpaceId space,
                                            const net::Address& address) const noexcept;
  // Visits every leaf of the routes of a space: the first bytes that its addresses have in common,
  // the others zero (of IPv4 there are 4), and the route's number. A route may have many.
  template <typename Visit>
  void each_route(SpaceId space, net::Family family, Visit&& visit) const {
    const SpaceRecord& roots = spaces_[space.index()];
    std::array<std::uint8_t, 16> key{};
    each_leaf(family == net::Family::kIpv4 ? roots.routes_v4 : roots.routes_v6, key, visit);
  }
  // This image with other routes, which must outlive it.
  [[nodiscard]] Image with_routes(const RouteTables& tables) const noexcept;
  // The terminal registered at an address, or null.
  [[nodiscard]] const TerminalSlot* terminal_at(SpaceId space,
                                                const net::Address& address) const noexcept;
  // The number of the target that `atom` has for a key of its port map.
  [[nodiscard]] std::uint32_t target_at(const Atom& atom, std::uint8_t protocol,
                                        std::uint16_t value) const noexcept;
  [[nodiscard]] std::uint32_t blocks_per_row() const noexcept {
    return (meta_->target_classes + kBlockColumns - 1) / kBlockColumns;
  }
  // The number of a block of the matrix: columns [64 x `block`, 64 x (`block` + 1)) of a row. Equal
  // numbers, equal cells.
  [[nodiscard]] std::uint32_t block(std::uint32_t source_class,
                                    std::uint32_t block) const noexcept {
    const std::uint32_t stripe =
        rows_[std::size_t{source_class} * meta_->stripes_per_row + block / kStripeBlocks];
    return stripes_[std::size_t{stripe} * kStripeBlocks + block % kStripeBlocks];
  }
  // The cell of the matrix.
  [[nodiscard]] Cell cell(std::uint32_t source_class, std::uint32_t target_class) const noexcept;
  // What a cell says at a moment of this image.
  [[nodiscard]] const OutcomeRecord& outcome(Cell cell, const Moment& moment) const noexcept {
    while ((cell & kBranchBit) != 0) [[unlikely]] {
        const Branch& branch = branches_[cell & ~kBranchBit];
        cell = moment.holds(branch.condition) ? branch.when_holds : branch.otherwise;
      }
    return outcomes_[cell];
  }
  [[nodiscard]] Isolation port_isolation(ZoneId from, ZoneId to) const noexcept;
  [[nodiscard]] Isolation object_isolation(ZoneId from, std::uint16_t zone_set) const noexcept;
  // The sub-port of `port` for `vlan`, or none.
  [[nodiscard]] PortId sub_port(PortId port, std::uint16_t vlan) const noexcept;

 private:
  Image() = default;
  friend class Validator;  // the only maker

  [[nodiscard]] const FileHeader& header() const noexcept;
  [[nodiscard]] static std::uint32_t find(std::span<const TrieNode> nodes,
                                          std::span<const TrieEntry> entries, TrieEntry root,
                                          const net::Address& address) noexcept;
  // Depth is at most the key's bytes, so that recursion is bounded.
  template <typename Visit>
  void each_leaf(TrieEntry entry, std::array<std::uint8_t, 16>& key, Visit& visit) const {
    if ((entry & kLeafBit) != 0) {
      if ((entry & ~kLeafBit) != kNoRoute) visit(key, entry & ~kLeafBit);
      return;
    }
    const TrieNode& node = route_nodes_[entry];
    each_leaf(node.miss, key, visit);
    for (std::size_t i = node.skip; i < node.depth; ++i) key[i] = node.path[i];
    for (std::uint32_t i = 0; i < kTrieFanout; ++i) {
      key[node.depth] = static_cast<std::uint8_t>(i);
      each_leaf(route_entries_[node.entries + i], key, visit);
    }
    for (std::size_t i = node.skip; i <= node.depth; ++i) key[i] = 0;
  }

  std::span<const std::byte> bytes_;
  const Meta* meta_{};
  std::span<const ZoneRecord> zones_;
  std::span<const SpaceRecord> spaces_;
  std::span<const std::uint64_t> space_keys_;
  std::span<const ZoneSet> zone_sets_;
  std::span<const std::uint8_t> object_isolation_;
  std::span<const std::uint8_t> port_isolation_;
  std::span<const TrieNode> trie_nodes_;
  std::span<const TrieEntry> trie_entries_;
  std::span<const TrieNode> route_nodes_;  // of the tries of routes: the same, or with_routes()'s
  std::span<const TrieEntry> route_entries_;
  std::span<const Atom> atoms_;
  std::span<const UnitRecord> units_;
  std::span<const ServiceRecord> services_;
  std::span<const RuleRecord> rules_;
  std::span<const TerminalSlot> terminals_;
  std::span<const std::uint32_t> source_classes_;
  std::span<const PortMap> port_maps_;
  std::span<const PortBreak> port_breaks_;
  std::span<const TargetRecord> targets_;
  std::span<const std::uint32_t> target_classes_;
  std::span<const std::uint32_t> rows_;
  std::span<const std::uint32_t> stripes_;
  std::span<const Cell> cells_;
  std::span<const Branch> branches_;
  std::span<const OutcomeRecord> outcomes_;
  std::span<const AuditRecord> audit_rules_;
  std::span<const UtcOffset> utc_offsets_;
  std::span<const ScheduleRecord> schedules_;
  std::span<const std::int32_t> schedule_dates_;
  std::span<const ConditionRecord> conditions_;
  std::span<const PortRecord> ports_;
  std::span<const PortAddress> port_addresses_;
  std::span<const RouteRecord> routes_;
  std::span<const NeighbourRecord> neighbours_;
  std::span<const LocalService> local_services_;
  std::span<const NatPrefix> nat_prefixes_;
  std::span<const PublishRecord> publishes_;
  std::span<const PublishEndpoint> publish_endpoints_;
  std::span<const EgressRecord> egresses_;
  std::span<const PoolRecord> pools_;
  std::span<const NptRecord> npt_prefixes_;
  std::span<const SourceEgress> source_egress_;
  std::span<const TranslateRecord> translates_;
  std::span<const LimitRecord> limits_;
  std::span<const TimeoutRecord> timeouts_;
  const GatewayLimits* gateway_limits_{};
  bool has_helpers_{false};
};

// The hash by which TerminalSlots are placed; shared by the writer and `terminal_at`.
[[nodiscard]] std::uint64_t terminal_hash(SpaceId space, const net::Address& address) noexcept;

}  // namespace meiguan::image
