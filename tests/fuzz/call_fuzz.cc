// Any bytes as what two ends say over a flow that the helper of SIP reads: the first byte is the
// gateway, then each step begins with one that says who does what; a text is as long as the two
// bytes in front of it say. What must hold, whatever is said: what goes on is a well-formed packet
// with right checksums that fits the way out, and still one message of SIP, which announces nobody
// but its sender as the receiver knows it; a third party is never let in, nor anybody at a
// well-known port; and when all is over, nothing is left.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "dataplane/fastpath/parse.h"
#include "dataplane/fastpath/pipeline_fixture.h"
#include "dataplane/fastpath/retell.h"
#include "dataplane/fastpath/sip.h"
#include "dataplane/fastpath/test_checksums.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;
using test::Bytes;

constexpr std::uint16_t kCalls = 53;  // of the service
constexpr std::uint16_t kOwn = 5060;

void require(bool holds) {
  if (!holds) __builtin_trap();
}

struct Place {
  const test::World* world;
  std::array<const char*, 2> ends;  // the second as the first knows it
  std::array<PortId, 2> ports;
  std::array<const char*, 2> beside;
};

struct Harness {
  const test::World plain{{.helper = image::Helper::kSip}};
  const test::World nat{{.nat = true, .helper = image::Helper::kSip}};
  const test::World denies{{.allow = false, .nat = true, .helper = image::Helper::kSip}};
  const test::World deaf{{.nat = true}};
  const std::array<Place, 4> places{{
      {&plain,
       {"10.64.37.9", "59.205.16.10"},
       {test::kLan, test::kCore},
       {"10.64.37.10", "59.205.16.11"}},
      {&nat,
       {"10.64.37.9", "198.51.100.21"},
       {test::kLan, test::kWan},
       {"10.64.37.10", "198.51.100.22"}},
      {&nat,
       {"198.51.100.7", "203.0.113.10"},
       {test::kWan, test::kDmz},
       {"198.51.100.8", "59.205.17.12"}},
      {&nat,
       {"2001:db8:1::9", "2001:db8:77::21"},
       {test::kLan, test::kWan},
       {"2001:db8:1::10", "2001:db8:77::22"}},
  }};
};

struct End {
  std::string address;
  std::string peer;
  PortId port;
  std::uint16_t own_port{0};
  std::uint16_t peer_port{0};
};

Bytes datagram(const End& from, std::string_view text) {
  Bytes bytes = test::udp(from.own_port, from.peer_port, text.size());
  std::copy(text.begin(), text.end(), bytes.begin() + 8);
  const bool v6 = from.address.find(':') != std::string::npos;
  return test::sealed(test::ethernet(v6 ? test::ipv6(from.address, from.peer, 17, bytes)
                                        : test::ipv4(from.address, from.peer, 17, bytes)));
}

class Conversation {
 public:
  Conversation(const Place& place, test::Gate& gate)
      : place_{place}, world_{place.world}, gate_{gate} {
    ends_[0] = {place.ends[0], place.ends[1], place.ports[0], kOwn, kCalls};
    ends_[1].port = place.ports[1];
  }

  void say(unsigned who, std::string_view text) {
    // Who is called says nothing first.
    if (ends_[who].address.empty() || text.size() > 1400) return;
    PacketInfo info;
    Bytes frame;
    if (!send(ends_[who], text, info, frame)) return;
    if (who == 0) {
      ends_[1] = {net::to_string(info.key.destination), net::to_string(info.key.source),
                  place_.ports[1], info.key.destination_port, info.key.source_port};
    }
    if (world_ == deaf_) return;
    std::span<std::uint8_t> payload;
    require(find_udp_payload(std::span{frame}.subspan(info.l3_offset), info.family, payload));
    const auto message = std::make_unique<sip::Message>();
    const sip::Says says = sip::read({reinterpret_cast<const char*>(payload.data()),
                                      payload.size()},
                                     info.family, *message);
    require(says != sip::Says::kInvalid);
    for (std::size_t i = 0; i < message->media_count; ++i) {
      const sip::Media& media = message->media[i];
      require(media.where == sip::Where::kNowhere || media.address == info.key.source);
      require(media.where == sip::Where::kNowhere || (media.port >= 1024 && media.rtcp != 1023));
    }
  }

  // Media by that side, or by somebody beside it, to a port of the other.
  void open(unsigned who, bool third, std::uint16_t port) {
    End from = ends_[who];
    if (from.address.empty() || port == kCalls) return;
    if (third) from.address = place_.beside[who];
    from.own_port = 50000;
    from.peer_port = port;
    PacketInfo info;
    Bytes frame;
    if (!send(from, "media", info, frame)) return;
    require(!third && info.key.destination_port >= 1024);
    require(net::to_string(info.key.destination) == ends_[1 - who].address);
  }

  void live_under(const test::World& world, bool deaf) {
    world_ = &world;
    deaf_ = deaf ? &world : nullptr;
    ++gate_.generation;
  }

 private:
  bool send(const End& from, std::string_view text, PacketInfo& info, Bytes& frame) {
    const auto out = gate_.send(from.port, datagram(from, text), *world_);
    if (out.fate.reason != Reason::kAllowed) return false;
    require(out.fate.step == NextStep::kSend);
    frame = out.frame;
    info = PacketInfo{};
    parse(frame, info);
    require(info.well_formed());
    const std::span<std::uint8_t> packet = std::span{frame}.subspan(info.l3_offset);
    require(packet.size() == info.ip_bytes && packet.size() <= 1500);
    require(test::wrong_checksum(packet).empty());
    return true;
  }

  const Place& place_;
  const test::World* world_;
  const test::World* deaf_{nullptr};
  test::Gate& gate_;
  std::array<End, 2> ends_{};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Harness harness;
  if (size == 0) return 0;
  test::Gate gate{{.flow_capacity = 64, .assume_resolved = true, .hash_seed = 1, .helpers = 4},
                  nullptr,
                  64};
  Conversation talk{harness.places[data[0] & 3], gate};
  std::size_t at = 1;
  while (size - at >= 3) {
    const std::uint8_t what = data[at];
    const unsigned who = what & 1;
    const auto number = static_cast<std::uint16_t>(data[at + 1] << 8 | data[at + 2]);
    at += 3;
    switch (what >> 1 & 3) {
      case 0:
      case 1: {
        const std::size_t length = std::min<std::size_t>(number, size - at);
        talk.say(who, {reinterpret_cast<const char*>(data + at), length});
        at += length;
        break;
      }
      case 2: talk.open(who, (what & 8) != 0, number); break;
      default:
        gate.now += number;
        gate.pipeline->expire(gate.now);
        if ((what & 0xf8) == 0xf8) talk.live_under(harness.denies, false);
        if ((what & 0xf8) == 0xf0) talk.live_under(harness.deaf, true);
        break;
    }
  }
  gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
  require(gate.pipeline->live_flows() == 0);
  require(gate.counters.totals().flows_created.value() ==
          gate.counters.totals().flows_ended.value());
  return 0;
}
