// The options of a TCP segment: what is malformed, and what is learnt of the rest.

#include <boost/test/unit_test.hpp>

#include <string>
#include <vector>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/test_frames.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

PacketInfo parsed(std::string_view flags, const Bytes& options) {
  PacketInfo info;
  parse(ethernet(ipv4("10.0.0.1", "10.0.0.2", 6, tcp(1, 2, flags, {.options = options}))), info);
  return info;
}

Bytes sack(const std::vector<std::uint32_t>& edges) {
  Bytes bytes{1, 1, 5, static_cast<std::uint8_t>(2 + 4 * edges.size())};
  for (const std::uint32_t edge : edges) append(bytes, net::Be32::from_host(edge));
  return bytes;
}

// RFC 9293 section 3.2 and MUST-7, RFC 7323, RFC 2018, RFC 2385, RFC 5925, RFC 7413, RFC 8684.
BOOST_AUTO_TEST_CASE(options) {
  struct Case {
    const char* name;
    const char* flags;
    Bytes options;
    bool legal;
  };
  const Bytes linux_syn{2, 4, 5, 0xb4, 4, 2, 8, 10, 1, 2, 3, 4, 0, 0, 0, 0, 1, 3, 3, 7};
  Bytes md5(20), long_option(12);
  md5[0] = 19;
  md5[1] = 18;
  long_option[0] = 253;
  long_option[1] = 13;
  for (const Case& k : std::vector<Case>{
           {"none", "A", {}, true},
           {"what Linux opens with", "S", linux_syn, true},
           {"timestamps", "A", {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 2}, true},
           {"timestamps first", "A", {8, 10, 0, 0, 0, 1, 0, 0, 0, 2, 0, 0}, true},
           {"fast open", "S", {34, 10, 1, 2, 3, 4, 5, 6, 7, 8, 1, 1}, true},
           {"fast open asked for", "S", {34, 2, 1, 1}, true},
           {"multipath", "S", {30, 12, 0, 1, 1, 2, 3, 4, 5, 6, 7, 8}, true},
           {"MD5 signature", "A", md5, true},
           {"authentication", "A", {29, 16, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14}, true},
           {"user time-out", "A", {28, 4, 0, 9}, true},
           {"nobody knows it", "A", {200, 3, 1, 0}, true},
           {"segment size behind SYN", "A", {2, 4, 5, 0xb4}, true},
           {"scale behind SYN", "A", {3, 3, 7, 0}, true},
           {"anything behind the end", "S", {0, 2, 0xff, 9}, true},
           {"length 0", "A", {200, 0, 0, 0}, false},
           {"length 1", "A", {200, 1, 0, 0}, false},
           {"beyond the header", "A", long_option, false},
           {"no length", "A", {1, 1, 1, 200}, false},
           {"segment size of 3 bytes", "S", {2, 3, 5, 0}, false},
           {"scale of 2 bytes", "S", {3, 2, 0, 0}, false},
           {"SACK permitted with more", "S", {4, 3, 0, 0}, false},
           {"timestamps cut", "A", {1, 1, 8, 6, 0, 0, 0, 1}, false},
           {"SACK", "A", sack({100, 200}), true},
           {"four blocks", "A", sack({1, 2, 3, 4, 5, 6, 7, 8}), true},
           {"SACK across 0", "A", sack({0xffff'fff0U, 5}), true},
           {"SACK without a block", "A", {1, 1, 5, 2}, false},
           {"half a block", "A", {1, 1, 5, 6, 0, 0, 0, 1}, false},
           {"a block backwards", "A", sack({200, 100}), false},
           {"an empty block", "A", sack({200, 200}), false},
       }) {
    const PacketInfo info = parsed(k.flags, k.options);
    BOOST_TEST((info.reason == (k.legal ? Reason::kAllowed : Reason::kTcpOption)), k.name);
  }
}

BOOST_AUTO_TEST_CASE(what_options_say) {
  BOOST_TEST(int{parsed("S", {3, 3, 7, 0}).tcp_scale} == 7);
  BOOST_TEST(int{parsed("SA", {1, 3, 3, 0}).tcp_scale} == 0);
  BOOST_TEST(int{parsed("S", {3, 3, 200, 0}).tcp_scale} == 14);  // RFC 7323 section 2.3
  BOOST_TEST(int{parsed("A", {3, 3, 7, 0}).tcp_scale} == int{PacketInfo::kNoScale});
  BOOST_TEST(int{parsed("S", {}).tcp_scale} == int{PacketInfo::kNoScale});
  BOOST_TEST(!parsed("A", {}).tcp_sacks);
  const PacketInfo sacked = parsed("A", sack({0xffff'ff00U, 0xffff'fff0U, 2, 9, 4, 5}));
  BOOST_TEST(sacked.tcp_sacks);
  BOOST_TEST(sacked.tcp_sack_end == 9U);
  BOOST_TEST(sacked.tcp_window == 65535);
}

}  // namespace
}  // namespace meiguan::fastpath
