#pragma once

// Two policies' packets at once: every set of packets that neither of them tells apart. Zones and
// private address spaces are matched by the zones' ids; what only one policy has, the other drops.

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "controlplane/analysis/atom_ranges.h"
#include "controlplane/analysis/reach.h"
#include "controlplane/policy/catalog.h"
#include "dataplane/image/reader.h"

namespace meiguan::analysis {

// The two sides of a comparison.
inline constexpr std::size_t kBefore = 0;
inline constexpr std::size_t kAfter = 1;
template <typename T>
using Sides = std::array<T, 2>;

struct PolicySide {
  const image::Image* image{nullptr};
  const policy::Catalog* catalog{nullptr};
};

// Some addresses of one family, of one atom on each side.
struct JointRange {
  net::Address first;
  net::Address last;
};

// Where a source stands on one side.
struct SourceSide {
  std::uint32_t atom{image::kNone};  // kNone: the address space does not exist there
  std::uint32_t row{image::kNone};   // kNone: neither does the zone
  SpaceId space;
  ZoneId zone;
  Sender sender;
};

struct JointSource {
  Sides<SourceSide> sides;
  Families families{0};
  std::array<JointRange, 2> ranges;  // one of IPv4, one of IPv6, where it has such addresses
};

struct TargetSide {
  std::uint32_t target{image::kNone};  // kNone: the address space does not exist there
  std::uint32_t column{image::kNone};  // kNone: neither does the zone
  SpaceId space;
  ZoneId zone;  // assumed, where there is no object; else none
  bool translated{false};
};

struct JointTarget {
  Sides<TargetSide> sides;
  Families families{0};
  std::array<JointRange, 2> ranges;
  std::array<std::uint32_t, 2> keys{};  // protocol << 16 | value, by family
};

[[nodiscard]] constexpr std::size_t index_of(net::Family family) noexcept {
  return family == net::Family::kIpv4 ? 0 : 1;
}

struct JointPoints {
  std::vector<JointSource> sources;
  std::vector<JointTarget> targets;
};

[[nodiscard]] JointPoints join(const Sides<PolicySide>& sides);

// As Reach::isolation and Reach::isolation_key, of one side.
[[nodiscard]] image::Isolation isolation_of(const image::Image& image, const Sender& from,
                                            const TargetSide& to) noexcept;
[[nodiscard]] std::uint32_t isolation_key_of(const image::Image& image,
                                             const TargetSide& to) noexcept;

}  // namespace meiguan::analysis
