// Messages of SIP, and what is read in them.

#include <boost/test/unit_test.hpp>

#include <memory>
#include <string>
#include <string_view>

#include "dataplane/fastpath/sip.h"

namespace meiguan::fastpath::sip {
namespace {

constexpr std::string_view kInvite =
    "INVITE sip:budget@59.205.16.10:53 SIP/2.0\r\n"
    "Via: SIP/2.0/UDP 10.64.37.9:5062;branch=z9hG4bK1;received=10.64.37.9;rport=5062\r\n"
    "From: \"A sip:1.2.3.4\" <sip:hall@10.64.37.9>;tag=1\r\n"
    "To: <sip:budget@59.205.16.10>\r\n"
    "Contact: \"sip:9.9.9.9\" <sip:hall;day=1@10.64.37.9:5062;transport=udp>\r\n"
    "Call-ID: one@10.64.37.9\r\n"
    "CSeq: 1 INVITE\r\n";
constexpr std::string_view kDescription =
    "v=0\r\no=- 1 1 IN IP4 10.64.37.9\r\ns=-\r\nc=IN IP4 10.64.37.9\r\nt=0 0\r\n"
    "m=audio 6000 RTP/AVP 0\r\n";

std::string with(std::string_view headers, std::string_view description) {
  return std::string{headers} +
         "Content-Type: application/sdp\r\nContent-Length: " + std::to_string(description.size()) +
         "\r\n\r\n" + std::string{description};
}

std::string_view part(std::string_view text, Part at) {
  return text.substr(at.first, at.last - at.first);
}
std::string place(Where where, const net::Address& address) {
  switch (where) {
    case Where::kUnsaid: return "-";
    case Where::kNowhere: return "nowhere";
    case Where::kForeign: return "foreign";
    case Where::kHere: break;
  }
  return net::to_string(address);
}

// "invalid", "nothing", or what the message says.
std::string told(std::string_view text, net::Family family = net::Family::kIpv4) {
  const auto message = std::make_unique<Message>();
  switch (read(text, family, *message)) {
    case Says::kNothing: return "nothing";
    case Says::kInvalid: return "invalid";
    case Says::kMessage: break;
  }
  constexpr std::string_view kMethods[] = {"other", "INVITE", "UPDATE", "BYE"};
  std::string out{kMethods[static_cast<std::size_t>(message->method)]};
  if (message->status != 0) out += " " + std::to_string(message->status);
  for (std::size_t i = 0; i < message->ends_count; ++i) {
    const End& end = message->ends[i];
    out += end.seen ? " seen " : " ";
    out += std::string{part(text, end.host)} + ":" + std::string{part(text, end.port)};
    BOOST_TEST((end.port.empty() || part(text, end.port) == std::to_string(end.number)));
  }
  for (std::size_t i = 0; i < message->media_count; ++i) {
    const Media& media = message->media[i];
    out += " media " + place(media.where, media.address) + " " + std::to_string(media.port) + "/" +
           std::to_string(media.rtcp);
    if (media.rtcp_where != Where::kUnsaid)
      out += "@" + place(media.rtcp_where, media.rtcp_address);
    BOOST_TEST(part(text, media.port_at) == std::to_string(media.port));
    BOOST_TEST((media.rtcp_at.empty() || part(text, media.rtcp_at) == std::to_string(media.rtcp)));
  }
  return out;
}

BOOST_AUTO_TEST_CASE(messages) {
  const std::string invite{kInvite};
  const std::string ends = " 59.205.16.10:53 10.64.37.9:5062 seen 10.64.37.9:5062 10.64.37.9:5062";
  const auto without = [&](std::string_view name) {
    const std::size_t at = invite.find(name);
    return invite.substr(0, at) + invite.substr(invite.find("\r\n", at) + 2);
  };
  const std::string answer =
      "SIP/2.0 200 OK\r\nv: SIP / 2.0/UDP 1.1.1.1\r\ni: a\r\nCSeq: 1 BYE\r\n\r\n";
  const std::string compact =
      "SIP/2.0 486 Busy\r\nv: SIP/2.0/UDP 1.1.1.1, SIP/2.0/TCP name:5060\r\ni: a\r\n"
      "m: <sip:a@1.1.1.2>, sip:b@1.1.1.3:70\r\nCSEQ: 7 INVITE\r\nl: 0\r\n\r\n";
  struct Case {
    const char* name;
    std::string text;
    std::string want;
  };
  const Case cases[] = {
      {"a request", invite + "\r\n", "INVITE" + ends},
      {"with a description", with(kInvite, kDescription),
       "INVITE" + ends + " media 10.64.37.9 6000/6001"},
      {"an answer, in short names", compact, "INVITE 486 1.1.1.1: 1.1.1.2: 1.1.1.3:70"},
      {"blanks in a Via's version", answer, "invalid"},
      {"line ends that keep alive", "\r\n\r\n", "nothing"},
      {"nothing at all", "", "nothing"},
      {"not SIP", "hello", "invalid"},
      {"zeros", std::string(4, '\0'), "invalid"},
      {"no end of the header", invite, "invalid"},
      {"no Via", without("Via") + "\r\n", "invalid"},
      {"no Call-ID", without("Call-ID") + "\r\n", "invalid"},
      {"no CSeq", without("CSeq") + "\r\n", "invalid"},
      {"two Call-IDs", invite + "i: other\r\n\r\n", "invalid"},
      {"two CSeqs", invite + "CSeq: 2 INVITE\r\n\r\n", "invalid"},
      {"another method in CSeq", without("CSeq") + "CSeq: 1 BYE\r\n\r\n", "invalid"},
      {"another version", "INVITE sip:a SIP/3.0\r\n" + invite.substr(invite.find("Via")) + "\r\n",
       "invalid"},
      {"a folded line", invite + "Subject: a\r\n b\r\n\r\n", "invalid"},
      {"a bare LF", invite + "Subject: a\nb\r\n\r\n", "invalid"},
      {"a bare CR", invite + "Subject: a\rb\r\n\r\n", "invalid"},
      {"a zero", invite + std::string("Subject: a\0b\r\n\r\n", 16), "invalid"},
      {"a line without a colon", invite + "Subject\r\n\r\n", "invalid"},
      {"shorter than it says", invite + "Content-Length: 4\r\n\r\nabc", "invalid"},
      {"longer than it says", invite + "Content-Length: 2\r\n\r\nabc", "invalid"},
      {"two lengths", invite + "Content-Length: 0\r\nl: 0\r\n\r\n", "invalid"},
      {"a length that is none", invite + "Content-Length: -1\r\n\r\n", "invalid"},
      {"a port that is none", "OPTIONS sip:1.1.1.1:99999 SIP/2.0\r\n\r\n", "invalid"},
      {"a body of another kind", invite + "Content-Type: text/plain\r\n\r\nv=1", "INVITE" + ends},
      {"a packed description", with(invite + "e: gzip\r\n", kDescription), "invalid"},
      {"addresses inside an address",
       "OPTIONS sip:sip:sip:a@1.1.1.9 SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nCall-ID: a\r\n"
       "Contact: <sip:a@1.1.1.8;x=sip:1.1.1.7>, sip:1.1.1.6\r\nCSeq: 1 OPTIONS\r\n\r\n",
       "other 1.1.1.9: 1.1.1.8: 1.1.1.6:"},
      {"too long", invite + "Subject: " + std::string(kMostMessage, 'a') + "\r\n\r\n", "invalid"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) { BOOST_TEST(told(c.text) == c.want); }
  }
  std::string many = invite;
  for (std::size_t i = 0; i < kMostEnds; ++i) many += "Route: <sip:1.1.1.1;lr>\r\n";
  BOOST_TEST(told(many + "\r\n") == "invalid");
}

BOOST_AUTO_TEST_CASE(ipv6_ends_stand_in_brackets) {
  const std::string text =
      "BYE sip:a@[2001:db8:2::10]:53 SIP/2.0\r\n"
      "Via: SIP/2.0/UDP [2001:db8:1::9];rport=70;received=[2001:db8:1::9]\r\n"
      "Call-ID: a\r\nCSeq: 2 BYE\r\nContact: <sip:a@10.64.37.9>\r\n\r\n";
  BOOST_TEST(told(text, net::Family::kIpv6) ==
             "BYE 2001:db8:2::10:53 2001:db8:1::9: seen 2001:db8:1::9:70");
  BOOST_TEST(told(text) == "BYE 10.64.37.9:");
}

BOOST_AUTO_TEST_CASE(descriptions) {
  struct Case {
    const char* name;
    std::string text;
    const char* want;
  };
  const std::string head = "v=0\r\no=- 1 1 IN IP4 10.64.37.9\r\ns=-\r\n";
  const std::string at = head + "c=IN IP4 10.64.37.9\r\n";
  const Case cases[] = {
      {"audio and video", at + "m=audio 6000 RTP/AVP 0\r\nm=video 7000 RTP/AVPF 96\r\n",
       " media 10.64.37.9 6000/6001 media 10.64.37.9 7000/7001"},
      {"an address of its own", at + "m=audio 6000 RTP/AVP 0\r\nc=IN IP4 1.2.3.4\r\n",
       " media 1.2.3.4 6000/6001"},
      {"RTCP elsewhere (RFC 3605)", at + "m=audio 6000 RTP/AVP 0\r\na=rtcp:7001\r\n",
       " media 10.64.37.9 6000/7001"},
      {"RTCP at an address", at + "m=audio 6000 RTP/AVP 0\r\na=rtcp:7001 IN IP4 1.2.3.4\r\n",
       " media 10.64.37.9 6000/7001@1.2.3.4"},
      {"LF alone, and no end", "v=0\nc=IN IP4 1.2.3.4\nm=audio 6000 RTP/AVP 0",
       " media 1.2.3.4 6000/6001"},
      {"the last port", at + "m=audio 65535 RTP/AVP 0\r\n", " media 10.64.37.9 65535/0"},
      {"not wanted", at + "m=audio 0 RTP/AVP 0\r\n", ""},
      {"on hold", head + "c=IN IP4 0.0.0.0\r\nm=audio 6000 RTP/AVP 0\r\n",
       " media nowhere 6000/6001"},
      {"a name", head + "c=IN IP4 a.example\r\nm=audio 6000 RTP/AVP 0\r\n",
       " media foreign 6000/6001"},
      {"a group", head + "c=IN IP4 224.2.1.1/127\r\nm=audio 6000 RTP/AVP 0\r\n",
       " media foreign 6000/6001"},
      {"another family", head + "c=IN IP6 2001:db8::1\r\nm=audio 6000 RTP/AVP 0\r\n",
       " media foreign 6000/6001"},
      {"media of other kinds", at + "m=image 6000 udptl t38\r\nm=audio 6000 TCP/RTP/AVP 0\r\n", ""},
      {"no address", head + "m=audio 6000 RTP/AVP 0\r\n", "invalid"},
      {"two addresses", at + "c=IN IP4 1.2.3.4\r\n", "invalid"},
      {"two RTCPs", at + "m=audio 6000 RTP/AVP 0\r\na=rtcp:7001\r\na=rtcp:7003\r\n", "invalid"},
      {"a port that is none", at + "m=audio 66000 RTP/AVP 0\r\n", "invalid"},
      {"several ports", at + "m=audio 6000/2 RTP/AVP 0\r\n", "invalid"},
      {"one port, said so", at + "m=audio 6000/1 RTP/AVP 0\r\n", " media 10.64.37.9 6000/6001"},
      {"not a description", "hello", "invalid"},
      {"a zero in it", at + std::string("s=\0\r\n", 5), "invalid"},
      {"a bare CR at the end", at + "m=audio 6000 RTP/AVP 0\r", "invalid"},
      {"a line of one letter", at + "m\r\n", "invalid"},
      {"another version", "v=1\r\n", "invalid"},
  };
  for (const Case& c : cases) {
    BOOST_TEST_CONTEXT(c.name) {
      const std::string got = told(
          with("OPTIONS sip:a SIP/2.0\r\nv: SIP/2.0/UDP a\r\ni: a\r\n"
               "CSeq: 1 OPTIONS\r\n",
               c.text));
      BOOST_TEST(got == (std::string_view{c.want} == "invalid" ? "invalid"
                                                               : std::string{"other"} + c.want));
    }
  }
  std::string many = at;
  for (std::size_t i = 0; i <= kMostMedia; ++i) many += "m=audio 6000 RTP/AVP 0\r\n";
  BOOST_TEST(told(with(kInvite, many)) == "invalid");
}

}  // namespace
}  // namespace meiguan::fastpath::sip
