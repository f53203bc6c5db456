// Any bytes as what hosts on all sides of the boundary do, so that packets meet the state that
// others have left: they open flows, answer what has reached them, quote it in ICMP errors, cut
// datagrams into fragments that may overlap or come out of order, send again, and wait; policies
// change meanwhile. Eight bytes are one step. What must hold, beside what holds of every frame:
// nothing inside is seen in the internet, nothing comes in by a pool address but to a port that has
// sent, and nothing of the other address space to where it is not translated.

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "tests/fuzz/frame_checks.h"

namespace {

using namespace meiguan;
using namespace meiguan::fastpath;
using namespace meiguan::fastpath::fuzz;
using test::Bytes;

constexpr std::size_t kStep = 8;
constexpr std::size_t kMostSeen = 16;

struct Host {
  const char* address;
  PortId port;
};
constexpr std::array<Host, 10> kHosts{{
    {"10.64.37.9", test::kLan},
    {"10.64.37.10", test::kLan},
    {"198.51.100.21", test::kWan},
    {"198.51.100.7", test::kWan},
    {"59.205.17.10", test::kDmz},
    {"59.205.17.11", test::kDmz},
    {"10.1.1.9", test::kVpn},
    {"10.70.0.10", test::kExchange},
    {"2001:db8:1::9", test::kLan},
    {"2001:db8:77::21", test::kWan},
}};
constexpr std::array<const char*, 12> kTargets{"198.51.100.21", "198.51.100.7", "203.0.113.10",
                                               "203.0.113.11",  "59.205.17.10", "10.70.0.10",
                                               "10.200.1.9",    "10.64.37.9",   "2001:db8:77::21",
                                               "2001:db8:1::9", "203.0.113.33", "59.205.17.11"};
constexpr std::array<std::uint16_t, 8> kPorts{443, 53, 8000, 8001, 3868, 22, 8080, 1024};

constexpr auto kOpen = image::Filtering::kEndpointIndependent;

struct Harness {
  const std::array<test::World, 4> worlds{{
      test::World{{.nat = true}},
      test::World{{.nat = true,
                   .egress = {0, 1, 0, 1, 2048, 2303, 64, 2, kOpen, {}},
                   .pool = "203.0.113.32/31"}},
      test::World{{.nat = true, .second_endpoint = false}},
      test::World{{.allow = false, .nat = true}},
  }};
};

net::Prefix prefix(std::string_view address, std::uint8_t length) {
  return net::Prefix::around(test::address(address), length);
}
bool is_inside(const net::Address& address) {
  static const std::array<net::Prefix, 4> kInside{prefix("10.0.0.0", 8), prefix("59.205.0.0", 16),
                                                  prefix("2001:db8:1::", 64),
                                                  prefix("2001:db8:2::", 64)};
  return std::ranges::any_of(kInside, [&](const net::Prefix& p) { return p.contains(address); });
}
bool is_pool(const net::Address& address) {
  static const net::Prefix kPool = prefix("203.0.113.32", 28);
  return kPool.contains(address);
}
bool is_outside_of_vpn(const net::Address& address) {
  static const net::Prefix kOutside = prefix("10.200.1.0", 24);
  return kOutside.contains(address);
}

// A packet that has arrived somewhere.
struct Arrived {
  Bytes packet;
  PacketInfo info;
  PortId port;
};
using Endpoint = std::tuple<std::string, std::uint16_t, std::uint8_t>;

class Boundary {
 public:
  explicit Boundary(const Harness& harness) : harness_{harness} {}

  void step(std::span<const std::uint8_t, kStep> bytes) {
    const std::uint8_t how = bytes[0];
    const Arrived* const of = seen_.empty() ? nullptr : &seen_[bytes[1] % seen_.size()];
    switch (how & 7) {
      case 0:
      case 1: open(bytes, 0); break;
      case 2: open(bytes, bytes[7]); break;
      case 3:
      case 4:
        if (of != nullptr) answer(*of, bytes, (how & 7) == 4 ? bytes[7] : std::uint8_t{0});
        break;
      case 5:
        if (of != nullptr) quote(*of, bytes);
        break;
      case 6: gate_.now += Tick{bytes[2]} * bytes[2] * 20; break;
      default:
        world_ = bytes[2] % harness_.worlds.size();
        ++gate_.generation;
        break;
    }
    gate_.pipeline->expire(gate_.now);
    take();
  }
  void finish() { check_all_ended(gate_, held_, frames_); }

 private:
  static Bytes payload(std::uint8_t protocol, std::uint16_t from, std::uint16_t to, bool reply,
                       std::uint8_t how, bool v6, const PacketInfo* of) {
    static constexpr const char* kFlags[] = {"SA", "A", "PA", "FA", "R", "S", "RA", "A"};
    switch (protocol) {
      case 6: {
        const std::uint32_t next = of != nullptr ? of->tcp_end : 0;
        return test::tcp(from, to, reply ? kFlags[how & 7] : "S",
                         {.sequence = reply ? of->tcp_acknowledgment + (how >> 6) : 1000U,
                          .acknowledgment = next,
                          .payload = how >> 3 & 7U});
      }
      case 17: return test::udp(from, to, 32);
      case 1:
      case 58: {
        const std::uint8_t type = v6 ? (reply ? 129 : 128) : (reply ? 0 : 8);
        return test::icmp(type, 0, reply ? of->key.source_port : from);
      }
      default: return Bytes(16, how);
    }
  }
  static Bytes packet(const std::string& source, const std::string& destination,
                      std::uint8_t protocol, const Bytes& payload) {
    if (source.find(':') == std::string::npos) {
      return test::ipv4(source, destination, protocol, payload);
    }
    return protocol == 58 ? test::icmp6_packet(source, destination, payload)
                          : test::ipv6(source, destination, protocol, payload);
  }

  void open(std::span<const std::uint8_t, kStep> bytes, std::uint8_t cut) {
    static constexpr std::array<std::uint8_t, 4> kProtocols{6, 17, 1, 47};
    const Host& host = kHosts[bytes[1] % kHosts.size()];
    const std::string target = kTargets[bytes[2] % kTargets.size()];
    const bool v6 = std::string_view{host.address}.contains(':');
    if (v6 != target.contains(':')) return;
    std::uint8_t protocol = kProtocols[bytes[3] & 3];
    if (v6 && protocol == 1) protocol = 58;
    const auto from = static_cast<std::uint16_t>(40000 + (bytes[4] & 15));
    const auto to = bytes[5] < 128 ? kPorts[bytes[5] & 7]
                                   : static_cast<std::uint16_t>(2048 + bytes[6]);
    send(host.port,
         packet(host.address, target, protocol,
                payload(protocol, from, to, false, bytes[6], v6, nullptr)),
         cut, bytes);
  }

  void answer(const Arrived& of, std::span<const std::uint8_t, kStep> bytes, std::uint8_t cut) {
    const FlowKey& key = of.info.key;
    if (of.info.kind != PacketKind::kPacket) return;
    const bool v6 = of.info.family == net::Family::kIpv6;
    send(of.port,
         packet(net::to_string(key.destination), net::to_string(key.source), of.info.protocol,
                payload(of.info.protocol, key.destination_port, key.source_port, true, bytes[3], v6,
                        &of.info)),
         cut, bytes);
  }

  void quote(const Arrived& of, std::span<const std::uint8_t, kStep> bytes) {
    static constexpr std::array<std::uint8_t, 4> kTypes{3, 11, 12, 4}, kTypes6{1, 3, 4, 2};
    const bool v6 = of.info.family == net::Family::kIpv6;
    const std::size_t length = std::min<std::size_t>(of.packet.size(), 20U + bytes[3] % 80U);
    const Bytes quoted(of.packet.begin(), of.packet.begin() + static_cast<std::ptrdiff_t>(length));
    const Bytes message = test::icmp(v6 ? kTypes6[bytes[2] & 3] : kTypes[bytes[2] & 3],
                                     bytes[4] & 3, 0, quoted);
    const std::string from = (bytes[5] & 1) != 0 ? net::to_string(of.info.key.destination)
                             : v6                ? "2001:db8:77::99"
                                                 : "198.51.100.99";
    send(of.port, packet(from, net::to_string(of.info.key.source), v6 ? 58 : 1, message), 0, bytes);
  }

  // As it is, or cut in two or three, which may overlap, come in another order, or not all come.
  void send(PortId port, const Bytes& whole, std::uint8_t cut,
            std::span<const std::uint8_t, kStep> bytes) {
    if (cut == 0) return frame(port, whole);
    const bool v6 = whole[0] >> 4 == 6;
    const std::size_t header = v6 ? 40 : 20;
    const std::size_t upper = whole.size() - header;
    const std::size_t middle = (8U * (1U + (cut & 3))) % (upper + 8);
    const std::size_t overlap = (cut & 4) != 0 ? 8 : 0;
    const auto part = [&](std::size_t from, std::size_t to, bool more) {
      to = std::min(to, upper);
      if (from >= to) return;
      Bytes bytes_of(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(header));
      const auto offset = static_cast<std::uint16_t>(from);
      const auto flags = static_cast<std::uint16_t>(v6 ? offset | (more ? 1 : 0)
                                                       : offset / 8 | (more ? 0x2000 : 0));
      if (v6) {
        const Bytes extension{bytes_of[6],
                              0,
                              static_cast<std::uint8_t>(flags >> 8),
                              static_cast<std::uint8_t>(flags),
                              0,
                              0,
                              0,
                              bytes[6]};
        bytes_of[6] = 44;
        bytes_of[4] = 0;
        bytes_of[5] = static_cast<std::uint8_t>(8 + to - from);
        test::append(bytes_of, extension);
      } else {
        bytes_of[2] = 0;
        bytes_of[3] = static_cast<std::uint8_t>(header + to - from);
        bytes_of[4] = 0;
        bytes_of[5] = bytes[6];
        bytes_of[6] = static_cast<std::uint8_t>(flags >> 8);
        bytes_of[7] = static_cast<std::uint8_t>(flags);
        bytes_of[10] = bytes_of[11] = 0;
        const net::Be16 sum = net::checksum(bytes_of);
        std::memcpy(bytes_of.data() + 10, &sum, sizeof sum);
      }
      bytes_of.insert(bytes_of.end(), whole.begin() + static_cast<std::ptrdiff_t>(header + from),
                      whole.begin() + static_cast<std::ptrdiff_t>(header + to));
      raw(port, bytes_of);
    };
    if ((cut & 8) != 0) part(middle - std::min(overlap, middle), upper, false);
    part(0, middle, true);
    if ((cut & 24) == 0) part(middle - std::min(overlap, middle), upper, false);
  }

  void frame(PortId port, const Bytes& packet) {
    Bytes sealed = test::sealed(test::ethernet(packet));
    raw_frame(port, sealed);
  }
  void raw(PortId port, const Bytes& packet) { raw_frame(port, test::ethernet(packet)); }

  void raw_frame(PortId port, const Bytes& bytes) {
    auto input = std::make_unique<Input>(bytes.data(), bytes.size());
    Bytes tagged;
    PortId main = port;
    if (port == test::kVpn) {
      // Behind the tag of the sub-port.
      tagged = bytes;
      tagged.insert(tagged.begin() + 12, {0x81, 0x00, 0x00, 100});
      input = std::make_unique<Input>(tagged.data(), tagged.size());
      main = test::kLan;
    }
    Frame frame{input->memory.get() + Frame::kHeadroom, static_cast<std::uint32_t>(input->length),
                main, input.get()};
    Fate fate;
    gate_.pipeline->process(harness_.worlds[world_].image(), {}, gate_.generation, gate_.now,
                            {&frame, 1}, {&fate, 1});
    ++frames_;
    if (fate.step == NextStep::kHold) {
      require(input->may_hold);
      void* const handle = input.get();
      held_.emplace(handle, std::move(input));
    } else {
      check_end(*input, frame, fate);
      arrive(*input, frame, fate);
    }
    take();
  }
  void take() {
    take_released(gate_, held_, [this](const Input& input, const Frame& frame, const Fate& fate) {
      arrive(input, frame, fate);
    });
  }

  void arrive(const Input& input, const Frame& frame, const Fate& fate) {
    if (fate.step != NextStep::kSend) return;
    Arrived arrived;
    arrived.port = fate.out;
    parse({frame.data, frame.length}, arrived.info);
    const PacketInfo& info = arrived.info;
    arrived.packet.assign(frame.data + info.l3_offset, frame.data + info.l3_offset + info.ip_bytes);
    const net::Address source = info.source();
    const net::Address destination = info.destination();
    if (fate.out == test::kWan) {
      require(!is_inside(source) && !is_inside(destination));
      require(!is_inside(info.key.source) && !is_inside(info.key.destination));
      if (info.kind == PacketKind::kPacket) {
        sent_.insert({net::to_string(source), info.key.source_port, info.protocol});
      } else if (info.kind == PacketKind::kFragment) {
        fragments_left_ = true;
      }
    }
    const PacketInfo& before = input.before;
    if (fate.in == test::kWan && before.kind == PacketKind::kPacket && !fragments_left_ &&
        is_pool(before.destination())) {
      require(sent_.contains(
          {net::to_string(before.destination()), before.key.destination_port, before.protocol}));
    }
    if (fate.out == test::kExchange && fate.in == test::kVpn) {
      require(is_outside_of_vpn(source));
    }
    if (info.kind == PacketKind::kFragment) return;
    if (seen_.size() == kMostSeen) seen_.erase(seen_.begin());
    seen_.push_back(std::move(arrived));
  }

  const Harness& harness_;
  test::Gate gate_{{.flow_capacity = 32,
                    .assume_resolved = true,
                    .hash_seed = 1,
                    .fragments = {.fragments = 16,
                                  .datagrams = 8,
                                  .per_datagram = 4,
                                  .source_fragments = 12,
                                  .source_datagrams = 6},
                    .port_blocks = 4},
                   nullptr,
                   16};
  std::size_t world_{0};
  std::uint64_t frames_{0};
  Held held_;
  std::vector<Arrived> seen_;
  std::set<Endpoint> sent_;
  bool fragments_left_{false};
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Harness harness;
  Boundary boundary{harness};
  for (std::size_t at = 0; size - at >= kStep; at += kStep) {
    boundary.step(std::span<const std::uint8_t, kStep>{data + at, kStep});
  }
  boundary.finish();
  return 0;
}
