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
  Reason want;
};

PacketInfo parsed(const Bytes& packet) {
  PacketInfo info;
  parse(ethernet(packet), info);
  return info;
}

void check(const std::vector<Case>& cases) {
  for (const Case& c : cases) {
    const ReasonInfo* const got = find_reason(parsed(c.packet).reason);
    BOOST_REQUIRE(got != nullptr);
    BOOST_TEST(got->name == find_reason(c.want)->name, c.name);
  }
}

Bytes v6(std::uint8_t next, const Bytes& payload, const Ipv6Options& o = {}) {
  return ipv6("2001:db8::5", "2001:db8:1::9", next, payload, o);
}

constexpr std::uint8_t kHbh = 0, kRouting = 43, kFragment = 44, kOptions = 60, kTcp = 6;
// An extension header of 8 bytes with a PadN inside, or of routing type 2.
Bytes options(std::uint8_t next) { return {next, 0, 1, 4, 0, 0, 0, 0}; }
Bytes routing(std::uint8_t next, std::uint8_t type) { return {next, 0, type, 0, 0, 0, 0, 0}; }
Bytes fragment(std::uint8_t next, std::uint16_t offset_more) {
  return {next,
          0,
          static_cast<std::uint8_t>(offset_more >> 8),
          static_cast<std::uint8_t>(offset_more),
          0,
          0,
          0,
          1};
}
const Bytes kSyn = tcp(1000, 443, "S");

// RFC 8200 section 3.
BOOST_AUTO_TEST_CASE(headers) {
  const Bytes whole = v6(kTcp, kSyn);
  const Bytes cut(whole.begin(), whole.end() - 1);
  check({
      {"plain", v6(kTcp, kSyn), Reason::kAllowed},
      {"payload beyond the frame", v6(kTcp, kSyn, {.payload_length = std::uint16_t{21}}),
       Reason::kIpTruncated},
      {"cut", cut, Reason::kIpTruncated},
      {"payload length 0 and tcp", v6(kTcp, kSyn, {.payload_length = std::uint16_t{0}}),
       Reason::kTransportTruncated},
      {"payload length 0 and hop-by-hop",
       v6(kHbh, options(kTcp), {.payload_length = std::uint16_t{0}}), Reason::kJumbogram},
      {"payload length 65535", v6(kTcp, kSyn, {.payload_length = std::uint16_t{65535}}),
       Reason::kIpTruncated},
  });
  PacketInfo info;
  parse(ethernet(v6(kTcp, kSyn, {.version = 5}), net::ether_type::kIpv6), info);
  BOOST_TEST((info.reason == Reason::kIpHeaderInvalid));
}

// RFC 8200 sections 4.1 to 4.6, RFC 5095, RFC 2675.
BOOST_AUTO_TEST_CASE(extension_headers) {
  Bytes eight;
  for (int i = 0; i < 7; ++i) eight = eight + options(kOptions);
  eight = eight + options(kTcp);
  check({
      {"hop-by-hop first", v6(kHbh, options(kTcp) + kSyn), Reason::kAllowed},
      {"all in order",
       v6(kHbh, options(kOptions) + options(kRouting) + routing(kFragment, 2) +
                    fragment(kOptions, 0) + options(kTcp) + kSyn),
       Reason::kAllowed},
      {"hop-by-hop not first", v6(kOptions, options(kHbh) + options(kTcp) + kSyn),
       Reason::kExtensionInvalid},
      {"hop-by-hop twice", v6(kHbh, options(kHbh) + options(kTcp) + kSyn),
       Reason::kExtensionInvalid},
      {"routing behind fragment", v6(kFragment, fragment(kRouting, 0) + routing(kTcp, 2) + kSyn),
       Reason::kExtensionInvalid},
      {"routing twice", v6(kRouting, routing(kRouting, 2) + routing(kTcp, 2) + kSyn),
       Reason::kExtensionInvalid},
      {"nested fragment headers", v6(kFragment, fragment(kFragment, 0) + fragment(kTcp, 0) + kSyn),
       Reason::kExtensionInvalid},
      {"eight", v6(kOptions, eight + kSyn), Reason::kAllowed},
      {"nine", v6(kOptions, options(kOptions) + eight + kSyn), Reason::kExtensionInvalid},
      {"routing type 0", v6(kRouting, routing(kTcp, 0) + kSyn), Reason::kRoutingHeaderForbidden},
      {"routing type 4", v6(kRouting, routing(kTcp, 4) + kSyn), Reason::kAllowed},
      {"cut", v6(kOptions, {kTcp, 0, 1, 4}), Reason::kExtensionInvalid},
      {"longer than the packet", v6(kOptions, {kTcp, 9, 1, 4, 0, 0, 0, 0}),
       Reason::kExtensionInvalid},
      {"option beyond its header", v6(kOptions, Bytes{kTcp, 0, 1, 5, 0, 0, 0, 0} + kSyn),
       Reason::kExtensionInvalid},
      {"option without a length", v6(kHbh, Bytes{kTcp, 0, 0, 0, 0, 0, 0, 5} + kSyn),
       Reason::kExtensionInvalid},
      {"jumbo option", v6(kHbh, Bytes{kTcp, 0, 0xc2, 4, 0, 1, 0, 0} + kSyn), Reason::kJumbogram},
      {"router alert", v6(kHbh, Bytes{kTcp, 0, 5, 2, 0, 0, 1, 0} + kSyn), Reason::kAllowed},
      {"transport cut behind it", v6(kOptions, options(kTcp) + Bytes(10)),
       Reason::kTransportTruncated},
  });
  const PacketInfo info = parsed(v6(kHbh, options(kOptions) + options(kTcp) + kSyn));
  BOOST_TEST(int{info.protocol} == int{kTcp});
  BOOST_TEST(info.key.destination_port == 443);
}

// RFC 5095, RFC 8754 section 5.1, RFC 6275 section 6.4: no segment is left but a home address.
BOOST_AUTO_TEST_CASE(routing_headers_that_lead_on) {
  const auto routing = [](std::uint8_t type, std::uint8_t left, std::uint8_t addresses) {
    Bytes header{kTcp, static_cast<std::uint8_t>(2 * addresses), type, left, 0, 0, 0, 0};
    header.resize(8U + 16U * addresses, 0x20);
    return v6(kRouting, header + kSyn);
  };
  check({
      {"type 0, none left", routing(0, 0, 1), Reason::kRoutingHeaderForbidden},
      {"type 1", routing(1, 1, 1), Reason::kRoutingHeaderForbidden},
      {"type 2, the home address", routing(2, 1, 1), Reason::kAllowed},
      {"type 2 of two addresses", routing(2, 1, 2), Reason::kRoutingHeaderForbidden},
      {"type 2, two left", routing(2, 2, 1), Reason::kRoutingHeaderForbidden},
      {"type 3", routing(3, 1, 1), Reason::kRoutingHeaderForbidden},
      {"type 4, none left", routing(4, 0, 2), Reason::kAllowed},
      {"type 4, one left", routing(4, 1, 2), Reason::kRoutingHeaderForbidden},
      {"type 253", routing(253, 1, 1), Reason::kRoutingHeaderForbidden},
  });
}

// RFC 8200 section 4.5, RFC 6946, RFC 7112, RFC 3128.
BOOST_AUTO_TEST_CASE(fragments) {
  check({
      {"atomic", v6(kFragment, fragment(kTcp, 0) + kSyn), Reason::kAllowed},
      {"first", v6(kFragment, fragment(kTcp, 1) + kSyn + Bytes(4)), Reason::kAllowed},
      {"first of uneven length", v6(kFragment, fragment(kTcp, 1) + kSyn), Reason::kFragmentInvalid},
      {"tiny first", v6(kFragment, fragment(kTcp, 1) + Bytes(8)), Reason::kFragmentInvalid},
      {"header chain cut off",
       v6(kFragment, fragment(kOptions, 1) + Bytes{kTcp, 3, 1, 4, 0, 0, 0, 0}),
       Reason::kFragmentInvalid},
      {"tcp at offset 1", v6(kFragment, fragment(kTcp, 8) + Bytes(8)), Reason::kFragmentInvalid},
      {"last", v6(kFragment, fragment(kTcp, 16) + Bytes(5)), Reason::kAllowed},
      {"too far", v6(kFragment, fragment(17, 0xfff8) + Bytes(20)), Reason::kFragmentInvalid},
      {"empty", v6(kFragment, fragment(17, 16)), Reason::kFragmentInvalid},
      {"header cut", v6(kFragment, {kTcp, 0, 0}), Reason::kExtensionInvalid},
  });
  BOOST_TEST((parsed(v6(kFragment, fragment(kTcp, 0) + kSyn)).kind == PacketKind::kPacket));
  BOOST_TEST((parsed(v6(kFragment, fragment(kTcp, 16) + Bytes(5))).kind == PacketKind::kFragment));
}

}  // namespace
}  // namespace meiguan::fastpath
