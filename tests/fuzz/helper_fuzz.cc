// Any bytes as a talk over a control connection that a helper reads: the first byte is the gateway,
// then each step begins with one that says who does what. What must hold, whatever is said: a
// packet that goes on is well-formed with right checksums, its receiver's numbers have no gap and
// its acknowledgments are the sender's own; a third party is never let in, nor anybody at a
// well-known port; and when all is over, nothing is left.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/retell.h"
#include "dataplane/fastpath/test_checksums.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;
using test::Bytes;
using test::operator+;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct End {
  std::string address;
  std::string peer;
  PortId port;
  std::uint16_t own_port;
  std::uint16_t peer_port;
  std::uint32_t sent;
  std::uint32_t received{0};
};

struct Place {
  const test::World* world;
  const char* client;
  PortId client_port;
  const char* stranger;  // beside the client
  const char* server;    // as the client knows it
  PortId server_port;
  const char* other;  // beside the server
};

struct Harness {
  const test::World plain{{.helper = image::Helper::kFtp}};
  const test::World nat{{.nat = true, .helper = image::Helper::kFtp}};
  const test::World denies{{.allow = false, .nat = true, .helper = image::Helper::kFtp}};
  const test::World deaf{{.nat = true}};
  const std::array<Place, 4> places{{
      {&plain, "10.64.37.9", test::kLan, "10.64.37.10", "59.205.16.10", test::kCore,
       "59.205.16.11"},
      {&nat, "10.64.37.9", test::kLan, "10.64.37.10", "198.51.100.21", test::kWan, "198.51.100.22"},
      {&nat, "198.51.100.7", test::kWan, "198.51.100.8", "203.0.113.10", test::kDmz,
       "59.205.17.12"},
      {&nat, "2001:db8:1::9", test::kLan, "2001:db8:1::10", "2001:db8:77::21", test::kWan,
       "2001:db8:77::22"},
  }};
};

Bytes segment(const End& from, std::string_view flags, std::string_view text = {}) {
  const Bytes bytes = test::tcp(from.own_port, from.peer_port, flags,
                                {.sequence = from.sent, .acknowledgment = from.received}) +
                      Bytes(text.begin(), text.end());
  const bool v6 = from.address.find(':') != std::string::npos;
  return test::sealed(test::ethernet(v6 ? test::ipv6(from.address, from.peer, 6, bytes)
                                        : test::ipv4(from.address, from.peer, 6, bytes)));
}

class Conversation {
 public:
  Conversation(const Place& place, test::Gate& gate)
      : place_{place}, world_{place.world}, gate_{gate} {
    ends_[0] = {place.client, place.server, place.client_port, 40000, 443, 1000};
    ends_[1] = {{}, {}, place.server_port, 0, 0, 0xffff'fff0};
  }

  // Whether it goes on; `info` is what arrives.
  bool send(PortId port, Bytes frame, PacketInfo& info, std::size_t& text_bytes) {
    const auto out = gate_.send(port, frame, *world_);
    if (out.fate.reason != Reason::kAllowed) return false;
    require(out.fate.step == NextStep::kSend);
    Bytes sent = out.frame;
    info = PacketInfo{};
    parse(sent, info);
    require(info.well_formed());
    const std::span<std::uint8_t> packet = std::span{sent}.subspan(info.l3_offset);
    require(packet.size() == info.ip_bytes && packet.size() <= 1500);
    require(test::wrong_checksum(packet).empty());
    std::span<std::uint8_t> payload;
    require(find_tcp_payload(packet, info.family, payload));
    text_bytes = payload.size();
    return true;
  }

  void connect() {
    PacketInfo info;
    std::size_t bytes = 0;
    require(send(ends_[0].port, segment(ends_[0], "S"), info, bytes));
    ends_[1].address = net::to_string(info.key.destination);
    ends_[1].peer = net::to_string(info.key.source);
    ends_[1].own_port = info.key.destination_port;
    ends_[1].peer_port = info.key.source_port;
    ends_[1].received = info.tcp_sequence + 1;
    ++ends_[0].sent;
    require(send(ends_[1].port, segment(ends_[1], "SA"), info, bytes));
    ends_[0].received = ++ends_[1].sent;
    require(send(ends_[0].port, segment(ends_[0], "A"), info, bytes));
  }

  void say(unsigned who, std::string_view text) {
    PacketInfo info;
    std::size_t bytes = 0;
    if (!send(ends_[who].port, segment(ends_[who], "PA", text), info, bytes)) return;
    End& receiver = ends_[1 - who];
    require(info.tcp_sequence == receiver.received);
    require(info.tcp_acknowledgment == receiver.sent);
    ends_[who].sent += static_cast<std::uint32_t>(text.size());
    receiver.received += static_cast<std::uint32_t>(bytes);
    if (!send(receiver.port, segment(receiver, "A"), info, bytes)) return;
    require(info.tcp_acknowledgment == ends_[who].sent);
    require(info.tcp_sequence == ends_[who].received);
  }

  // A first segment by that side, or by somebody beside it, to a port of the other.
  void open(unsigned who, bool third, std::uint16_t port) {
    End from = ends_[who];
    if (from.address.empty() || port == 443) return;
    if (third) from.address = who == 0 ? place_.stranger : place_.other;
    from.own_port = 50000;
    from.peer_port = port;
    PacketInfo info;
    std::size_t bytes = 0;
    if (!send(from.port, segment(from, "S"), info, bytes)) return;
    require(!third && info.key.destination_port >= 1024);
    require(net::to_string(info.key.source) == ends_[1 - who].peer || ends_[1 - who].peer.empty());
    require(net::to_string(info.key.destination) == ends_[1 - who].address);
  }

  void live_under(const test::World& world) {
    world_ = &world;
    ++gate_.generation;
  }

 private:
  const Place& place_;
  const test::World* world_;
  test::Gate& gate_;
  std::array<End, 2> ends_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Harness harness;
  if (size == 0) return 0;
  test::Gate gate{{.flow_capacity = 64, .assume_resolved = true, .hash_seed = 1, .helpers = 2},
                  nullptr,
                  64};
  const Place& place = harness.places[data[0] & 3];
  Conversation talk{place, gate};
  talk.connect();
  std::size_t at = 1;
  while (size - at >= 3) {
    const std::uint8_t what = data[at];
    const unsigned who = what & 1;
    const auto number = static_cast<std::uint16_t>(data[at + 1] << 8 | data[at + 2]);
    switch (what >> 1 & 3) {
      case 0:
      case 1: {
        const std::size_t length = std::min<std::size_t>(data[at + 1], size - at - 2);
        talk.say(who, {reinterpret_cast<const char*>(data + at + 2), length});
        at += 2 + length;
        break;
      }
      case 2:
        talk.open(who, (what & 8) != 0, number);
        at += 3;
        break;
      default:
        gate.now += number;
        gate.pipeline->expire(gate.now);
        if ((what & 0xf8) == 0xf8) talk.live_under(harness.denies);
        if ((what & 0xf8) == 0xf0) talk.live_under(harness.deaf);
        at += 3;
        break;
    }
  }
  gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
  require(gate.pipeline->live_flows() == 0);
  require(gate.counters.totals().flows_created.value() ==
          gate.counters.totals().flows_ended.value());
  return 0;
}
