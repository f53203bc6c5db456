#include "dataplane/runtime/neighbours.h"

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/test_frames.h"
#include "dataplane/fastpath/test_image.h"
#include "dataplane/net/link.h"
#include "dataplane/runtime/test_outlet.h"

namespace meiguan::runtime {
namespace {

using fastpath::test::address;
using fastpath::test::kLan;
using fastpath::test::kWan;
using test::TestOutlet;
using test::TestPacket;
using Strings = std::vector<std::string>;

constexpr net::MacAddress kFirst{2, 0, 0, 0, 1, 1};
constexpr net::MacAddress kOther{2, 0, 0, 0, 1, 2};

struct Fixture {
  fastpath::test::World world;
  std::vector<net::MacAddress> macs = [this] {
    std::vector<net::MacAddress> result;
    for (const auto& port : world.image().ports()) result.push_back(port.mac);
    return result;
  }();
  Interfaces interfaces{world.image(), macs};
  fastpath::NeighbourTable table{1024};
  TestOutlet outlet;
  Neighbours neighbours{table, 1024, outlet};

  Fixture() { neighbours.adopt(interfaces, 0); }
  const Interface& lan() const { return *interfaces.find(kLan); }
  void hold(std::string_view next_hop, int number, fastpath::Tick now) {
    neighbours.hold(kLan, address(next_hop), std::make_unique<TestPacket>(number), now);
  }
  std::string mac_of(std::string_view who) const {
    const auto mac = table.mac(table.find(kLan, address(who)));
    return mac ? net::to_string(*mac) : "-";
  }
};

}  // namespace

BOOST_AUTO_TEST_SUITE(neighbours)

BOOST_FIXTURE_TEST_CASE(a_packet_waits_for_the_answer, Fixture) {
  hold("10.64.37.9", 1, 0);
  hold("10.64.37.9", 2, 10);
  BOOST_REQUIRE_EQUAL(outlet.sent.size(), 1U);  // one question for both
  BOOST_TEST((outlet.sent[0].ethernet().destination == net::kBroadcastMac));
  BOOST_TEST(outlet.forwarded.empty());
  neighbours.heard_answer(lan(), address("10.64.37.9"), kFirst, true, 20);
  BOOST_TEST((outlet.forwarded == Strings{"1 to 02:00:00:00:01:01", "2 to 02:00:00:00:01:01"}));
  BOOST_TEST(mac_of("10.64.37.9") == "02:00:00:00:01:01");
  BOOST_TEST(neighbours.held() == 0U);
}

BOOST_FIXTURE_TEST_CASE(three_questions_then_given_up, Fixture) {
  hold("2001:db8:1::9", 1, 0);
  for (fastpath::Tick now = 0; now <= 5000; now += 100) neighbours.tick(now);
  BOOST_TEST(outlet.sent.size() == 3U);
  BOOST_TEST((outlet.given_up == Strings{"1 next-hop-unresolved"}));
  BOOST_TEST(neighbours.size() == 0U);
}

BOOST_FIXTURE_TEST_CASE(of_nine_packets_the_oldest_gives_way, Fixture) {
  for (int i = 1; i <= 9; ++i) hold("10.64.37.9", i, 0);
  BOOST_TEST((outlet.given_up == Strings{"1 next-hop-unresolved"}));
  BOOST_TEST(neighbours.held() == Neighbours::kHeldForOne);
}

BOOST_FIXTURE_TEST_CASE(a_known_neighbour_is_asked_again_and_forgotten_when_silent, Fixture) {
  hold("10.64.37.9", 1, 0);
  neighbours.heard_answer(lan(), address("10.64.37.9"), kFirst, true, 0);
  outlet.sent.clear();
  neighbours.tick(29'999);
  BOOST_TEST(outlet.sent.empty());
  neighbours.tick(30'000);
  BOOST_REQUIRE_EQUAL(outlet.sent.size(), 1U);
  BOOST_TEST((outlet.sent[0].ethernet().destination == kFirst));  // asked alone
  BOOST_TEST(mac_of("10.64.37.9") == "02:00:00:00:01:01");        // and still used
  neighbours.heard_answer(lan(), address("10.64.37.9"), kFirst, true, 30'001);
  neighbours.tick(60'000);
  BOOST_TEST(outlet.sent.size() == 1U);
  for (fastpath::Tick now = 60'000; now < 65'000; now += 100) neighbours.tick(now);
  BOOST_TEST(outlet.sent.size() == 4U);
  BOOST_TEST(mac_of("10.64.37.9") == "-");
}

BOOST_FIXTURE_TEST_CASE(nobody_is_diverted_by_a_word, Fixture) {
  hold("10.64.37.9", 1, 0);
  // Nothing but an answer to our question counts.
  neighbours.heard_answer(lan(), address("10.64.37.9"), kOther, false, 1);
  neighbours.heard_answer(*interfaces.find(kWan), address("10.64.37.9"), kOther, true, 1);
  neighbours.heard_answer(lan(), address("10.64.37.10"), kOther, true, 1);
  neighbours.heard_answer(lan(), address("10.64.37.9"), net::kBroadcastMac, true, 1);
  neighbours.heard_answer(lan(), address("10.64.37.9"), lan().mac, true, 1);
  BOOST_TEST(mac_of("10.64.37.9") == "-");
  BOOST_TEST(mac_of("10.64.37.10") == "-");
  neighbours.heard_answer(lan(), address("10.64.37.9"), kFirst, true, 2);
  // Another claim makes us ask the owner, who stays.
  outlet.sent.clear();
  neighbours.heard_answer(lan(), address("10.64.37.9"), kOther, true, 3);
  neighbours.heard_request(lan(), address("10.64.37.9"), kOther, 3);
  neighbours.tick(3);
  BOOST_TEST(mac_of("10.64.37.9") == "02:00:00:00:01:01");
  BOOST_REQUIRE_EQUAL(outlet.sent.size(), 1U);
  BOOST_TEST((outlet.sent[0].ethernet().destination == kFirst));
  neighbours.heard_answer(lan(), address("10.64.37.9"), kOther, true, 4);
  BOOST_TEST(mac_of("10.64.37.9") == "02:00:00:00:01:01");
}

BOOST_FIXTURE_TEST_CASE(a_request_teaches_on_link_addresses_only, Fixture) {
  struct Case {
    const char* sender;
    bool learned;
  };
  const Case cases[] = {
      {"10.64.37.9", true},    {"10.64.38.9", true},     // both subnets of the port
      {"2001:db8:1::9", true}, {"59.205.16.10", false},  // behind another port
      {"10.64.37.1", false},   {"2001:db8:1::", false},  // our own
      {"10.64.37.255", false}, {"224.0.0.1", false},    {"0.0.0.0", false},
      {"8.8.8.8", false},      {"fe80::9", false},
  };
  for (const Case& c : cases) {
    neighbours.heard_request(lan(), address(c.sender), kFirst, 0);
    BOOST_TEST((mac_of(c.sender) != "-") == c.learned, c.sender);
  }
  // What was learned so must confirm itself.
  outlet.sent.clear();
  neighbours.tick(1000);
  BOOST_TEST(outlet.sent.size() == 3U);
  for (fastpath::Tick now = 1000; now < 6000; now += 100) neighbours.tick(now);
  BOOST_TEST(neighbours.size() == 0U);
}

BOOST_FIXTURE_TEST_CASE(a_scan_cannot_fill_the_table, Fixture) {
  for (int i = 0; i < 2000; ++i) {
    const std::string target = "2001:db8:1::" + std::to_string(1 + i % 9000);
    hold(target, i, 0);
  }
  BOOST_TEST(neighbours.size() == Neighbours::kMostUnresolved);
  BOOST_TEST(neighbours.held() <= Neighbours::kHeldInAll);
  // The latest can still be resolved, and everything ends.
  neighbours.heard_answer(lan(), address("2001:db8:1::2000"), kFirst, true, 0);
  BOOST_TEST(mac_of("2001:db8:1::2000") == "02:00:00:00:01:01");
  for (fastpath::Tick now = 0; now < 6000; now += 100) neighbours.tick(now);
  BOOST_TEST(neighbours.size() == 1U);
  BOOST_TEST(outlet.given_up.size() == 1999U);
}

BOOST_FIXTURE_TEST_CASE(a_full_table_gives_up_by_name, Fixture) {
  Neighbours small{table, 4, outlet};
  small.adopt(interfaces, 0);
  for (int i = 1; i <= 5; ++i) {
    small.hold(kLan, address("10.64.37." + std::to_string(20 + i)), std::make_unique<TestPacket>(i),
               0);
  }
  BOOST_TEST((outlet.given_up == Strings{"5 neighbour-table-full"}));
}

BOOST_FIXTURE_TEST_CASE(a_new_image_keeps_what_is_still_true, Fixture) {
  hold("10.64.37.9", 1, 0);
  neighbours.heard_answer(lan(), address("10.64.37.9"), kFirst, true, 0);
  const Interfaces same{world.image(), macs};
  neighbours.adopt(same, 10);
  BOOST_TEST(mac_of("10.64.37.9") == "02:00:00:00:01:01");
  BOOST_TEST(neighbours.list(0, 10).size() == 1U);
  BOOST_TEST(neighbours.list(1, 10).empty());
}

BOOST_FIXTURE_TEST_CASE(our_own_address_is_no_next_hop, Fixture) {
  hold("10.64.37.1", 1, 0);
  BOOST_TEST((outlet.given_up == Strings{"1 next-hop-unresolved"}));
  BOOST_TEST(outlet.sent.empty());
}

BOOST_AUTO_TEST_SUITE_END()

}  // namespace meiguan::runtime
