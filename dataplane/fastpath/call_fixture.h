#pragma once

// Two ends that talk SIP through a gate, and what they send beside it.

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/retell.h"
#include "dataplane/fastpath/test_checksums.h"

namespace meiguan::fastpath::test {

struct Phone {
  PortId port;  // of the gate that it is behind
  std::string address;
  std::uint16_t own{0};
};

struct Heard {
  std::string reason;
  std::string text;
  std::string source;
  std::string destination;
  std::uint16_t from{0};
  std::uint16_t to{0};
};

inline Bytes datagram(const Phone& from, std::string_view address, std::uint16_t port,
                      std::string_view text) {
  Bytes bytes = udp(from.own, port, text.size());
  std::copy(text.begin(), text.end(), bytes.begin() + 8);
  const bool v6 = from.address.find(':') != std::string::npos;
  return sealed(ethernet(v6 ? ipv6(from.address, address, 17, bytes)
                            : ipv4(from.address, address, 17, bytes)));
}

inline Heard send(Gate& gate, const World& world, PortId port, const Bytes& frame) {
  Gate::Out out = gate.send(port, frame, world);
  Heard heard;
  heard.reason = out.reason();
  if (out.fate.reason != Reason::kAllowed) return heard;
  PacketInfo info;
  parse(out.frame, info);
  BOOST_TEST(info.well_formed());
  const std::span<std::uint8_t> packet = std::span{out.frame}.subspan(info.l3_offset);
  BOOST_TEST(packet.size() == info.ip_bytes);
  BOOST_TEST(wrong_checksum(packet) == "");
  std::span<std::uint8_t> payload;
  BOOST_TEST(find_udp_payload(packet, info.family, payload));
  heard.text.assign(payload.begin(), payload.end());
  heard.source = net::to_string(info.key.source);
  heard.destination = net::to_string(info.key.destination);
  heard.from = info.key.source_port;
  heard.to = info.key.destination_port;
  return heard;
}
inline Heard send(Gate& gate, const World& world, const Phone& from, std::string_view address,
                  std::uint16_t port, std::string_view text) {
  return send(gate, world, from.port, datagram(from, address, port, text));
}

inline std::string bracketed(std::string_view address) {
  const bool v6 = address.find(':') != std::string_view::npos;
  return v6 ? "[" + std::string{address} + "]" : std::string{address};
}

// A description of audio at a port; `more` stands behind it.
inline std::string audio(std::string_view address, std::uint16_t port, std::string_view more = {}) {
  const std::string at = (address.find(':') != std::string_view::npos ? "IN IP6 " : "IN IP4 ") +
                         std::string{address};
  return "v=0\r\no=- 1 1 " + at + "\r\ns=-\r\nc=" + at + "\r\nt=0 0\r\nm=audio " +
         std::to_string(port) + " RTP/AVP 0\r\n" + std::string{more};
}

// A message; `first` is its first line, `method` that of CSeq, `own` the sender's host and port.
inline std::string message(std::string_view first, std::string_view method, std::string_view via,
                           std::string_view contact, std::string_view body = {},
                           std::string_view call = "one") {
  std::string text = std::string{first} + "\r\nVia: SIP/2.0/UDP " + std::string{via} +
                     ";branch=z9hG4bK1\r\nFrom: <sip:a>;tag=1\r\nTo: <sip:b>\r\nCall-ID: " +
                     std::string{call} + "\r\nCSeq: 1 " + std::string{method} +
                     "\r\nContact: <sip:" + std::string{contact} + ">\r\n";
  if (!body.empty()) text += "Content-Type: application/sdp\r\n";
  return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string{body};
}

inline std::uint16_t number_behind(std::string_view text, std::string_view what) {
  const std::size_t at = text.find(what);
  if (at == std::string_view::npos) return 0;
  return static_cast<std::uint16_t>(std::stoi(std::string{text.substr(at + what.size(), 6)}));
}

}  // namespace meiguan::fastpath::test
