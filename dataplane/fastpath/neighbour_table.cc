#include "dataplane/fastpath/neighbour_table.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <random>
#include <vector>

#include "dataplane/fastpath/flow_key.h"
#include "dataplane/fastpath/prefetch.h"

// Open addressing over slots of half a cache line. A slot's word is epoch << 56 | state << 48 |
// MAC. A reader takes the word, compares the key (`find`), and takes the word again (`mac`): where
// it has the same epoch, the key was that of the MAC (a sequence lock whose number is in the word).

namespace meiguan::fastpath {
namespace {

enum class State : std::uint8_t { kEmpty, kLeft, kUsed };

constexpr std::uint64_t make_word(std::uint8_t epoch, State state, std::uint64_t mac) noexcept {
  return std::uint64_t{epoch} << 56 | static_cast<std::uint64_t>(state) << 48 | mac;
}
constexpr std::uint8_t epoch_of(std::uint64_t word) noexcept {
  return static_cast<std::uint8_t>(word >> 56);
}
constexpr State state_of(std::uint64_t word) noexcept {
  return static_cast<State>(word >> 48 & 0xff);
}

std::uint64_t pack(const net::MacAddress& mac) noexcept {
  std::uint64_t packed = 0;
  std::memcpy(&packed, mac.data(), mac.size());
  if constexpr (std::endian::native == std::endian::big) packed >>= 16;
  return packed;
}
net::MacAddress unpack(std::uint64_t packed) noexcept {
  net::MacAddress mac;
  if constexpr (std::endian::native == std::endian::big) packed <<= 16;
  std::memcpy(mac.data(), &packed, mac.size());
  return mac;
}

struct Key {
  std::uint64_t high;
  std::uint64_t low;
  std::uint64_t port;
};
Key key_of(PortId port, const net::Address& address) noexcept {
  const auto words = std::bit_cast<std::array<std::uint64_t, 2>>(address.bytes());
  return {words[0], words[1], port.value()};
}

}  // namespace

struct NeighbourTable::Impl {
  struct alignas(32) Slot {
    std::atomic<std::uint64_t> word{0};
    std::atomic<std::uint64_t> high{0};
    std::atomic<std::uint64_t> low{0};
    std::atomic<std::uint64_t> port{0};

    [[nodiscard]] bool holds(const Key& key) const noexcept {
      return low.load(std::memory_order_relaxed) == key.low &&
             high.load(std::memory_order_relaxed) == key.high &&
             port.load(std::memory_order_relaxed) == key.port;
    }
  };
  static_assert(sizeof(Slot) == 32);

  explicit Impl(std::uint32_t wanted)
      : capacity{std::bit_ceil(std::clamp(wanted, 1U, 1U << 20))},
        mask{capacity * 2 - 1},
        slots(std::size_t{capacity} * 2) {
    std::random_device random;
    seed = HashSeed::from(std::uint64_t{random()} << 32 | random());
  }

  [[nodiscard]] std::uint32_t first(const Key& key) const noexcept {
    const std::uint64_t hash = fold_multiply(key.high ^ seed.keys[0], key.low ^ seed.keys[1]) +
                               key.port * seed.keys[2];
    return static_cast<std::uint32_t>(fold_multiply(hash, seed.keys[3])) & mask;
  }

  std::uint32_t capacity;
  std::uint32_t mask;
  std::vector<Slot> slots;
  HashSeed seed;
  std::uint32_t size{0};
};

NeighbourTable::NeighbourTable(std::uint32_t capacity) : impl_{new Impl{capacity}} {}
NeighbourTable::~NeighbourTable() { delete impl_; }

std::uint32_t NeighbourTable::size() const noexcept { return impl_->size; }

void NeighbourTable::prefetch(PortId port, const net::Address& address) const noexcept {
  fastpath::prefetch(&impl_->slots[impl_->first(key_of(port, address))]);
}

NeighbourRef NeighbourTable::find(PortId port, const net::Address& address) const noexcept {
  const Key key = key_of(port, address);
  std::uint32_t index = impl_->first(key);
  // At most half of the slots hold a neighbour; the bound is for slots that were left.
  for (std::uint32_t step = 0; step <= impl_->mask; ++step, index = (index + 1) & impl_->mask) {
    const Impl::Slot& slot = impl_->slots[index];
    // Acquire: the key's loads come after, and see what was stored before this word.
    const std::uint64_t word = slot.word.load(std::memory_order_acquire);
    if (state_of(word) == State::kEmpty) return kNoNeighbour;
    if (state_of(word) == State::kUsed && slot.holds(key)) {
      // Orders the key's loads before the load of the word in `mac`: had the key been of a later
      // epoch than `word`, that load would see it.
      std::atomic_thread_fence(std::memory_order_acquire);
      return std::uint32_t{epoch_of(word)} << 24 | index;
    }
  }
  return kNoNeighbour;
}

std::optional<net::MacAddress> NeighbourTable::mac(NeighbourRef ref) const noexcept {
  if (ref == kNoNeighbour) return std::nullopt;
  const std::uint64_t word = impl_->slots[ref & 0xff'ffff & impl_->mask].word.load(
      std::memory_order_acquire);
  if (state_of(word) != State::kUsed || epoch_of(word) != ref >> 24) return std::nullopt;
  return unpack(word & 0xffff'ffff'ffff);
}

bool NeighbourTable::set(PortId port, const net::Address& address,
                         const net::MacAddress& mac) noexcept {
  const Key key = key_of(port, address);
  const std::uint32_t start = impl_->first(key);
  Impl::Slot* place = nullptr;
  std::uint32_t index = start;
  for (std::uint32_t step = 0; step <= impl_->mask; ++step, index = (index + 1) & impl_->mask) {
    Impl::Slot& slot = impl_->slots[index];
    const std::uint64_t word = slot.word.load(std::memory_order_relaxed);
    if (state_of(word) == State::kUsed) {
      if (!slot.holds(key)) continue;
      slot.word.store(make_word(epoch_of(word), State::kUsed, pack(mac)),
                      std::memory_order_release);
      return true;
    }
    if (place == nullptr) place = &slot;
    if (state_of(word) == State::kEmpty) break;
  }
  if (place == nullptr || impl_->size == impl_->capacity) return false;
  const std::uint8_t epoch = epoch_of(place->word.load(std::memory_order_relaxed));
  // Whoever sees a part of the new key sees that the old one has left.
  std::atomic_thread_fence(std::memory_order_release);
  place->high.store(key.high, std::memory_order_relaxed);
  place->low.store(key.low, std::memory_order_relaxed);
  place->port.store(key.port, std::memory_order_relaxed);
  // Release: whoever sees the slot in use sees its key.
  place->word.store(make_word(epoch, State::kUsed, pack(mac)), std::memory_order_release);
  ++impl_->size;
  return true;
}

void NeighbourTable::forget(PortId port, const net::Address& address) noexcept {
  const NeighbourRef ref = find(port, address);
  if (ref == kNoNeighbour) return;
  std::uint32_t index = ref & 0xff'ffff;
  const auto epoch = static_cast<std::uint8_t>((ref >> 24) + 1);
  impl_->slots[index].word.store(make_word(epoch, State::kLeft, 0), std::memory_order_release);
  --impl_->size;
  // Left slots at the end of a run are as good as empty; without this, searches would grow for
  // ever.
  const auto word_at = [this](std::uint32_t i) {
    return impl_->slots[i & impl_->mask].word.load(std::memory_order_relaxed);
  };
  if (state_of(word_at(index + 1)) != State::kEmpty) return;
  while (state_of(word_at(index)) == State::kLeft) {
    impl_->slots[index].word.store(make_word(epoch_of(word_at(index)), State::kEmpty, 0),
                                   std::memory_order_release);
    index = (index - 1) & impl_->mask;
  }
}

}  // namespace meiguan::fastpath
