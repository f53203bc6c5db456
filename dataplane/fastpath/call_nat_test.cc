// Calls whose ends are translated: each side reads of the other by the address that it sends to.

#include "dataplane/fastpath/call_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

const World& world() {
  static const World the_world{{.nat = true, .helper = image::Helper::kSip}};
  return the_world;
}
const std::string kInside = "10.64.37.9";
const std::string kOutside = "198.51.100.21";  // where the service listens in the internet
const std::string kRemote = "198.51.100.7";
const std::string kPublic = "203.0.113.10";
const std::string kBehind = "59.205.17.10";

std::string at(const std::string& address, std::uint16_t port) {
  return bracketed(address) + ":" + std::to_string(port);
}

BOOST_AUTO_TEST_CASE(an_inside_phone_is_known_by_its_pool_address) {
  struct Case {
    const char* name;
    std::string phone;
    std::string exchange;
    const char* more;  // of the description
  };
  const Case cases[] = {
      {"IPv4", kInside, kOutside, ""},
      {"IPv4, RTCP by name", kInside, kOutside, "a=rtcp:6009\r\na=sendrecv\r\n"},
      {"IPv6 (RFC 6296)", "2001:db8:1::9", "2001:db8:77::21", ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Gate gate;
      const bool v6 = c.phone.contains(':');
      const Phone phone{kLan, c.phone, 5060};
      const Phone exchange{kWan, c.exchange, 53};
      const std::string said = message("INVITE sip:b@" + at(c.exchange, 53) + " SIP/2.0", "INVITE",
                                       bracketed(c.phone), "hall@" + bracketed(c.phone),
                                       audio(c.phone, 6000, c.more));
      const Heard invite = send(gate, world(), phone, c.exchange, 53, said);
      BOOST_REQUIRE(invite.reason == "allowed");
      const std::string pool = invite.source;
      BOOST_TEST(pool != c.phone);
      // Everything of the phone has become the pool's; the lengths are right.
      BOOST_TEST(!invite.text.contains(c.phone));
      const std::uint16_t port = number_behind(invite.text, "m=audio ");
      const std::uint16_t rtcp = number_behind(invite.text, "a=rtcp:");
      const std::string own = invite.from == 5060 ? bracketed(pool) : at(pool, invite.from);
      std::string more = c.more;
      if (rtcp != 0) more = "a=rtcp:" + std::to_string(rtcp) + "\r\n";
      if (*c.more != 0) more += "a=sendrecv\r\n";
      BOOST_TEST(invite.text == message("INVITE sip:b@" + at(c.exchange, 53) + " SIP/2.0", "INVITE",
                                        own, "hall@" + own, audio(pool, port, more)));
      BOOST_TEST((v6 ? port == 6000 : port != 6000));
      // Sent again, it is told in the same words.
      BOOST_TEST(send(gate, world(), phone, c.exchange, 53, said).text == invite.text);

      const Heard ok =
          send(gate, world(), exchange, pool, invite.from,
               message("SIP/2.0 200 OK", "INVITE",
                       own + ";received=" + pool + ";rport=" + std::to_string(invite.from),
                       at(c.exchange, 53), audio(c.exchange, 7000)));
      BOOST_REQUIRE(ok.reason == "allowed");
      BOOST_TEST(ok.destination == c.phone);
      const std::string back = invite.from == 5060 ? bracketed(c.phone) : at(c.phone, 5060);
      BOOST_TEST(ok.text == message("SIP/2.0 200 OK", "INVITE",
                                    back + ";received=" + c.phone + ";rport=5060",
                                    at(c.exchange, 53), audio(c.exchange, 7000)));
      // Media, from either side first, and RTCP where it was told.
      const Heard out = send(gate, world(), {kLan, c.phone, 6000}, c.exchange, 7000, "media");
      BOOST_TEST(out.reason == "allowed");
      BOOST_TEST((out.source == pool && out.from == port));
      const Heard in = send(gate, world(), {kWan, c.exchange, 7000}, pool, port, "media");
      BOOST_TEST((in.destination == c.phone && in.to == 6000));
      const std::uint16_t control = rtcp != 0 ? rtcp : static_cast<std::uint16_t>(port + 1);
      const Heard report = send(gate, world(), {kWan, c.exchange, 7001}, pool, control, "report");
      BOOST_TEST((report.destination == c.phone && report.to == (*c.more != 0 ? 6009 : 6001)));
      // Not from a stranger.
      const std::string stranger = v6 ? "2001:db8:77::22" : kRemote;
      BOOST_TEST(send(gate, world(), {kWan, stranger, 7000}, pool, port, "x").reason != "allowed");
      BOOST_TEST(send(gate, world(), {kLan, c.phone, 5060}, c.exchange, 53,
                      message("BYE sip:b SIP/2.0", "BYE", at(c.phone, 5060), at(c.phone, 5060)))
                     .reason == "allowed");
      BOOST_TEST(send(gate, world(), {kWan, c.exchange, 7000}, pool, port, "x").reason !=
                 "allowed");
      BOOST_TEST(gate.pipeline->live_flows() == 1U);
    }
  }
}

BOOST_AUTO_TEST_CASE(a_published_exchange_is_known_by_its_public_address) {
  for (const std::string& described : {kBehind, kPublic}) {
    Gate gate;
    const Phone remote{kWan, kRemote, 5060};
    const Phone exchange{kDmz, kBehind, 53};
    const Heard invite = send(gate, world(), remote, kPublic, 53,
                              message("INVITE sip:b@" + at(kPublic, 53) + " SIP/2.0", "INVITE",
                                      kRemote, kRemote, audio(kRemote, 6000)));
    BOOST_REQUIRE(invite.reason == "allowed");
    BOOST_TEST(invite.destination == kBehind);
    BOOST_TEST(invite.text == message("INVITE sip:b@" + at(kBehind, 53) + " SIP/2.0", "INVITE",
                                      kRemote, kRemote, audio(kRemote, 6000)));
    const Heard ok = send(gate, world(), exchange, kRemote, 5060,
                          message("SIP/2.0 200 OK", "INVITE", kRemote, at(kBehind, 53),
                                  audio(described, 7000)));
    BOOST_TEST(ok.source == kPublic);
    BOOST_TEST(ok.text ==
               message("SIP/2.0 200 OK", "INVITE", kRemote, at(kPublic, 53), audio(kPublic, 7000)));
    BOOST_TEST(send(gate, world(), {kWan, "198.51.100.8", 6000}, kPublic, 7000, "x").reason !=
               "allowed");
    const Heard in = send(gate, world(), {kWan, kRemote, 6000}, kPublic, 7000, "media");
    BOOST_TEST((in.destination == kBehind && in.to == 7000));
    const Heard out = send(gate, world(), {kDmz, kBehind, 7001}, kRemote, 6001, "media");
    BOOST_TEST((out.source == kPublic && out.from == 7001));
    BOOST_TEST(send(gate, world(), exchange, kRemote, 5060,
                    message("BYE sip:a SIP/2.0", "BYE", kBehind, kBehind))
                   .reason == "allowed");
    BOOST_TEST(send(gate, world(), {kWan, kRemote, 6000}, kPublic, 7000, "x").reason != "allowed");
  }
}

BOOST_AUTO_TEST_CASE(strangers_leave_a_helper_to_those_inside) {
  Gate gate{{.flow_capacity = 1024, .assume_resolved = true, .hash_seed = 1, .helpers = 8}};
  const auto asks = [&](const Phone& from, const std::string& address) {
    return send(gate, world(), from, address, 53,
                message("OPTIONS sip:b SIP/2.0", "OPTIONS", "name", "name"))
        .reason;
  };
  for (int i = 0; i < 10; ++i) {
    const std::string stranger = "198.51.100." + std::to_string(100 + i);
    BOOST_TEST(asks({kWan, stranger, 5060}, kPublic) == (i < 7 ? "allowed" : "helper-full"));
  }
  BOOST_TEST(asks({kLan, kInside, 5060}, kOutside) == "allowed");
  BOOST_TEST(asks({kLan, kInside, 5061}, kOutside) == "helper-full");
}

BOOST_AUTO_TEST_CASE(a_message_that_outgrows_its_room_is_dropped) {
  Gate gate;
  const Phone phone{kLan, kInside, 5060};
  const auto padded = [&](std::size_t bytes) {
    std::string text = message("OPTIONS sip:b SIP/2.0", "OPTIONS", kInside, kInside);
    const std::string subject = "Subject: ";
    text.insert(text.find("Via"), subject + std::string(bytes - text.size() - 11, 'x') + "\r\n");
    return text;
  };
  // 1500 less the headers of IP and UDP; what leaves is longer by two addresses and ports.
  BOOST_TEST(send(gate, world(), phone, kOutside, 53, padded(1472)).reason == "too-big");
  BOOST_TEST(gate.pipeline->live_flows() == 0U);
  BOOST_TEST(send(gate, world(), phone, kOutside, 53, padded(1440)).reason == "allowed");
  BOOST_TEST(send(gate, world(), phone, kOutside, 53, padded(1472)).reason == "too-big");
  // Many ends that grow, each by a few bytes.
  std::string many = message("OPTIONS sip:b SIP/2.0", "OPTIONS", kInside, kInside,
                             audio(kInside, 6000, "m=video 6010 RTP/AVP 96\r\n"));
  for (int i = 0; i < 30; ++i) many.insert(many.find("CSeq"), "Route: <sip:" + kInside + ">\r\n");
  BOOST_TEST(send(gate, world(), phone, kOutside, 53, many).reason == "too-big");
}

}  // namespace
}  // namespace meiguan::fastpath
