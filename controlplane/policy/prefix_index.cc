#include "controlplane/policy/prefix_index.h"

#include <algorithm>
#include <array>
#include <tuple>

namespace meiguan::policy {
namespace {

auto order(const PrefixIndex::Entry& e) {
  return std::tuple(e.space, e.prefix.family(), e.prefix.address(), e.prefix.length());
}

bool covers(const PrefixIndex::Entry& outer, SpaceId space, const net::Prefix& prefix) {
  return outer.space == space && outer.prefix.contains(prefix);
}

}  // namespace

std::optional<net::Address> next_address(const net::Address& address) {
  std::array<std::uint8_t, 16> bytes = address.bytes();
  for (std::size_t i = bytes.size(); i-- > 0;) {
    if (++bytes[i] != 0) return net::Address::v6(bytes);
  }
  return std::nullopt;
}

std::vector<PrefixIndex::Duplicate> PrefixIndex::build() {
  // Equal prefixes stay in the order of the adding, which is that of units and their lists.
  std::sort(entries_.begin(), entries_.end(), [](const Entry& a, const Entry& b) {
    return std::tuple(order(a), a.unit, a.number) < std::tuple(order(b), b.unit, b.number);
  });
  std::vector<Duplicate> duplicates;
  std::vector<Entry> unique;
  unique.reserve(entries_.size());
  for (const Entry& entry : entries_) {
    if (!unique.empty() && order(unique.back()) == order(entry)) {
      duplicates.push_back({unique.back(), entry});
    } else {
      unique.push_back(entry);
    }
  }
  entries_ = std::move(unique);
  find_outer();
  build_segments();
  build_extremes();
  return duplicates;
}

void PrefixIndex::find_outer() {
  for (std::uint32_t i = 1; i < entries_.size(); ++i) {
    std::uint32_t outer = i - 1;
    while (outer != kNone && !covers(entries_[outer], entries_[i].space, entries_[i].prefix)) {
      outer = entries_[outer].outer;
    }
    entries_[i].outer = outer;
  }
}

void PrefixIndex::start_segment(SpaceId space, const net::Address& start, std::uint32_t owner,
                                net::Family family) {
  if (!segments_.empty()) {
    Segment& last = segments_.back();
    if (last.space == space && last.family == family && last.start == start) {
      last.owner = owner;
      return;
    }
  }
  segments_.push_back({space, family, start, owner});
}

void PrefixIndex::build_segments() {
  std::vector<std::uint32_t> open;  // entries whose end is still to come, innermost last
  const auto close = [&] {
    const Entry& entry = entries_[open.back()];
    open.pop_back();
    if (const auto next = next_address(entry.prefix.last())) {
      start_segment(entry.space, *next, open.empty() ? kNone : open.back(), entry.prefix.family());
    }
  };
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    const Entry& entry = entries_[i];
    while (!open.empty() && open.back() != entry.outer) close();
    start_segment(entry.space, entry.prefix.address(), i, entry.prefix.family());
    open.push_back(i);
  }
  while (!open.empty()) close();
}

PrefixIndex::Extremes PrefixIndex::merge(const Extremes& a, const Extremes& b) const {
  const auto pick = [&](std::uint32_t x, std::uint32_t y, bool least) {
    if (x == kNone || y == kNone) return x == kNone ? y : x;
    const bool less = entries_[x].node < entries_[y].node;
    return less == least ? x : y;
  };
  return {pick(a.least, b.least, true), pick(a.greatest, b.greatest, false)};
}

void PrefixIndex::build_extremes() {
  const std::size_t count = segments_.size();
  extremes_.assign(2 * count, {});
  for (std::size_t i = 0; i < count; ++i) {
    extremes_[count + i] = {segments_[i].owner, segments_[i].owner};
  }
  for (std::size_t i = count; i-- > 1;) {
    extremes_[i] = merge(extremes_[2 * i], extremes_[2 * i + 1]);
  }
}

std::vector<UnitId> PrefixIndex::owners() const {
  std::vector<UnitId> units;
  for (const Segment& segment : segments_) {
    if (segment.owner != kNone) units.push_back(entries_[segment.owner].unit);
  }
  return units;
}

std::uint32_t PrefixIndex::longest_cover(SpaceId space, const net::Prefix& prefix) const {
  const Entry key{space, prefix, {}, {}, 0, kNone};
  const auto after = std::upper_bound(entries_.begin(), entries_.end(), key,
                                      [](const Entry& a, const Entry& b) {
                                        return order(a) < order(b);
                                      });
  if (after == entries_.begin()) return kNone;
  auto i = static_cast<std::uint32_t>(after - entries_.begin() - 1);
  while (i != kNone && !covers(entries_[i], space, prefix)) i = entries_[i].outer;
  return i;
}

// The number of the first segment that begins after `address`.
std::size_t PrefixIndex::segment_of(SpaceId space, net::Family family,
                                    const net::Address& address) const {
  const auto it = std::upper_bound(segments_.begin(), segments_.end(),
                                   std::tuple(space, family, address),
                                   [](const auto& key, const Segment& s) {
                                     return key < std::tuple(s.space, s.family, s.start);
                                   });
  return static_cast<std::size_t>(it - segments_.begin());
}

std::optional<PrefixIndex::Entry> PrefixIndex::owner_outside(SpaceId space,
                                                             const net::Prefix& prefix,
                                                             NodeId first,
                                                             std::uint32_t end) const {
  std::size_t from = segment_of(space, prefix.family(), prefix.address());
  const std::size_t to = segment_of(space, prefix.family(), prefix.last());
  // The segment that began before the prefix reaches into it, if it is of the same table.
  if (from > 0 && segments_[from - 1].space == space &&
      segments_[from - 1].family == prefix.family()) {
    --from;
  }
  Extremes found;
  const std::size_t count = segments_.size();
  for (std::size_t left = from + count, right = to + count; left < right; left /= 2, right /= 2) {
    if (left % 2 == 1) found = merge(found, extremes_[left++]);
    if (right % 2 == 1) found = merge(found, extremes_[--right]);
  }
  if (found.least != kNone && entries_[found.least].node < first) return entries_[found.least];
  if (found.greatest != kNone && entries_[found.greatest].node.value() >= end) {
    return entries_[found.greatest];
  }
  return std::nullopt;
}

}  // namespace meiguan::policy
