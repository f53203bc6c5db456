#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <vector>

#include "dataplane/base/strong_id.h"
#include "dataplane/net/address.h"

namespace meiguan::policy {

// The address after `address`; nothing after the last of all. After the last of IPv4 it is no
// address of that family, and greater than all of them.
[[nodiscard]] std::optional<net::Address> next_address(const net::Address& address);

// The prefixes of all units, sorted so that a prefix comes before those nested in it, and who owns
// which address: the unit with the longest prefix.
class PrefixIndex {
 public:
  static constexpr std::uint32_t kNone = 0xffff'ffff;

  struct Entry {
    SpaceId space;
    net::Prefix prefix;
    UnitId unit;
    NodeId node;                 // the unit's
    std::uint32_t number{0};     // of the prefix within its unit
    std::uint32_t outer{kNone};  // the nearest entry that this one is nested in
  };

  // Units are added in ascending order, and of each its prefixes by their numbers.
  void add(SpaceId space, const net::Prefix& prefix, UnitId unit, NodeId node,
           std::uint32_t number) {
    entries_.push_back({space, prefix, unit, node, number, kNone});
  }

  struct Duplicate {
    Entry first;   // the one that stays, added earlier
    Entry second;  // left out
  };
  // Ends the adding. Where a prefix was added twice the first stays.
  [[nodiscard]] std::vector<Duplicate> build();

  [[nodiscard]] const std::vector<Entry>& entries() const noexcept { return entries_; }

  // The units that own an address, in no order, some more than once.
  [[nodiscard]] std::vector<UnitId> owners() const;

  // The longest entry that holds all of `prefix`, or kNone.
  [[nodiscard]] std::uint32_t longest_cover(SpaceId space, const net::Prefix& prefix) const;

  // Calls `visit` with every unit that owns an address from `first` until before `end` (nothing: to
  // the end of the family), and with none where one has no owner; it goes on while that is true.
  template <typename Visit>
  void for_each_owner(SpaceId space, const net::Address& first,
                      const std::optional<net::Address>& end, Visit&& visit) const {
    const net::Family family = first.family();
    const auto owner = [&](std::uint32_t entry) {
      return entry == kNone ? UnitId{} : entries_[entry].unit;
    };
    const auto is_of_table = [&](const Segment& s) {
      return s.space == space && s.family == family;
    };
    std::size_t i = segment_of(space, family, first);
    const bool is_inside = i > 0 && is_of_table(segments_[i - 1]);
    bool go_on = visit(is_inside ? owner(segments_[i - 1].owner) : UnitId{});
    for (; go_on && i < segments_.size() && is_of_table(segments_[i]); ++i) {
      if (end && segments_[i].start >= *end) return;
      go_on = visit(owner(segments_[i].owner));
    }
  }

  // An entry that owns an address of `prefix` and whose unit's node is not in [first, end); nothing
  // where there is none. In logarithmic time.
  [[nodiscard]] std::optional<Entry> owner_outside(SpaceId space, const net::Prefix& prefix,
                                                   NodeId first, std::uint32_t end) const;

 private:
  // From `start` to the next segment's start every address has the same owner.
  struct Segment {
    SpaceId space;
    net::Family family;
    net::Address start;
    std::uint32_t owner;  // entry or kNone
  };
  // The entries of least and of greatest node among the owners of a row of segments.
  struct Extremes {
    std::uint32_t least{kNone};
    std::uint32_t greatest{kNone};
  };

  void find_outer();
  void build_segments();
  void build_extremes();
  void start_segment(SpaceId space, const net::Address& start, std::uint32_t owner,
                     net::Family family);
  [[nodiscard]] std::size_t segment_of(SpaceId space, net::Family family,
                                       const net::Address& address) const;
  [[nodiscard]] Extremes merge(const Extremes& a, const Extremes& b) const;

  std::vector<Entry> entries_;
  std::vector<Segment> segments_;
  std::vector<Extremes> extremes_;  // a binary tree over the segments, leaves in the second half
};

}  // namespace meiguan::policy
