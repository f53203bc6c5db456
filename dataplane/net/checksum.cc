#include "dataplane/net/checksum.h"

namespace meiguan::net {

std::uint64_t sum_words(std::span<const std::uint8_t> bytes, std::uint64_t sum) noexcept {
  // 32-bit words into 64 bits: no carry is lost below 2^32 words.
  const std::uint8_t* at = bytes.data();
  std::size_t left = bytes.size();
  for (; left >= 4; at += 4, left -= 4) {
    std::uint32_t word;
    std::memcpy(&word, at, 4);
    sum += word;
  }
  if (left != 0) {
    std::uint32_t word = 0;
    std::memcpy(&word, at, left);
    sum += word;
  }
  return sum;
}

std::uint64_t sum_pseudo_header(Family family, const Address& source, const Address& destination,
                                std::uint8_t protocol, std::uint32_t length) noexcept {
  const std::size_t skip = family == Family::kIpv4 ? 12 : 0;
  std::uint64_t sum = sum_words(std::span{source.bytes()}.subspan(skip));
  sum = sum_words(std::span{destination.bytes()}.subspan(skip), sum);
  const Be32 tail[2] = {Be32::from_host(length), Be32::from_host(protocol)};
  std::uint8_t raw[sizeof tail];
  std::memcpy(raw, tail, sizeof tail);
  return sum_words(raw, sum);
}

}  // namespace meiguan::net
