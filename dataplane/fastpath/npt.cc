#include "dataplane/fastpath/npt.h"

#include <array>

namespace meiguan::fastpath {
namespace {

using Words = std::array<std::uint16_t, 8>;

Words words_of(const net::Address& address) noexcept {
  Words words;
  for (std::size_t i = 0; i < 8; ++i) {
    words[i] = static_cast<std::uint16_t>(address.bytes()[2 * i] << 8 | address.bytes()[2 * i + 1]);
  }
  return words;
}

constexpr std::uint16_t add(std::uint32_t a, std::uint32_t b) noexcept {
  const std::uint32_t sum = a + b;
  return static_cast<std::uint16_t>((sum & 0xffff) + (sum >> 16));
}

// The one's complement sum of the first `length` bits.
std::uint16_t sum_of_prefix(const Words& words, std::uint8_t length) noexcept {
  std::uint16_t sum = 0;
  for (unsigned i = 0; i * 16 < length; ++i) {
    const unsigned bits = length - i * 16 < 16 ? length - i * 16 : 16;
    sum = add(sum, words[i] & (0xffff0000U >> bits & 0xffff));
  }
  return sum;
}

}  // namespace

std::optional<net::Address> translate_prefix(const net::Address& address, const net::Address& from,
                                             const net::Address& to, std::uint8_t length) noexcept {
  Words words = words_of(address);
  const Words outside = words_of(to);
  // What the prefixes differ by has to be taken away elsewhere.
  const auto complement = static_cast<std::uint16_t>(~sum_of_prefix(outside, length));
  const std::uint16_t adjustment = add(sum_of_prefix(words_of(from), length), complement);
  for (unsigned i = 0; i * 16 < length; ++i) {
    const unsigned bits = length - i * 16 < 16 ? length - i * 16 : 16;
    const unsigned mask = 0xffff0000U >> bits & 0xffff;
    words[i] = static_cast<std::uint16_t>((outside[i] & mask) | (words[i] & ~mask & 0xffff));
  }
  std::size_t at = 3;
  if (length > 48) {
    for (at = 4; at < 8 && words[at] == 0xffff; ++at) {
    }
    if (at == 8) return std::nullopt;
  } else if (words[3] == 0xffff) {
    return std::nullopt;  // section 3.4: such a subnet cannot be told from 0x0000
  }
  words[at] = add(words[at], adjustment);
  if (words[at] == 0xffff) words[at] = 0;  // the two zeros of the sum are one word
  std::array<std::uint8_t, 16> bytes;
  for (std::size_t i = 0; i < 8; ++i) {
    bytes[2 * i] = static_cast<std::uint8_t>(words[i] >> 8);
    bytes[2 * i + 1] = static_cast<std::uint8_t>(words[i]);
  }
  return net::Address::v6(bytes);
}

}  // namespace meiguan::fastpath
