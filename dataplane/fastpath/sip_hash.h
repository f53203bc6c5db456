#pragma once

// SipHash-2-4 (Aumasson and Bernstein, 2012): a keyed hash that nobody without the key can predict,
// for what an attacker gets to see.

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <span>

namespace meiguan::fastpath {

using SipKey = std::array<std::uint64_t, 2>;

// Of whole words, as if they were their bytes in little-endian order.
template <std::size_t N>
[[nodiscard]] constexpr std::uint64_t sip_hash(const SipKey& key,
                                               const std::array<std::uint64_t, N>& words) noexcept {
  std::uint64_t v0 = key[0] ^ 0x736f'6d65'7073'6575;
  std::uint64_t v1 = key[1] ^ 0x646f'7261'6e64'6f6d;
  std::uint64_t v2 = key[0] ^ 0x6c79'6765'6e65'7261;
  std::uint64_t v3 = key[1] ^ 0x7465'6462'7974'6573;
  const auto round = [&] {
    v0 += v1;
    v1 = std::rotl(v1, 13) ^ v0;
    v0 = std::rotl(v0, 32);
    v2 += v3;
    v3 = std::rotl(v3, 16) ^ v2;
    v0 += v3;
    v3 = std::rotl(v3, 21) ^ v0;
    v2 += v1;
    v1 = std::rotl(v1, 17) ^ v2;
    v2 = std::rotl(v2, 32);
  };
  const auto absorb = [&](std::uint64_t word) {
    v3 ^= word;
    round();
    round();
    v0 ^= word;
  };
  for (const std::uint64_t word : words) absorb(word);
  absorb(std::uint64_t{N * 8 & 0xff} << 56);
  v2 ^= 0xff;
  for (int i = 0; i < 4; ++i) round();
  return v0 ^ v1 ^ v2 ^ v3;
}

}  // namespace meiguan::fastpath
