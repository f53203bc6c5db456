#include "dataplane/fastpath/neighbour_table.h"

#include <boost/test/unit_test.hpp>

#include <atomic>
#include <map>
#include <random>
#include <thread>

namespace meiguan::fastpath {
namespace {

net::MacAddress mac_of(std::uint32_t n) {
  return {2,
          0,
          static_cast<std::uint8_t>(n >> 24),
          static_cast<std::uint8_t>(n >> 16),
          static_cast<std::uint8_t>(n >> 8),
          static_cast<std::uint8_t>(n)};
}

BOOST_AUTO_TEST_CASE(neighbours_agree_with_a_map) {
  const unsigned seed = std::random_device{}();
  BOOST_TEST_MESSAGE("seed " << seed);
  std::mt19937 random{seed};
  NeighbourTable table{64};
  std::map<std::pair<std::uint16_t, std::uint32_t>, net::MacAddress> twin;
  for (int round = 0; round < 50'000; ++round) {
    const auto port = static_cast<std::uint16_t>(random() % 3);
    const auto host = static_cast<std::uint32_t>(random() % 40);
    const net::Address address = net::Address::v4(host);
    const auto known = twin.find({port, host});
    const auto got = table.mac(table.find(PortId{port}, address));
    BOOST_REQUIRE_MESSAGE(got.has_value() == (known != twin.end()), "seed " << seed);
    if (got) BOOST_REQUIRE_MESSAGE((*got == known->second), "seed " << seed);
    switch (random() % 3) {
      case 0: {
        const net::MacAddress mac = mac_of(static_cast<std::uint32_t>(random()));
        const bool done = table.set(PortId{port}, address, mac);
        BOOST_REQUIRE_MESSAGE(done == (known != twin.end() || twin.size() < 64), "seed " << seed);
        if (done) twin[{port, host}] = mac;
        break;
      }
      case 1:
        table.forget(PortId{port}, address);
        twin.erase({port, host});
        break;
      default: break;
    }
    BOOST_REQUIRE_MESSAGE(table.size() == twin.size(), "seed " << seed);
  }
}

BOOST_AUTO_TEST_CASE(a_stale_reference_is_noticed) {
  NeighbourTable table{4};
  const net::Address first = net::Address::v4(1);
  BOOST_TEST(table.set(PortId{0}, first, mac_of(1)));
  const NeighbourRef ref = table.find(PortId{0}, first);
  BOOST_TEST(table.mac(ref).has_value());
  BOOST_TEST(table.set(PortId{0}, first, mac_of(2)));  // the same neighbour with a new MAC
  BOOST_TEST((table.mac(ref) == mac_of(2)));
  table.forget(PortId{0}, first);
  BOOST_TEST(!table.mac(ref).has_value());
  BOOST_TEST(table.set(PortId{0}, first, mac_of(3)));
  BOOST_TEST(!table.mac(ref).has_value());
  BOOST_TEST(!table.mac(kNoNeighbour).has_value());
}

// A reader never sees the MAC of another next hop: here the MAC is made of the address.
BOOST_AUTO_TEST_CASE(readers_see_no_mixture) {
  NeighbourTable table{8};
  std::atomic<bool> stop{false};
  std::atomic<int> wrong{0};
  std::thread reader{[&] {
    std::mt19937 random{1};
    while (!stop.load(std::memory_order_relaxed)) {
      const auto host = static_cast<std::uint32_t>(random() % 16);
      const auto mac = table.mac(table.find(PortId{0}, net::Address::v4(host)));
      if (mac && *mac != mac_of(host)) wrong.fetch_add(1);
    }
  }};
  std::mt19937 random{2};
  for (int round = 0; round < 300'000; ++round) {
    const auto host = static_cast<std::uint32_t>(random() % 16);
    if (random() % 2 == 0) {
      (void)table.set(PortId{0}, net::Address::v4(host), mac_of(host));
    } else {
      table.forget(PortId{0}, net::Address::v4(host));
    }
  }
  stop = true;
  reader.join();
  BOOST_TEST(wrong.load() == 0);
}

}  // namespace
}  // namespace meiguan::fastpath
