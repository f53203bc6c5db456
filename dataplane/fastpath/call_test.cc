// What calls over SIP open, where nothing is translated (RFC 3261, RFC 3264).

#include <algorithm>

#include "dataplane/fastpath/call_fixture.h"

namespace meiguan::fastpath {
namespace {

using namespace test;

const World& world() {
  static const World the_world{{.helper = image::Helper::kSip}};
  return the_world;
}

// A phone in a hall, and the exchange that it calls.
struct Call {
  explicit Call(bool v6 = false)
      : phone{kLan, v6 ? "2001:db8:1::9" : "10.64.37.9", 5062},
        exchange{kCore, v6 ? "2001:db8:2::10" : "59.205.16.10", 53} {}

  std::string via() const { return bracketed(phone.address) + ":5062"; }
  std::string says(unsigned who, std::string_view text) {
    const Phone& from = who == 0 ? phone : exchange;
    const Phone& to = who == 0 ? exchange : phone;
    const Heard heard = send(gate, *by, from, to.address, to.own, text);
    if (heard.reason != "allowed") return heard.reason;
    BOOST_TEST(heard.text == text);
    return "";
  }
  std::string invites(std::uint16_t port, std::string_view id = "one") {
    return says(0, message("INVITE sip:b SIP/2.0", "INVITE", via(), via(),
                           audio(phone.address, port), id));
  }
  std::string answers(std::string_view status, std::uint16_t port,
                      std::string_view method = "INVITE", std::string_view id = "one") {
    const std::string body = port != 0 ? audio(exchange.address, port) : "";
    return says(1, message("SIP/2.0 " + std::string{status}, method, via(),
                           bracketed(exchange.address) + ":53", body, id));
  }
  std::string requests(unsigned who, std::string_view method, std::string_view id = "one") {
    return says(who, message(std::string{method} + " sip:b SIP/2.0", method, via(), via(), {}, id));
  }
  // Of a datagram of media.
  std::string media(unsigned who, std::uint16_t from, std::uint16_t to) {
    Phone sender = who == 0 ? phone : exchange;
    sender.own = from;
    return send(gate, *by, sender, (who == 0 ? exchange : phone).address, to, "media").reason;
  }
  void wait(std::uint64_t seconds) {
    for (std::uint64_t ms = 0; ms < seconds * 1000; ms += 500) {
      gate.now += 500;
      gate.pipeline->expire(gate.now);
    }
  }

  Gate gate;
  const World* by{&world()};
  Phone phone;
  Phone exchange;
};

BOOST_AUTO_TEST_CASE(media_flow_between_the_ends_of_a_call_until_it_is_over) {
  for (const bool v6 : {false, true}) {
    BOOST_TEST_CONTEXT((v6 ? "IPv6" : "IPv4")) {
      Call call{v6};
      BOOST_TEST(call.media(0, 6000, 7000) == "default-deny");
      BOOST_TEST(call.invites(6000) == "");
      BOOST_TEST(call.media(0, 6000, 7000) == "default-deny");
      BOOST_TEST(call.answers("180 Ringing", 0) == "");
      BOOST_TEST(call.media(1, 7000, 6000) == "allowed");  // early
      BOOST_TEST(call.answers("200 OK", 7000) == "");
      BOOST_TEST(call.requests(0, "ACK") == "");
      BOOST_TEST(call.media(0, 6000, 7000) == "allowed");
      BOOST_TEST(call.media(1, 7001, 6001) == "allowed");
      BOOST_TEST(call.media(0, 6001, 7001) == "allowed");
      BOOST_TEST(call.media(0, 6002, 7002) == "default-deny");
      BOOST_TEST(call.media(1, 7000, 6003) == "default-deny");
      // Nobody else, to whatever was agreed.
      const std::string other = v6 ? "2001:db8:2::11" : "59.205.16.11";
      BOOST_TEST(
          send(call.gate, world(), {kCore, other, 7000}, call.phone.address, 6000, "x").reason ==
          "default-deny");
      // It is told of as flows of the call's rule, service and unit.
      unsigned starts = 0;
      for (const Event& event : call.gate.events()) {
        if (event.kind != EventKind::kFlowStart) continue;
        ++starts;
        BOOST_TEST((event.rule == RuleId{0} && event.service == ServiceId{0}));
      }
      BOOST_TEST(starts == 3U);
      BOOST_TEST(call.requests(1, "BYE") == "");
      BOOST_TEST(call.media(0, 6000, 7000) == "default-deny");
      BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
      BOOST_TEST(call.media(1, 7001, 6001) == "default-deny");
      BOOST_TEST(call.gate.pipeline->live_flows() == 1U);
      BOOST_TEST(call.answers("200 OK", 0, "BYE") == "");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_call_that_fails_opens_nothing_further) {
  Call call;
  BOOST_TEST(call.invites(6000) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  BOOST_TEST(call.answers("486 Busy Here", 0) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
  // Of a call that stands a change may fail; then it stays as it was, but for a call that is gone.
  for (const char* status : {"488 Not Acceptable Here", "481 No Such Transaction"}) {
    BOOST_TEST_CONTEXT(status) {
      BOOST_TEST(call.invites(6000) == "");
      BOOST_TEST(call.answers("200 OK", 7000) == "");
      BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
      BOOST_TEST(call.invites(6010) == "");
      BOOST_TEST(call.answers(status, 0) == "");
      const bool gone = status[2] == '1';
      BOOST_TEST(call.media(1, 7000, 6000) == (gone ? "default-deny" : "allowed"));
      BOOST_TEST(call.media(1, 7002, 6010) == "default-deny");
    }
  }
}

// RFC 3261 section 22.2: the request goes out again with credentials and the next number, and a
// refusal of the one before may still come.
BOOST_AUTO_TEST_CASE(a_late_refusal_is_not_of_the_request_that_is_out) {
  const auto numbered = [](std::string text, int number) {
    const auto at = text.find("CSeq: 1");
    return text.replace(at, 7, "CSeq: " + std::to_string(number));
  };
  Call call;
  const auto offer = message("INVITE sip:b SIP/2.0", "INVITE", call.via(), call.via(),
                             audio(call.phone.address, 6000));
  const auto refusal = message("SIP/2.0 407 Proxy Authentication Required", "INVITE", call.via(),
                               bracketed(call.exchange.address) + ":53");
  BOOST_TEST(call.says(0, numbered(offer, 1)) == "");
  BOOST_TEST(call.says(1, numbered(refusal, 1)) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
  BOOST_TEST(call.says(0, numbered(offer, 2)) == "");
  BOOST_TEST(call.says(1, numbered(refusal, 1)) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  BOOST_TEST(call.says(1, numbered(refusal, 2)) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
}

// RFC 3264 section 6: with port 0.
BOOST_AUTO_TEST_CASE(media_that_an_answer_rejects_are_closed) {
  Call call;
  const std::string offer = audio(call.phone.address, 6000,
                                  "m=video 6010 RTP/AVP 96\r\nm=audio 6010 RTP/AVP 8\r\n"
                                  "m=video 6020 RTP/AVP 97\r\n");
  BOOST_TEST(
      call.says(0, message("INVITE sip:b SIP/2.0", "INVITE", call.via(), call.via(), offer)) == "");
  BOOST_TEST(call.media(1, 7020, 6020) == "allowed");
  // The second and the third share a port (RFC 9143): one of them is enough.
  BOOST_TEST(call.says(1, message("SIP/2.0 200 OK", "INVITE", call.via(), "59.205.16.10:53",
                                  audio(call.exchange.address, 7000,
                                        "m=video 0 RTP/AVP 96\r\nm=audio 7010 RTP/AVP 8\r\n"
                                        "m=video 0 RTP/AVP 97\r\n"))) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  BOOST_TEST(call.media(1, 7010, 6010) == "allowed");
  BOOST_TEST(call.media(1, 7020, 6020) == "default-deny");
  BOOST_TEST(call.media(1, 7021, 6021) == "default-deny");
}

// RFC 3311: an offer and its answer before the call is answered.
BOOST_AUTO_TEST_CASE(an_early_update_decides_nothing_of_the_call) {
  for (const char* status : {"200 OK", "491 Request Pending"}) {
    BOOST_TEST_CONTEXT(status) {
      Call call;
      BOOST_TEST(call.invites(6000) == "");
      BOOST_TEST(call.says(0, message("UPDATE sip:b SIP/2.0", "UPDATE", call.via(), call.via(),
                                      audio(call.phone.address, 6010))) == "");
      const bool agreed = status[0] == '2';
      BOOST_TEST(call.answers(status, agreed ? 7000 : 0, "UPDATE") == "");
      BOOST_TEST(call.media(1, 7000, 6000) == (agreed ? "default-deny" : "allowed"));
      BOOST_TEST(call.media(1, 7000, 6010) == "allowed");
      BOOST_TEST(call.answers("486 Busy Here", 0) == "");
      BOOST_TEST(call.media(1, 7000, 6010) == "default-deny");
      BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
      BOOST_TEST(call.media(0, 6010, 7000) == "default-deny");
    }
  }
}

BOOST_AUTO_TEST_CASE(a_change_of_a_call_takes_the_place_of_what_was) {
  Call call;
  BOOST_TEST(call.invites(6000) == "");
  BOOST_TEST(call.invites(6000) == "");  // sent again
  BOOST_TEST(call.answers("200 OK", 7000) == "");
  BOOST_TEST(call.invites(6010) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  BOOST_TEST(call.answers("200 OK", 7000) == "");
  BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
  BOOST_TEST(call.media(1, 7000, 6010) == "allowed");
  // Another call of the same two is another.
  BOOST_TEST(call.invites(6020, "two") == "");
  BOOST_TEST(call.answers("200 OK", 7020, "INVITE", "two") == "");
  BOOST_TEST(call.requests(0, "BYE") == "");
  BOOST_TEST(call.media(1, 7000, 6010) == "default-deny");
  BOOST_TEST(call.media(1, 7020, 6020) == "allowed");
}

BOOST_AUTO_TEST_CASE(what_may_not_be_said) {
  struct Case {
    const char* name;
    unsigned who;
    std::string text;
    const char* want;
  };
  const auto invite = [](std::string_view body) {
    return message("INVITE sip:b SIP/2.0", "INVITE", "10.64.37.9:5062", "10.64.37.9:5062", body);
  };
  const std::string offer = audio("10.64.37.9", 6000);
  const Case cases[] = {
      {"a third party (bounce)", 0, invite(audio("10.64.37.10", 6000)), "helper-refused"},
      {"the exchange itself", 0, invite(audio("59.205.16.10", 6000)), "helper-refused"},
      {"by an answer", 1, invite(audio("59.205.16.11", 6000)), "helper-refused"},
      {"a group", 0, invite(audio("224.2.1.1/127", 6000)), "helper-refused"},
      {"a well-known port", 0, invite(audio("10.64.37.9", 1023)), "helper-refused"},
      {"a well-known port for RTCP", 0, invite(offer + "a=rtcp:53\r\n"), "helper-refused"},
      {"the port of the flow itself", 0, invite(audio("10.64.37.9", 5062, "a=rtcp:7001\r\n")),
       "helper-refused"},
      {"a third party's RTCP", 0, invite(offer + "a=rtcp:6001 IN IP4 10.64.37.10\r\n"),
       "helper-refused"},
      {"a third party for a second", 0,
       invite(offer + "m=video 6004 RTP/AVP 96\r\nc=IN IP4 10.64.37.10\r\n"), "helper-refused"},
      {"not SIP", 0, "hello", "helper-invalid"},
      {"a broken description", 0, invite("v=0\r\nm=audio 6000 RTP/AVP 0\r\n"), "helper-invalid"},
      {"media of a kind that is not read", 0, invite(offer + "m=image 6004 udptl t38\r\n"), ""},
      {"kept alive", 0, "\r\n\r\n", ""},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      Call call;
      BOOST_TEST(call.requests(0, "OPTIONS") == "");
      BOOST_TEST(call.says(c.who, c.text) == c.want);
      BOOST_TEST(call.media(1, 7000, 6004) == "default-deny");
      if (*c.want != 0) BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
      // The same as the first message opens no flow.
      Call first;
      if (c.who == 0) BOOST_TEST(first.says(0, c.text) == c.want);
      if (*c.want != 0) BOOST_TEST(first.media(1, 7000, 6000) == "default-deny");
      const bool opens = c.who == 0 && *c.want == 0;
      BOOST_TEST(first.gate.pipeline->live_flows() == (opens ? 1U : 0U));
    }
  }
}

BOOST_AUTO_TEST_CASE(only_whole_and_right_datagrams_are_read) {
  Call call;
  const std::string text = message("INVITE sip:b SIP/2.0", "INVITE", call.via(), call.via(),
                                   audio(call.phone.address, 6000));
  Bytes wrong = datagram(call.phone, call.exchange.address, 53, text);
  *(std::ranges::search(wrong, std::string_view{"tag=1"}).begin() + 4) ^= 0x01;
  BOOST_TEST(send(call.gate, world(), kLan, wrong).reason == "helper-invalid");
  BOOST_TEST(call.media(1, 7000, 6000) == "default-deny");
  // Without a checksum (RFC 768), which is right as well.
  Bytes none = datagram(call.phone, call.exchange.address, 53, text);
  none[14 + 20 + 6] = none[14 + 20 + 7] = 0;
  BOOST_TEST(send(call.gate, world(), kLan, none).reason == "allowed");
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  // Without the helper nobody listens.
  const World deaf;
  Call plain;
  plain.by = &deaf;
  BOOST_TEST(plain.says(0, "hello") == "");
  BOOST_TEST(plain.invites(6000) == "");
  BOOST_TEST(plain.media(1, 7000, 6000) == "default-deny");
}

BOOST_AUTO_TEST_CASE(media_are_waited_for_and_go_with_their_call) {
  Call call;
  BOOST_TEST(call.invites(6000) == "");
  call.wait(119);
  BOOST_TEST(call.requests(0, "OPTIONS", "another") == "");
  BOOST_TEST(call.answers("200 OK", 0, "OPTIONS", "another") == "");
  call.wait(120);
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  // Silent for so long that the media's flow is over; the call is not.
  for (int i = 0; i < 3; ++i) {
    call.wait(100);
    BOOST_TEST(call.requests(0, "OPTIONS", "another") == "");
  }
  BOOST_TEST(call.media(1, 7000, 6000) == "allowed");
  BOOST_TEST(call.gate.pipeline->live_flows() == 2U);
  // Never used.
  BOOST_TEST(call.invites(6010, "two") == "");
  for (int i = 0; i < 3; ++i) {
    call.wait(81);
    BOOST_TEST(call.requests(0, "OPTIONS", "another") == "");
  }
  BOOST_TEST(call.media(1, 7000, 6010) == "default-deny");
  // A service without the helper: what it has opened ends.
  const World deaf;
  BOOST_TEST(call.invites(6020) == "");
  ++call.gate.generation;
  call.by = &deaf;
  BOOST_TEST(call.media(1, 7000, 6020) == "default-deny");
  BOOST_TEST(call.says(0, "hello") == "");
  // A rule that is gone: both end.
  const World denies{{.allow = false, .helper = image::Helper::kSip}};
  Call denied;
  BOOST_TEST(denied.invites(6000) == "");
  BOOST_TEST(denied.media(1, 7000, 6000) == "allowed");
  ++denied.gate.generation;
  denied.by = &denies;
  BOOST_TEST(denied.media(1, 7000, 6000) == "revoked");
  BOOST_TEST(denied.gate.pipeline->live_flows() == 0U);
}

BOOST_AUTO_TEST_CASE(tables_run_out_by_name) {
  Call call;
  for (int i = 0; i < 32; ++i) {
    BOOST_TEST(call.invites(static_cast<std::uint16_t>(6000 + 2 * i), std::to_string(i)) == "");
  }
  BOOST_TEST(call.invites(7000, "more") == "helper-full");
  BOOST_TEST(call.requests(0, "BYE", "7") == "");
  BOOST_TEST(call.invites(7000, "more") == "");
  // A message of which half has no room leaves nothing behind.
  BOOST_TEST(call.media(1, 7000, 7002) == "default-deny");
  call.gate.pipeline->end_all(call.gate.now, FlowEnd::kShutdown);
  BOOST_TEST(call.gate.pipeline->live_flows() == 0U);
}

}  // namespace
}  // namespace meiguan::fastpath
