#include "dataplane/fastpath/parse.h"

#include <boost/test/unit_test.hpp>

#include <string>

#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

struct Case {
  std::string name;
  Bytes packet;
  std::string want;             // how it is well-formed, or not
  std::string flow{"allowed"};  // how it ends where no flow knows it
};

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    PacketInfo info;
    parse(ethernet(c.packet), info);
    const std::string_view got = find_reason(info.reason)->name;
    BOOST_TEST(got == c.want, c.name << ": got " << got << ", want " << c.want);
    const std::string_view flow = find_reason(info.without_flow)->name;
    if (info.well_formed()) BOOST_TEST(flow == c.flow, c.name << ": got " << flow);
  }
}

Bytes v4(const Bytes& message) { return ipv4("10.0.0.5", "10.1.0.9", 1, message); }
Bytes v6(const Bytes& message) { return icmp6_packet("2001:db8::5", "2001:db8:1::9", message); }
const std::string kOk = "allowed", kInvalid = "icmp-invalid", kAlone = "icmp-unsolicited";

// RFC 792, RFC 1122 section 3.2.2, RFC 6918.
BOOST_AUTO_TEST_CASE(icmp_messages) {
  const Bytes quoted = ipv4("10.1.0.9", "10.0.0.5", 17, udp(53, 1000));
  const Bytes quoted_first = ipv4("10.1.0.9", "10.0.0.5", 17, udp(53, 1000), {.fragment = 0x2000});
  check({
      {"echo request", v4(icmp(8, 0)), kOk},
      {"echo reply", v4(icmp(0, 0)), kOk, kAlone},
      {"timestamp", v4(icmp(13, 0, 1, Bytes(12))), kOk},
      {"timestamp cut", v4(icmp(13, 0, 1, Bytes(8))), kInvalid},
      {"information", v4(icmp(15, 0, 1, {})), kOk},
      {"echo with a code", v4(icmp(8, 1)), kInvalid},
      {"7 bytes", v4(Bytes{8, 0, 0, 0, 0, 0, 0}), "transport-truncated"},
      {"address mask request opens nothing", v4(icmp(17, 0)), kOk, kAlone},
      {"router advertisement", v4(icmp(9, 0)), kOk, kAlone},
      {"type 255", v4(icmp(255, 77)), kOk, kAlone},
      {"unreachable", v4(icmp(3, 3, 0, quoted)), kOk, kAlone},
      {"fragmentation needed", v4(icmp(3, 4, 0, quoted)), kOk, kAlone},
      {"about a first fragment", v4(icmp(11, 0, 0, quoted_first)), kOk, kAlone},
      {"time exceeded, code 2", v4(icmp(11, 2, 0, quoted)), kInvalid},
      {"redirect belongs to nothing", v4(icmp(5, 1, 0, quoted)), kOk, kAlone},
      {"no quotation", v4(icmp(3, 1, 0, {})), kInvalid},
      {"cut in the quoted header", v4(icmp(3, 1, 0, Bytes(19, 0x45))), kInvalid},
      {"cut in the quoted ports", v4(icmp(3, 1, 0, Bytes(quoted.begin(), quoted.begin() + 27))),
       kInvalid},
      {"just the ports", v4(icmp(3, 1, 0, Bytes(quoted.begin(), quoted.begin() + 28))), kOk,
       kAlone},
      {"an error about an error", v4(icmp(3, 1, 0, ipv4("10.1.0.9", "10.0.0.5", 1, icmp(11, 0)))),
       kInvalid},
      {"about an echo request", v4(icmp(3, 1, 0, ipv4("10.1.0.9", "10.0.0.5", 1, icmp(8, 0)))), kOk,
       kAlone},
  });
}

// RFC 4443 sections 3 and 4.
BOOST_AUTO_TEST_CASE(icmp6_messages) {
  const Bytes quoted = ipv6("2001:db8:1::9", "2001:db8::5", 17, udp(53, 1000));
  const auto error = [&](std::uint8_t type, std::uint8_t code) {
    return v6(icmp(type, code, 0, quoted));
  };
  check({
      {"echo request", v6(icmp(128, 0)), kOk},
      {"echo reply", v6(icmp(129, 0)), kOk, kAlone},
      {"echo with a code", v6(icmp(128, 1)), kInvalid},
      {"3 bytes", v6(Bytes{128, 0, 0}), "transport-truncated"},
      {"unreachable", error(1, 4), kOk, kAlone},
      {"unreachable, code 9", error(1, 9), kInvalid},
      {"packet too big", error(2, 0), kOk, kAlone},
      {"time exceeded", error(3, 1), kOk, kAlone},
      {"parameter problem", error(4, 2), kOk, kAlone},
      {"unknown error", error(100, 0), kOk, kAlone},
      {"no quotation", v6(icmp(1, 0, 0, {})), kInvalid},
      {"quotes v4", v6(icmp(1, 0, 0, ipv4("10.1.0.9", "10.0.0.5", 17, udp(53, 1000)))), kInvalid},
      {"mld", v6(icmp(131, 0, 0, Bytes(16))), kOk, kAlone},
      {"node information", v6(icmp(139, 0)), kOk, kAlone},
  });
}

// RFC 4861 sections 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1; RFC 6980.
BOOST_AUTO_TEST_CASE(neighbour_discovery) {
  const Bytes slla{1, 1, 2, 0, 0, 0, 0, 5};
  const std::string_view host = "fe80::5", router = "fe80::1", group = "ff02::1:ff00:9",
                         nodes = "ff02::1", target = "2001:db8::9";
  const auto nd = [](std::string_view source, std::string_view destination, const Bytes& message,
                     std::uint8_t hops = 255) {
    return icmp6_packet(source, destination, message, hops);
  };
  const auto with_code = [](Bytes message) {
    message[1] = 1;
    return message;
  };
  const Bytes rs{133, 0, 0, 0, 0, 0, 0, 0};
  Bytes ra(16);
  ra[0] = 134;
  Bytes redirect(40);
  redirect[0] = 137;
  Bytes wrong_sum = nd(host, group, neighbour(135, target));
  wrong_sum[42] ^= 1;
  check({
      {"solicitation", nd(host, group, neighbour(135, target, 0, slla)), kOk},
      {"hop limit 254", nd(host, group, neighbour(135, target), 254), kInvalid},
      {"code 1", nd(host, group, with_code(neighbour(135, target))), kInvalid},
      {"checksum", wrong_sum, kInvalid},
      {"cut", nd(host, group, Bytes{135, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3}), kInvalid},
      {"7 bytes", nd(host, group, Bytes{135, 0, 0, 0, 0, 0, 0}), "transport-truncated"},
      {"target is a group", nd(host, group, neighbour(135, "ff02::1")), kInvalid},
      {"option of length 0", nd(host, group, neighbour(135, target, 0, {1, 0, 0, 0, 0, 0, 0, 0})),
       kInvalid},
      {"option beyond the message",
       nd(host, group, neighbour(135, target, 0, {1, 2, 0, 0, 0, 0, 0, 0})), kInvalid},
      {"half an option", nd(host, group, neighbour(135, target, 0, {1, 1, 0})), kInvalid},
      {"duplicate address detection", nd("::", group, neighbour(135, target)), kOk},
      {"the same to all nodes", nd("::", nodes, neighbour(135, target)), kInvalid},
      {"the same with a link-layer address", nd("::", group, neighbour(135, target, 0, slla)),
       kInvalid},
      {"advertisement", nd(host, nodes, neighbour(136, target, 0x2000'0000)), kOk},
      {"solicited, to a group", nd(host, nodes, neighbour(136, target, 0x4000'0000)), kInvalid},
      {"router solicitation", nd(host, "ff02::2", rs), kOk},
      {"router solicitation from ::", nd("::", "ff02::2", rs), kOk},
      {"router solicitation from :: with an address", nd("::", "ff02::2", rs + slla), kInvalid},
      {"router advertisement", nd(router, nodes, ra), kOk},
      {"router advertisement from afar", nd("2001:db8::1", nodes, ra), kInvalid},
      {"redirect", nd(router, host, redirect), kOk},
      {"redirect to a group", nd(router, nodes, redirect), kInvalid},
      {"in an atomic fragment",
       ipv6(host, group, 44, Bytes{58, 0, 0, 0, 0, 0, 0, 1} + neighbour(135, target),
            {.hop_limit = 255}),
       kInvalid},
  });
}

}  // namespace
}  // namespace meiguan::fastpath
