#include "dataplane/fastpath/mapping_table.h"

#include <algorithm>
#include <array>
#include <bit>

namespace meiguan::fastpath {

MappingTable::MappingTable(std::uint32_t capacity, const HashSeed& seed)
    : seed_{seed},
      capacity_{std::max(capacity, 1U)},
      mask_{std::bit_ceil(capacity_) - 1},
      mappings_(capacity_),
      by_inside_(std::size_t{mask_} + 1, kNone),
      by_outside_(std::size_t{mask_} + 1, kNone),
      queue_(capacity_, kNone) {}

std::uint32_t MappingTable::slot(const net::Address& address, std::uint16_t port,
                                 std::uint16_t space, PortKind kind) const noexcept {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  const std::uint64_t rest = std::uint64_t{port} << 32 | std::uint64_t{space} << 8 |
                             static_cast<std::uint64_t>(kind);
  const std::uint64_t hash = fold_multiply(words[0] ^ seed_.keys[0], words[1] ^ seed_.keys[1]);
  return static_cast<std::uint32_t>(fold_multiply(hash ^ seed_.keys[3], rest ^ seed_.keys[4])) &
         mask_;
}

std::uint32_t MappingTable::find_inside(const net::Address& inside, std::uint16_t port,
                                        std::uint16_t space, PortKind kind) const noexcept {
  std::uint32_t number = by_inside_[slot(inside, port, space, kind)];
  for (; number != kNone; number = mappings_[number].next_inside) {
    const Mapping& m = mappings_[number];
    if (m.inside == inside && m.inside_port == port && m.space == space && m.kind == kind) break;
  }
  return number;
}

std::uint32_t MappingTable::find_outside(const net::Address& outside, std::uint16_t port,
                                         PortKind kind) const noexcept {
  std::uint32_t number = by_outside_[slot(outside, port, 0, kind)];
  for (; number != kNone; number = mappings_[number].next_outside) {
    const Mapping& m = mappings_[number];
    if (m.outside == outside && m.outside_port == port && m.kind == kind) break;
  }
  return number;
}

std::uint32_t MappingTable::add(const Mapping& ends, FlowTime now) noexcept {
  std::uint32_t number = free_;
  if (number != kNone) {
    free_ = mappings_[number].next_inside;
  } else if (used_ != capacity_) {
    number = used_++;
  } else {
    return kNone;
  }
  ++live_;
  Mapping& m = mappings_[number];
  m = ends;
  std::uint32_t& inside = by_inside_[slot(m.inside, m.inside_port, m.space, m.kind)];
  m.next_inside = inside;
  inside = number;
  std::uint32_t& outside = by_outside_[slot(m.outside, m.outside_port, 0, m.kind)];
  m.next_outside = outside;
  outside = number;
  push(number, now);  // until a flow uses it
  return number;
}

void MappingTable::push(std::uint32_t number, FlowTime now) noexcept {
  Mapping& m = mappings_[number];
  m.unused_since = now;
  if ((m.marks & Mapping::kWaits) != 0) {
    m.marks |= Mapping::kAgain;
    return;
  }
  m.marks |= Mapping::kWaits;
  const std::uint64_t at = std::uint64_t{queue_head_} + waiting_++;
  queue_[at < capacity_ ? at : at - capacity_] = number;
}

void MappingTable::pop() noexcept {
  Mapping& m = mappings_[queue_[queue_head_]];
  m.marks = static_cast<std::uint8_t>(m.marks & ~(Mapping::kWaits | Mapping::kAgain));
  queue_head_ = queue_head_ + 1 == capacity_ ? 0 : queue_head_ + 1;
  --waiting_;
}

void MappingTable::unuse(std::uint32_t number, FlowTime now) noexcept {
  if (--mappings_[number].flows == 0) push(number, now);
}

void MappingTable::retire(std::uint32_t number) noexcept {
  Mapping& m = mappings_[number];
  if ((m.marks & Mapping::kRetired) != 0) return;
  m.marks |= Mapping::kRetired;
  std::uint32_t* link = &by_inside_[slot(m.inside, m.inside_port, m.space, m.kind)];
  while (*link != number) link = &mappings_[*link].next_inside;
  *link = m.next_inside;
}

void MappingTable::remove(std::uint32_t number) noexcept {
  retire(number);
  Mapping& m = mappings_[number];
  std::uint32_t* link = &by_outside_[slot(m.outside, m.outside_port, 0, m.kind)];
  while (*link != number) link = &mappings_[*link].next_outside;
  *link = m.next_outside;
  m.next_inside = free_;
  free_ = number;
  --live_;
}

}  // namespace meiguan::fastpath
