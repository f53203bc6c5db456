#pragma once

// Two ends of a TCP connection that talk through a gate, each by what arrives at it: so whatever
// the gateway makes of addresses, ports, numbers and text, both must agree on what was said.

#include <boost/test/unit_test.hpp>

#include <string>
#include <string_view>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/retell.h"
#include "dataplane/fastpath/test_checksums.h"

namespace meiguan::fastpath::test {

struct TalkEnd {
  std::string address;
  std::string peer;
  PortId port;  // of the gate that it is behind
  std::uint16_t own_port{0};
  std::uint16_t peer_port{0};
  std::uint32_t sent{0};      // its next sequence number
  std::uint32_t received{0};  // the next that it waits for
};

struct Arrived {
  std::string reason;
  std::string text;
  PacketInfo info;
  Bytes frame;
};

class Talk {
 public:
  // From `client`, behind `client_port`, to `server` as the client knows it; the server is behind
  // `server_port`.
  Talk(Gate& gate, const World& world, PortId client_port, std::string_view client,
       std::uint16_t own_port, PortId server_port, std::string_view server, std::uint16_t to_port)
      : gate_{gate}, world_{&world} {
    ends[0] = {std::string{client}, std::string{server}, client_port, own_port, to_port, 1000, 0};
    ends[1].port = server_port;
    ends[1].sent = 0xffff'fff0;  // about to wrap
  }

  Bytes frame(unsigned who, std::string_view flags, std::string_view text = {}, int ahead = 0,
              Bytes options = {}) const {
    const TalkEnd& end = ends[who];
    TcpOptions o{.sequence = end.sent + static_cast<std::uint32_t>(ahead),
                 .acknowledgment = end.received};
    o.options = std::move(options);
    const Bytes segment = tcp(end.own_port, end.peer_port, flags, o) +
                          Bytes(text.begin(), text.end());
    const bool v6 = end.address.find(':') != std::string::npos;
    return sealed(ethernet(v6 ? ipv6(end.address, end.peer, 6, segment)
                              : ipv4(end.address, end.peer, 6, segment)));
  }

  Arrived send(unsigned who, const Bytes& bytes) {
    const Gate::Out out = gate_.send(ends[who].port, bytes, *world_);
    Arrived arrived{out.reason(), {}, {}, out.frame};
    if (out.fate.reason != Reason::kAllowed) return arrived;
    parse(arrived.frame, arrived.info);
    const PacketInfo& info = arrived.info;
    BOOST_TEST((out.fate.out == ends[1 - who].port));
    BOOST_TEST(info.well_formed());
    const std::span<std::uint8_t> packet = std::span{arrived.frame}.subspan(info.l3_offset);
    BOOST_TEST(packet.size() == info.ip_bytes);
    BOOST_TEST(wrong_checksum(packet) == "");
    std::span<std::uint8_t> payload;
    BOOST_TEST(find_tcp_payload(packet, info.family, payload));
    arrived.text.assign(payload.begin(), payload.end());
    return arrived;
  }

  // The handshake; the server learns who it talks to.
  std::string connect() {
    const Arrived syn = send(0, frame(0, "S"));
    if (syn.reason != "allowed") return syn.reason;
    ends[1].address = net::to_string(syn.info.key.destination);
    ends[1].own_port = syn.info.key.destination_port;
    ends[1].peer = net::to_string(syn.info.key.source);
    ends[1].peer_port = syn.info.key.source_port;
    ends[1].received = syn.info.tcp_sequence + 1;
    ++ends[0].sent;
    const Arrived answer = send(1, frame(1, "SA"));
    BOOST_TEST(answer.reason == "allowed");
    ++ends[1].sent;
    ends[0].received = ends[1].sent;
    return send(0, frame(0, "A")).reason;
  }

  // Says a text, which the other side takes and acknowledges; what has arrived, or the reason.
  std::string say(unsigned who, std::string_view text) {
    const Arrived arrived = send(who, frame(who, "PA", text));
    if (arrived.reason != "allowed") return arrived.reason;
    ends[who].sent += static_cast<std::uint32_t>(text.size());
    take(1 - who, arrived);
    acknowledge(1 - who);
    return arrived.text;
  }
  void take(unsigned who, const Arrived& arrived) {
    BOOST_TEST(arrived.info.tcp_sequence == ends[who].received);
    BOOST_TEST(arrived.info.tcp_acknowledgment == ends[who].sent);
    ends[who].received += static_cast<std::uint32_t>(arrived.text.size());
  }
  void acknowledge(unsigned who) {
    const Arrived ack = send(who, frame(who, "A"));
    BOOST_TEST(ack.reason == "allowed");
    BOOST_TEST(ack.info.tcp_acknowledgment == ends[1 - who].sent);
    BOOST_TEST(ack.info.tcp_sequence == ends[1 - who].received);
  }
  void live_under(const World& world) { world_ = &world; }

  TalkEnd ends[2];

 private:
  Gate& gate_;
  const World* world_;
};

}  // namespace meiguan::fastpath::test
