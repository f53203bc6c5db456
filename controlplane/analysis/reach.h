#pragma once

// The packets of an image, as sets that the rules cannot tell apart: policy.md section 7 says over
// which sources and destinations statements about the whole range, and here they are counted out.
//
//   a source       an address of a unit in its unit's zone; of a service but no unit, in the zones
//                  of the services there; of neither, in any zone of its address space
//   a destination  an address, protocol and port with the objects there; where there is none, in
//                  any zone of its address space
//
// Ports, routes and admission play no part: zones are those of the objects, as `explain` asks
// without a gateway, by fastpath::isolate and fastpath::decide.

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "controlplane/analysis/atom_ranges.h"
#include "dataplane/fastpath/decide.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

// Bits: which families of addresses there are.
using Families = std::uint8_t;
inline constexpr Families kHasV4 = 1;
inline constexpr Families kHasV6 = 2;
[[nodiscard]] constexpr Families bit_of(net::Family family) noexcept {
  return family == net::Family::kIpv4 ? kHasV4 : kHasV6;
}

// What isolation asks of a source: where it stands, and what covers it.
struct Sender {
  ZoneId zone;
  bool egress{false};      // an [[egress]], of the packet's family of addresses
  bool translated{false};  // a [[translate]]
  auto operator<=>(const Sender&) const = default;
  [[nodiscard]] fastpath::Subject subject() const noexcept;
};

// Addresses of one atom, sending from one zone; those of both families together where an egress
// covers both or none.
struct SourcePoint {
  std::uint32_t atom{0};
  std::uint32_t row{0};
  SpaceId space;
  ZoneId zone;
  Families families{0};
  Sender sender;
};

// Addresses of one atom with some protocols and ports, at which the objects are the same.
struct TargetPoint {
  std::uint32_t atom{0};
  std::uint32_t target{0};
  std::uint32_t column{0};
  SpaceId space;
  ZoneId zone;             // assumed, where there is no object; else none
  Families families{0};    // in which a first packet can go there
  bool translated{false};  // a [[translate]] covers it
};

// The zones of the services at an atom, whatever the port.
[[nodiscard]] std::vector<ZoneId> service_zones(const image::Image& image, const image::Atom& atom);

class Reach {
 public:
  // `image` must outlive it.
  explicit Reach(const image::Image& image);

  [[nodiscard]] const image::Image& image() const noexcept { return image_; }
  [[nodiscard]] const std::vector<SourcePoint>& sources() const noexcept { return sources_; }
  [[nodiscard]] const std::vector<TargetPoint>& targets() const noexcept { return targets_; }

  // What isolation says by the objects, or the zones assumed for them.
  [[nodiscard]] image::Isolation isolation(const Sender& from,
                                           const TargetPoint& to) const noexcept;
  // Equal for targets of which isolation says the same, from wherever.
  [[nodiscard]] std::uint32_t isolation_key(const TargetPoint& to) const noexcept;
  // The addresses of an atom; empty where it has none of that family in that space.
  [[nodiscard]] std::span<const AtomRange> ranges(SpaceId space, net::Family family,
                                                  std::uint32_t atom) const;
  // The registered terminals of a unit that admits no other addresses.
  [[nodiscard]] std::span<const net::Address> terminals(UnitId unit) const;
  // A key with which a first packet of that family reaches the target point.
  [[nodiscard]] std::optional<std::uint32_t> key(const TargetPoint& to, net::Family family) const;

 private:
  void add_sources(SpaceId space, std::uint32_t atom, Families families);
  void add_targets(SpaceId space, std::uint32_t atom, Families families);
  [[nodiscard]] std::vector<ZoneId> zones_of(SpaceId space) const;

  const image::Image& image_;
  std::vector<SourcePoint> sources_;
  std::vector<TargetPoint> targets_;
  // By space and family: all ranges by atom.
  std::map<std::pair<SpaceId, net::Family>, std::vector<AtomRange>> ranges_;
  std::map<UnitId, std::vector<net::Address>> terminals_;
  // By port map and family, then slot: a key, or none.
  std::map<std::pair<std::uint32_t, net::Family>, std::vector<std::optional<std::uint32_t>>> keys_;
  [[nodiscard]] const std::vector<std::optional<std::uint32_t>>& slot_keys(std::uint32_t port_map,
                                                                           net::Family family,
                                                                           std::size_t slots);
};

}  // namespace meiguan::analysis
