#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <limits>

namespace meiguan {

// An index into one kind of table that cannot be mistaken for an index into another.
// `kNone` (the default value) means that there is no such object.
template <typename Tag, typename Rep = std::uint32_t>
class StrongId {
 public:
  using rep = Rep;

  constexpr StrongId() noexcept = default;
  constexpr explicit StrongId(Rep value) noexcept : value_{value} {}

  [[nodiscard]] constexpr Rep value() const noexcept { return value_; }
  [[nodiscard]] constexpr std::size_t index() const noexcept { return value_; }
  [[nodiscard]] constexpr bool is_none() const noexcept { return value_ == kNoneValue; }
  [[nodiscard]] constexpr bool is_some() const noexcept { return value_ != kNoneValue; }

  constexpr auto operator<=>(const StrongId&) const noexcept = default;

  static constexpr Rep kNoneValue = std::numeric_limits<Rep>::max();

 private:
  Rep value_{kNoneValue};
};

using NodeId = StrongId<struct NodeTag>;
using UnitId = StrongId<struct UnitTag>;
using ServiceId = StrongId<struct ServiceTag>;
using RuleId = StrongId<struct RuleTag>;
using ZoneId = StrongId<struct ZoneTag, std::uint16_t>;
using SpaceId = StrongId<struct SpaceTag, std::uint16_t>;  // 0 is the shared address space
using PortId = StrongId<struct PortTag, std::uint16_t>;

inline constexpr SpaceId kSharedSpace{0};

}  // namespace meiguan

template <typename Tag, typename Rep>
struct std::hash<meiguan::StrongId<Tag, Rep>> {
  std::size_t operator()(meiguan::StrongId<Tag, Rep> id) const noexcept {
    return std::hash<Rep>{}(id.value());
  }
};
