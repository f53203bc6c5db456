#pragma once

// The isolation table of the policy language (section 4): what may pass from one zone to another
// before any rule is asked, and what no rule can lift.

#include <array>
#include <cstddef>
#include <cstdint>

namespace meiguan::image {

enum class ZoneKind : std::uint8_t {
  kInternet,
  kDmz,
  kExtranet,
  kExchange,
  kPrivate,
  kManagement,
};
inline constexpr std::size_t kZoneKinds = 6;

// An answer of the table. Answers are combined by OR: each bit only ever takes away.
//   none of the bits   the rules decide
//   kService           an allow that does not name the destination by service is passed over
//   kPublish           and the service that the deciding rule names must have `publish = true`
//   kEgress            an [[egress]] must cover the source
//   kZoneIsolated      dropped
//   kInternetIsolated  dropped, one side being the internet
//   kTranslateFrom     a [[translate]] must cover the source, which is in a private zone
//   kTranslateTo       a [[translate]] must cover the destination, which is in one
struct Isolation {
  static constexpr std::uint8_t kService = 1;
  static constexpr std::uint8_t kPublish = 2;
  static constexpr std::uint8_t kEgress = 4;
  static constexpr std::uint8_t kZoneIsolated = 8;
  static constexpr std::uint8_t kInternetIsolated = 16;
  static constexpr std::uint8_t kTranslateFrom = 32;
  static constexpr std::uint8_t kTranslateTo = 64;
  static constexpr std::uint8_t kDropped = kZoneIsolated | kInternetIsolated;

  std::uint8_t bits{0};

  [[nodiscard]] constexpr bool dropped() const noexcept { return (bits & kDropped) != 0; }
  [[nodiscard]] constexpr bool service() const noexcept { return (bits & kService) != 0; }
  [[nodiscard]] constexpr bool publish() const noexcept { return (bits & kPublish) != 0; }
  [[nodiscard]] constexpr bool egress() const noexcept { return (bits & kEgress) != 0; }
  constexpr bool operator==(const Isolation&) const noexcept = default;
};

// The cell of row `from` and column `to`. `same_zone` tells two zones of kind private apart from
// one and the same; it has no meaning for the other kinds.
[[nodiscard]] constexpr Isolation isolation(ZoneKind from, ZoneKind to, bool same_zone) noexcept {
  constexpr Isolation kRules{0};
  constexpr Isolation kService{Isolation::kService};
  constexpr Isolation kPublish{Isolation::kService | Isolation::kPublish};
  constexpr Isolation kEgress{Isolation::kEgress};
  constexpr Isolation kZone{Isolation::kZoneIsolated};
  constexpr Isolation kNet{Isolation::kInternetIsolated};
  constexpr std::array<std::array<Isolation, kZoneKinds>, kZoneKinds> kTable{{
      // internet, dmz,      extranet, exchange, private,  management
      {kNet, kPublish, kNet, kNet, kNet, kNet},             // internet
      {kEgress, kRules, kService, kZone, kZone, kZone},     // dmz
      {kEgress, kService, kRules, kService, kZone, kZone},  // extranet
      {kNet, kZone, kService, kRules, kService, kZone},     // exchange
      {kNet, kZone, kZone, kService, kRules, kZone},        // private (to private: the same zone)
      {kNet, kZone, kZone, kZone, kZone, kRules},           // management
  }};
  if (from == ZoneKind::kPrivate && to == ZoneKind::kPrivate && !same_zone) return kZone;
  return kTable[static_cast<std::size_t>(from)][static_cast<std::size_t>(to)];
}

// The same for two zones of a policy. From one address space to another nothing passes but by a
// [[translate]]; of any two spaces between which the table lets something by, one is the shared
// one.
[[nodiscard]] constexpr Isolation isolation(ZoneKind from, ZoneKind to, bool same_zone,
                                            bool same_space) noexcept {
  Isolation answer = isolation(from, to, same_zone);
  if (!same_space && !answer.dropped()) {
    answer.bits |= from == ZoneKind::kPrivate ? Isolation::kTranslateFrom : Isolation::kTranslateTo;
  }
  return answer;
}

}  // namespace meiguan::image
