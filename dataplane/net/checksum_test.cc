#include "dataplane/net/checksum.h"

#include <boost/test/unit_test.hpp>

#include <random>
#include <vector>

namespace meiguan::net {
namespace {

// The definition, word by word in network order (RFC 1071 section 1).
std::uint16_t naive(std::span<const std::uint8_t> bytes) {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < bytes.size(); i += 2) {
    const unsigned low = i + 1 < bytes.size() ? bytes[i + 1] : 0;
    sum += static_cast<std::uint32_t>(bytes[i] << 8) | low;
    sum = (sum & 0xffff) + (sum >> 16);
  }
  return static_cast<std::uint16_t>(~sum);
}

// RFC 1071 section 3.
BOOST_AUTO_TEST_CASE(the_example_of_rfc_1071) {
  const std::vector<std::uint8_t> bytes{0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7};
  BOOST_TEST(checksum(bytes).host() == static_cast<std::uint16_t>(~0xddf2));
}

BOOST_AUTO_TEST_CASE(agrees_with_the_definition) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  for (int round = 0; round < 2000; ++round) {
    std::vector<std::uint8_t> bytes(random() % 100);
    const bool ones = round % 10 == 0;  // where carries are
    for (auto& byte : bytes) byte = ones ? 0xff : static_cast<std::uint8_t>(random());
    BOOST_TEST(checksum(bytes).host() == naive(bytes), "seed " << seed << " round " << round);
  }
}

// RFC 1624 section 4: the update equals the computation anew, also at the corners.
BOOST_AUTO_TEST_CASE(an_update_equals_a_new_computation) {
  const unsigned seed = std::random_device{}();
  std::mt19937 random{seed};
  for (int round = 0; round < 5000; ++round) {
    Ipv4Header header{};
    std::uint8_t raw[sizeof header];
    for (auto& byte : raw) byte = static_cast<std::uint8_t>(random());
    std::memcpy(&header, raw, sizeof header);
    header.checksum = Be16{};
    std::memcpy(raw, &header, sizeof header);
    header.checksum = checksum(raw);
    BOOST_TEST(checksum_holds(header), "seed " << seed);

    const auto before = static_cast<std::uint16_t>(header.ttl << 8 | header.protocol);
    --header.ttl;
    const auto after = static_cast<std::uint16_t>(header.ttl << 8 | header.protocol);
    header.checksum = update_checksum(header.checksum, Be16::from_host(before),
                                      Be16::from_host(after));
    BOOST_TEST(checksum_holds(header), "seed " << seed);
    header.checksum = Be16::from_host(static_cast<std::uint16_t>(header.checksum.host() + 1));
    BOOST_TEST(!checksum_holds(header), "seed " << seed);
  }
}

}  // namespace
}  // namespace meiguan::net
