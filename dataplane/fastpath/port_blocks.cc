#include "dataplane/fastpath/port_blocks.h"

#include <algorithm>

namespace meiguan::fastpath {
namespace {

constexpr std::uint32_t kWellKnown = 1024;  // the ports below are a range of their own (RFC 4787)

}  // namespace

PortBlocks::PortBlocks(const PortBlockOptions& options, const HashSeed& seed)
    : options_{options},
      seed_{seed},
      state_{seed.keys[4]},
      blocks_(std::max(options.blocks, 1U)),
      addresses_(std::max(options.addresses, 1U)),
      by_inside_(std::bit_ceil(blocks_.size()), kNone),
      by_outside_(std::bit_ceil(addresses_.size()), kNone) {}

std::uint64_t PortBlocks::random() noexcept {
  state_ += 0x9e37'79b9'7f4a'7c15;
  return fold_multiply(state_ ^ seed_.keys[0], seed_.keys[1]) ^
         fold_multiply(state_, seed_.keys[3]);
}

std::uint64_t PortBlocks::choose(const net::Address& inside, std::uint16_t space,
                                 std::uint64_t count) noexcept {
  constexpr HashSeed kSeed = HashSeed::from(5);
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(inside.bytes());
  const std::uint64_t hash = fold_multiply(words[0] ^ kSeed.keys[0], words[1] ^ kSeed.keys[1]);
  return (fold_multiply(hash ^ kSeed.keys[2], space ^ kSeed.keys[3]) >> 32) * count >> 32;
}

std::uint32_t PortBlocks::slot_of(const net::Address& address, std::uint16_t space,
                                  std::size_t slots) const noexcept {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  const std::uint64_t hash = fold_multiply(words[0] ^ seed_.keys[0], words[1] ^ seed_.keys[1]) +
                             space * seed_.keys[2];
  return static_cast<std::uint32_t>(fold_multiply(hash, seed_.keys[3]) & (slots - 1));
}

std::uint32_t PortBlocks::first_of(const net::Address& inside, std::uint16_t space) const noexcept {
  std::uint32_t number = by_inside_[slot_of(inside, space, by_inside_.size())];
  while (number != kNone && (blocks_[number].inside != inside || blocks_[number].space != space)) {
    number = blocks_[number].next;
  }
  return number;
}

std::uint32_t PortBlocks::next_of(std::uint32_t number) const noexcept {
  const PortBlock& block = blocks_[number];
  std::uint32_t next = block.next;
  while (next != kNone &&
         (blocks_[next].inside != block.inside || blocks_[next].space != block.space)) {
    next = blocks_[next].next;
  }
  return next;
}

std::uint32_t PortBlocks::find_address(const net::Address& outside) const noexcept {
  std::uint32_t number = by_outside_[slot_of(outside, 0, by_outside_.size())];
  while (number != kNone && addresses_[number].address != outside) number = addresses_[number].next;
  return number;
}

std::uint32_t PortBlocks::add_address(const net::Address& outside) noexcept {
  std::uint32_t number = free_address_;
  if (number != kNone) {
    free_address_ = addresses_[number].next;
  } else if (used_addresses_ != addresses_.size()) {
    number = used_addresses_++;
  } else {
    return kNone;
  }
  std::uint32_t& head = by_outside_[slot_of(outside, 0, by_outside_.size())];
  addresses_[number] = PoolAddress{};
  addresses_[number].address = outside;
  addresses_[number].next = head;
  head = number;
  return number;
}

void PortBlocks::drop_address(std::uint32_t number) noexcept {
  std::uint32_t* link = &by_outside_[slot_of(addresses_[number].address, 0, by_outside_.size())];
  while (*link != number) link = &addresses_[*link].next;
  *link = addresses_[number].next;
  addresses_[number].next = free_address_;
  free_address_ = number;
}

// The first unit of a free block, looked for from a random place on. Blocks are aligned to their
// size, so that none crosses a boundary of kMostBlockPorts and each has one owner.
std::optional<std::uint32_t> PortBlocks::free_unit(const PoolAddress* at, const BlockShape& shape,
                                                   bool low) noexcept {
  const std::uint32_t width = shape.block_ports / kUnit;
  const std::uint32_t first = low ? shape.first_port
                                  : std::max<std::uint32_t>(shape.first_port, kWellKnown);
  const std::uint32_t last = low ? std::min<std::uint32_t>(shape.last_port, kWellKnown - 1)
                                 : shape.last_port;
  if (first > last) return std::nullopt;
  const std::uint32_t first_block = first / shape.block_ports;
  const std::uint32_t count = last / shape.block_ports - first_block + 1;
  const auto start = static_cast<std::uint32_t>((random() >> 32) * count >> 32);
  const std::uint64_t whole = (std::uint64_t{1} << width) - 1;
  for (std::uint32_t i = 0; i < count; ++i) {
    const std::uint32_t block = first_block + (start + i < count ? start + i : start + i - count);
    const std::uint32_t unit = block * width;
    if (owner_of_port(static_cast<std::uint16_t>(unit * kUnit), options_.workers) !=
        options_.worker) {
      continue;
    }
    if (at == nullptr || (at->taken[unit / 64] >> unit % 64 & whole) == 0) return unit;
  }
  return std::nullopt;
}

std::uint32_t PortBlocks::take(const net::Address& inside, std::uint16_t space,
                               const net::Address& outside, const BlockShape& shape,
                               bool low) noexcept {
  if (free_ == kNone && used_ == blocks_.size()) return kNone;
  std::uint32_t address = find_address(outside);
  const auto unit = free_unit(address != kNone ? &addresses_[address] : nullptr, shape, low);
  if (!unit) return kNone;
  if (address == kNone) address = add_address(outside);
  if (address == kNone) return kNone;
  PoolAddress& pool = addresses_[address];
  ++pool.blocks;
  const std::uint32_t width = shape.block_ports / kUnit;
  pool.taken[*unit / 64] |= ((std::uint64_t{1} << width) - 1) << *unit % 64;

  std::uint32_t number = free_;
  if (number != kNone) {
    free_ = blocks_[number].next;
  } else {
    number = used_++;
  }
  ++live_;
  std::uint32_t& head = by_inside_[slot_of(inside, space, by_inside_.size())];
  PortBlock& block = blocks_[number];
  block = PortBlock{};
  block.inside = inside;
  block.outside = outside;
  block.space = space;
  block.first_port = static_cast<std::uint16_t>(*unit * kUnit);
  block.ports = shape.block_ports;
  block.next = head;
  block.address = address;
  head = number;
  // What lies outside the range is taken from the beginning; so is port 0.
  for (std::uint32_t i = 0; i < block.ports; ++i) {
    const std::uint32_t port = std::uint32_t{block.first_port} + i;
    if (port != 0 && port >= shape.first_port && port <= shape.last_port) continue;
    for (auto& taken : block.taken) taken[i / 64] |= std::uint64_t{1} << i % 64;
  }
  return number;
}

void PortBlocks::give_back(std::uint32_t number) noexcept {
  PortBlock& block = blocks_[number];
  PoolAddress& pool = addresses_[block.address];
  const std::uint32_t unit = block.first_port / kUnit;
  pool.taken[unit / 64] &= ~(((std::uint64_t{1} << block.ports / kUnit) - 1) << unit % 64);
  if (--pool.blocks == 0) drop_address(block.address);
  std::uint32_t* link = &by_inside_[slot_of(block.inside, block.space, by_inside_.size())];
  while (*link != number) link = &blocks_[*link].next;
  *link = block.next;
  block.next = free_;
  free_ = number;
  --live_;
  ++returns_;
}

std::optional<std::uint16_t> PortBlocks::take_port(std::uint32_t number, PortKind kind,
                                                   std::uint16_t wanted, bool parity) noexcept {
  constexpr std::uint64_t kEven = 0x5555'5555'5555'5555;
  PortBlock& block = blocks_[number];
  auto& taken = block.taken[static_cast<std::size_t>(kind)];
  const std::uint32_t words = block.ports / 64U;
  const std::uint64_t right = !parity ? ~std::uint64_t{0} : (wanted & 1) != 0 ? ~kEven : kEven;
  const std::uint64_t chance = random();
  const auto start_word = static_cast<std::uint32_t>(chance >> 32) & (words - 1);
  const auto start_bit = static_cast<unsigned>(chance & 63);
  for (std::uint32_t i = 0; i <= words; ++i) {
    const std::uint32_t word = (start_word + i) & (words - 1);
    std::uint64_t free = ~taken[word] & right;
    // The first word is looked at twice: from the start bit on, and at the end before it.
    if (i == 0) free &= ~std::uint64_t{0} << start_bit;
    if (free == 0) continue;
    const auto bit = static_cast<unsigned>(std::countr_zero(free));
    taken[word] |= std::uint64_t{1} << bit;
    ++block.used[static_cast<std::size_t>(kind)];
    return static_cast<std::uint16_t>(block.first_port + word * 64 + bit);
  }
  return std::nullopt;
}

void PortBlocks::give_port(std::uint32_t number, PortKind kind, std::uint16_t port) noexcept {
  PortBlock& block = blocks_[number];
  const std::uint32_t at = std::uint32_t{port} - block.first_port;
  block.taken[static_cast<std::size_t>(kind)][at / 64] &= ~(std::uint64_t{1} << at % 64);
  --block.used[static_cast<std::size_t>(kind)];
}

}  // namespace meiguan::fastpath
