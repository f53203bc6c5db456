#pragma once

// What makes two packets of one flow, and its hash, which is equal for both directions.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "dataplane/net/address.h"

namespace meiguan::fastpath {

// A packet's own view of its flow: its source first. The flow's record holds the initiator's view.
struct FlowKey {
  net::Address source;
  net::Address destination;
  std::uint16_t source_port{0};  // ICMP queries: the identifier in both; no ports: 0
  std::uint16_t destination_port{0};
  std::uint16_t space{0};
  std::uint8_t protocol{0};
  std::uint8_t query{0};  // ICMP: the type of the query that opens the flow, else 0

  using Words = std::array<std::uint64_t, 5>;
  [[nodiscard]] Words words() const noexcept { return std::bit_cast<Words>(*this); }
  // One of them, by a load of its own: one of 16 bytes stalls behind the stores of 8 bytes that
  // have just made a key.
  [[nodiscard]] std::uint64_t word(std::size_t i) const noexcept {
    std::uint64_t word;
    std::memcpy(&word, reinterpret_cast<const unsigned char*>(this) + i * sizeof word, sizeof word);
    return word;
  }
};
static_assert(sizeof(FlowKey) == 40 && std::has_unique_object_representations_v<FlowKey>);

// The key of what the other end answers. `turn` writes it where it is to be: through a copy, what
// has just been stored in parts would be loaded whole.
inline void turn(const FlowKey& key, FlowKey& back) noexcept {
  back.source = key.destination;
  back.destination = key.source;
  back.source_port = key.destination_port;
  back.destination_port = key.source_port;
  back.space = key.space;
  back.protocol = key.protocol;
  back.query = key.query;
}
[[nodiscard]] inline FlowKey turned(const FlowKey& key) noexcept {
  FlowKey back;
  turn(key, back);
  return back;
}
// The same in every field.
[[nodiscard]] inline bool equal(const FlowKey& a, const FlowKey& b) noexcept {
  return ((a.word(0) ^ b.word(0)) | (a.word(1) ^ b.word(1)) | (a.word(2) ^ b.word(2)) |
          (a.word(3) ^ b.word(3)) | (a.word(4) ^ b.word(4))) == 0;
}

// The directions in which a packet may match a record, as bits. An ICMP request belongs to the
// initiator and a reply to the responder; everything else may come from either end.
namespace match {
inline constexpr std::uint8_t kInitiator = 1;
inline constexpr std::uint8_t kResponder = 2;
inline constexpr std::uint8_t kEither = 3;
}  // namespace match

// The last word of a key, in which the two ports have changed places.
[[nodiscard]] constexpr std::uint64_t with_ports_turned(std::uint64_t word) noexcept {
  constexpr unsigned kShift = std::endian::native == std::endian::little ? 0 : 32;
  const auto ports = static_cast<std::uint32_t>(word >> kShift);
  return (word & ~(std::uint64_t{0xffff'ffff} << kShift)) | std::uint64_t{std::rotl(ports, 16)}
                                                                << kShift;
}

// Which of the directions `packet` and `record` agree in: match::kInitiator where they are equal,
// match::kResponder where one is the other turned round.
[[nodiscard]] inline std::uint8_t matches(const FlowKey& packet, const FlowKey& record) noexcept {
  const std::uint64_t source = packet.word(0);
  const std::uint64_t source_low = packet.word(1);
  const std::uint64_t destination = packet.word(2);
  const std::uint64_t destination_low = packet.word(3);
  const std::uint64_t rest = packet.word(4);
  const std::uint64_t same = (source ^ record.word(0)) | (source_low ^ record.word(1)) |
                             (destination ^ record.word(2)) | (destination_low ^ record.word(3)) |
                             (rest ^ record.word(4));
  const std::uint64_t opposite = (source ^ record.word(2)) | (source_low ^ record.word(3)) |
                                 (destination ^ record.word(0)) |
                                 (destination_low ^ record.word(1)) |
                                 (with_ports_turned(rest) ^ record.word(4));
  return static_cast<std::uint8_t>((same == 0 ? match::kInitiator : 0) |
                                   (opposite == 0 ? match::kResponder : 0));
}

// Secret numbers that make the hash unpredictable to whoever chooses addresses and ports.
struct HashSeed {
  std::array<std::uint64_t, 5> keys{};

  // Spreads one random number over the keys (SplitMix64).
  [[nodiscard]] static constexpr HashSeed from(std::uint64_t random) noexcept {
    HashSeed seed;
    for (std::uint64_t& key : seed.keys) {
      random += 0x9e37'79b9'7f4a'7c15;
      std::uint64_t z = random;
      z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9;
      z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11eb;
      key = (z ^ (z >> 31)) | 1;
    }
    return seed;
  }
};

[[nodiscard]] inline std::uint64_t fold_multiply(std::uint64_t a, std::uint64_t b) noexcept {
  __extension__ using Wide = unsigned __int128;
  const Wide product = static_cast<Wide>(a) * b;
  return static_cast<std::uint64_t>(product) ^ static_cast<std::uint64_t>(product >> 64);
}

// Symmetric: each end is hashed by itself and the two are put together by operations that do not
// mind the order. Ports enter by a secret factor, so that no choice of address cancels one.
[[nodiscard]] inline std::uint64_t flow_hash(const FlowKey& key, const HashSeed& seed) noexcept {
  const std::uint64_t one = fold_multiply(key.word(0) ^ seed.keys[0], key.word(1) ^ seed.keys[1]) +
                            key.source_port * seed.keys[2];
  const std::uint64_t two = fold_multiply(key.word(2) ^ seed.keys[0], key.word(3) ^ seed.keys[1]) +
                            key.destination_port * seed.keys[2];
  const std::uint64_t kind = std::uint64_t{key.space} << 16 |
                             static_cast<std::uint64_t>(key.protocol) << 8 | key.query;
  return fold_multiply((one + two) ^ seed.keys[3], (one ^ two) + (kind ^ seed.keys[4]));
}

}  // namespace meiguan::fastpath
