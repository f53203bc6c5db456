#include "controlplane/analysis/probe.h"

#include <boost/test/unit_test.hpp>

#include "dataplane/fastpath/pipeline.h"

namespace meiguan::analysis {
namespace {

BOOST_AUTO_TEST_CASE(destinations) {
  struct Case {
    const char* text;
    const char* want;  // null: refused
    std::uint8_t protocol;
    std::uint16_t value;
  };
  constexpr Case kCases[] = {
      {"192.0.2.1:443/tcp", "192.0.2.1:443/tcp", 6, 443},
      {"192.0.2.1:65535/udp", "192.0.2.1:65535/udp", 17, 65535},
      {"[2001:db8::1]:1/sctp", "[2001:db8::1]:1/sctp", 132, 1},
      {"192.0.2.1/icmp", "192.0.2.1/icmp", 1, 8},
      {"2001:db8::1/icmp6", "2001:db8::1/icmp6", 58, 128},
      {"[2001:db8::1]/icmp6", "2001:db8::1/icmp6", 58, 128},
      {"192.0.2.1/proto-47", "192.0.2.1/proto-47", 47, 0},
      {"192.0.2.1:80/proto-6", "192.0.2.1:80/tcp", 6, 80},
      {"192.0.2.1:0/tcp", nullptr, 0, 0},
      {"192.0.2.1:65536/tcp", nullptr, 0, 0},
      {"192.0.2.1:/tcp", nullptr, 0, 0},
      {"192.0.2.1/tcp", nullptr, 0, 0},
      {"192.0.2.1/proto-6", nullptr, 0, 0},
      {"2001:db8::1:443/tcp", nullptr, 0, 0},  // all of it is an address
      {"[192.0.2.1]:443/tcp", nullptr, 0, 0},
      {"[2001:db8::1:443/tcp", nullptr, 0, 0},
      {"[2001:db8::1]443/tcp", nullptr, 0, 0},
      {"192.0.2.1/icmp/8", "192.0.2.1/icmp", 1, 8},
      {"192.0.2.1/icmp/13", "192.0.2.1/icmp/13", 1, 13},
      {"2001:db8::1/icmp6/128", "2001:db8::1/icmp6", 58, 128},
      {"192.0.2.1/icmp/14", nullptr, 0, 0},  // a reply
      {"192.0.2.1/icmp/", nullptr, 0, 0},
      {"192.0.2.1/icmp/256", nullptr, 0, 0},
      {"192.0.2.1/tcp/8", nullptr, 0, 0},
      {"/icmp/8", nullptr, 0, 0},
      {"192.0.2.1:8/icmp", nullptr, 0, 0},
      {"192.0.2.1/icmp6", nullptr, 0, 0},
      {"2001:db8::1/icmp", nullptr, 0, 0},
      {"2001:db8::1/proto-44", nullptr, 0, 0},
      {"192.0.2.1/proto-256", nullptr, 0, 0},
      {"192.0.2.1/any", nullptr, 0, 0},
      {"192.0.2.1:443", nullptr, 0, 0},
      {"nonsense:443/tcp", nullptr, 0, 0},
      {"", nullptr, 0, 0},
  };
  for (const auto& test : kCases) {
    BOOST_TEST_CONTEXT(test.text) {
      const auto got = parse_destination(test.text);
      BOOST_REQUIRE(got.has_value() == (test.want != nullptr));
      if (!got) continue;
      BOOST_TEST(to_string(*got) == test.want);
      BOOST_TEST(unsigned{got->protocol.number} == unsigned{test.protocol});
      BOOST_TEST(got->protocol.value == test.value);
    }
  }
}

// A frame that is not well-formed has no flow, hence no owner.
BOOST_AUTO_TEST_CASE(frames_are_well_formed) {
  for (const char* const text :
       {"192.0.2.1:443/tcp", "192.0.2.1:53/udp", "192.0.2.1:9/sctp", "192.0.2.1/icmp",
        "192.0.2.1/icmp/13", "192.0.2.1/icmp/15", "192.0.2.1/proto-47", "[2001:db8::1]:443/tcp",
        "[2001:db8::1]:53/udp", "[2001:db8::1]:9/sctp", "2001:db8::1/icmp6",
        "2001:db8::1/proto-47"}) {
    const auto destination = parse_destination(text);
    BOOST_REQUIRE(destination.has_value());
    const bool v6 = destination->address.family() == net::Family::kIpv6;
    for (const std::uint16_t vlan : {std::uint16_t{0}, std::uint16_t{100}}) {
      const auto frame = build_frame(
          {.source = *net::parse_address(v6 ? "2001:db8::2" : "192.0.2.2"),
           .destination = *destination,
           .vlan = vlan});
      BOOST_TEST(fastpath::Pipeline::owner_hash(frame) != 0U, text << " vlan " << vlan);
    }
  }
}

}  // namespace
}  // namespace meiguan::analysis
