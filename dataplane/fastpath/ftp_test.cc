// Lines of an FTP control connection, and what is read in them.

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "dataplane/fastpath/ftp.h"

namespace meiguan::fastpath::ftp {
namespace {

// "asks", "answers", "invalid", "" or "address port [text]".
std::string told(const Line& line, std::string_view text) {
  switch (line.says) {
    case Says::kNothing: return "";
    case Says::kAsks: return "asks";
    case Says::kAnswers: return "answers";
    case Says::kInvalid: return "invalid";
    case Says::kAnnounces: break;
  }
  const std::string address = line.form == Form::kBarsPortOnly ? "-" : net::to_string(line.address);
  return address + " " + std::to_string(line.port) + " [" +
         std::string{text.substr(line.first, line.last - line.first)} + "]";
}

struct Case {
  const char* line;
  const char* v4;
  const char* v6;
};

BOOST_AUTO_TEST_CASE(commands) {
  const Case cases[] = {
      {"PORT 10,64,37,9,4,1", "10.64.37.9 1025 [10,64,37,9,4,1]", "invalid"},
      {"port 10,64,37,9,255,255", "10.64.37.9 65535 [10,64,37,9,255,255]", "invalid"},
      {"PORT 10,64,37,9,4", "invalid", "invalid"},
      {"PORT 10,64,37,256,4,1", "invalid", "invalid"},
      {"PORT 10,64,37,9,4,1,1", "invalid", "invalid"},
      {"PORT 10,64,37,9,4,1 ", "invalid", "invalid"},
      {"PORT 10,,37,9,4,1", "invalid", "invalid"},
      {"PORT 10.64.37.9:1025", "invalid", "invalid"},
      {"PORT", "invalid", "invalid"},
      {"PORTAL 1,2,3,4,5,6", "", ""},
      {" PORT 10,64,37,9,4,1", "", ""},
      {"XPORT 10,64,37,9,4,1", "", ""},
      {"EPRT |1|10.64.37.9|1025|", "10.64.37.9 1025 [|1|10.64.37.9|1025|]", "invalid"},
      {"eprt !1!10.64.37.9!1025!", "10.64.37.9 1025 [!1!10.64.37.9!1025!]", "invalid"},
      {"EPRT |2|2001:db8::9|1025|", "invalid", "2001:db8::9 1025 [|2|2001:db8::9|1025|]"},
      {"EPRT |2|::ffff:10.64.37.9|1025|", "invalid", "invalid"},
      {"EPRT |1|10.64.37.9|1025", "invalid", "invalid"},
      {"EPRT |1|10.64.37.9|99999|", "invalid", "invalid"},
      {"EPRT |1|10.64.37.9|1025|x", "invalid", "invalid"},
      {"EPRT 1110.64.37.9110251", "invalid", "invalid"},
      {"EPRT", "invalid", "invalid"},
      {"PASV", "asks", "asks"},
      {"pasv", "asks", "asks"},
      {"EPSV", "asks", "asks"},
      {"EPSV 2", "asks", "asks"},
      {"EPSV ALL", "asks", "asks"},
      {"PASVX", "", ""},
      {"RETR PORT 10,64,37,9,4,1", "", ""},
      {"", "", ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.line) {
      BOOST_TEST(told(read_command(c.line, net::Family::kIpv4), c.line) == c.v4);
      BOOST_TEST(told(read_command(c.line, net::Family::kIpv6), c.line) == c.v6);
    }
  }
}

BOOST_AUTO_TEST_CASE(replies) {
  const Case cases[] = {
      {"227 Entering Passive Mode (59,205,16,10,200,1).", "59.205.16.10 51201 [59,205,16,10,200,1]",
       "invalid"},
      {"227 =59,205,16,10,200,1", "59.205.16.10 51201 [59,205,16,10,200,1]", "invalid"},
      {"227 Entering Passive Mode", "invalid", "invalid"},
      {"227-Entering Passive Mode (59,205,16,10,200,1)", "", ""},
      {"229 Entering Extended Passive Mode (|||51201|)", "- 51201 [|||51201|]",
       "- 51201 [|||51201|]"},
      {"229 (!!!51201!)", "- 51201 [!!!51201!]", "- 51201 [!!!51201!]"},
      {"229 Mode (|1|59.205.16.10|51201|)", "invalid", "invalid"},
      {"229 Mode (|||51201|", "invalid", "invalid"},
      {"229 Mode |||51201|", "invalid", "invalid"},
      {"150 Opening", "", ""},
      {"226 Done (59,205,16,10,200,1)", "answers", "answers"},
      {"500 No", "answers", "answers"},
      {"220-Hello", "", ""},
      {"22", "", ""},
      {"text 227 (59,205,16,10,200,1)", "", ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.line) {
      BOOST_TEST(told(read_reply(c.line, net::Family::kIpv4), c.line) == c.v4);
      BOOST_TEST(told(read_reply(c.line, net::Family::kIpv6), c.line) == c.v6);
    }
  }
}

// What is written for an end is read as that end.
BOOST_AUTO_TEST_CASE(ends_are_written_as_they_are_read) {
  struct Written {
    const char* like;
    net::Family family;
    const char* address;
    std::uint16_t port;
    const char* want;
  };
  const Written cases[] = {
      {"PORT 1,1,1,1,4,1", net::Family::kIpv4, "203.0.113.255", 65535, "203,0,113,255,255,255"},
      {"EPRT ~1~1.1.1.1~1025~", net::Family::kIpv4, "203.0.113.255", 65535,
       "~1~203.0.113.255~65535~"},
      {"EPRT |2|::2:1|1025|", net::Family::kIpv6, "2001:db8:ffff:ffff:ffff:ffff:ffff:ffff", 65535,
       "|2|2001:db8:ffff:ffff:ffff:ffff:ffff:ffff|65535|"},
  };
  for (const Written& c : cases) {
    const Line like = read_command(c.like, c.family);
    BOOST_REQUIRE((like.says == Says::kAnnounces));
    EndText text{};
    const std::size_t length = write_end(like, *net::parse_address(c.address), c.port, text);
    BOOST_TEST(std::string_view(text.data(), length) == c.want);
  }
}

}  // namespace
}  // namespace meiguan::fastpath::ftp
