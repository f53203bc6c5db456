#pragma once

// Datagrams cut into fragments, and a pipeline whose caller keeps the frames that it holds, for
// tests.

#include <deque>
#include <string>
#include <vector>

#include "dataplane/fastpath/pipeline_fixture.h"

namespace meiguan::fastpath::test {

struct PieceOptions {
  std::string source{};
  std::string destination{};
  std::uint16_t identification{0x77};
  std::uint8_t ttl{64};
  Bytes options{};                            // IPv4
  std::optional<std::uint8_t> next_header{};  // IPv6: what the fragment header says
  EthernetOptions link{};
};

// The bytes [from, to) of `payload` as a fragment; `more` as it says of itself.
inline Bytes piece4(std::uint8_t protocol, const Bytes& payload, std::size_t from, std::size_t to,
                    bool more, const PieceOptions& o = {}) {
  Ipv4Options ip;
  ip.ttl = o.ttl;
  ip.options = o.options;
  ip.fragment = static_cast<std::uint16_t>(from / 8 | (more ? 0x2000U : 0U));
  ip.identification = o.identification;
  const auto begin = payload.begin();
  return ethernet(ipv4(o.source.empty() ? "10.64.37.9" : o.source,
                       o.destination.empty() ? "59.205.16.10" : o.destination, protocol,
                       Bytes(begin + static_cast<std::ptrdiff_t>(from),
                             begin + static_cast<std::ptrdiff_t>(to)),
                       ip),
                  o.link);
}
inline Bytes piece6(std::uint8_t protocol, const Bytes& payload, std::size_t from, std::size_t to,
                    bool more, const PieceOptions& o = {}) {
  net::FragmentHeader header{};
  header.next_header = o.next_header.value_or(protocol);
  header.offset_more = be16(from | (more ? 1U : 0U));
  header.identification = net::Be32::from_host(o.identification);
  Bytes bytes;
  append(bytes, header);
  const auto begin = payload.begin();
  append(bytes,
         Bytes(begin + static_cast<std::ptrdiff_t>(from), begin + static_cast<std::ptrdiff_t>(to)));
  return ethernet(ipv6(o.source.empty() ? "2001:db8:1::9" : o.source,
                       o.destination.empty() ? "2001:db8:2::10" : o.destination,
                       net::protocol::kFragment, bytes, {o.ttl, {}, 6}),
                  o.link);
}
// All of it, in pieces of `size` bytes.
inline std::vector<Bytes> cut(bool v6, std::uint8_t protocol, const Bytes& payload,
                              std::size_t size, const PieceOptions& o = {}) {
  std::vector<Bytes> pieces;
  for (std::size_t at = 0; at < payload.size(); at += size) {
    const std::size_t end = std::min(at + size, payload.size());
    pieces.push_back(v6 ? piece6(protocol, payload, at, end, end < payload.size(), o)
                        : piece4(protocol, payload, at, end, end < payload.size(), o));
  }
  return pieces;
}

// A pipeline and every frame that was sent into it, with its fate.
struct FragmentGate {
  explicit FragmentGate(PipelineOptions options = {.flow_capacity = 1024,
                                                   .assume_resolved = true,
                                                   .hash_seed = 1},
                        const WorldOptions& world_options = {})
      : world{world_options}, gate{options} {}

  struct Sent {
    Bytes memory;
    Frame frame;
    Fate fate;
    unsigned ended{0};  // how often its fate was told
    [[nodiscard]] Bytes bytes() const { return Bytes(frame.data, frame.data + frame.length); }
  };

  void send(const Bytes& bytes, PortId port = kLan) { send(bytes, port, world); }
  void send(const Bytes& bytes, PortId port, const World& by) {
    Sent& sent = all.emplace_back();
    sent.memory = Bytes(Frame::kHeadroom) + bytes;
    sent.frame = {sent.memory.data() + Frame::kHeadroom, static_cast<std::uint32_t>(bytes.size()),
                  port, &sent};
    Frame frame = sent.frame;
    gate.pipeline->process(by.image(), gate.moment, gate.generation, gate.now, {&frame, 1},
                           {&sent.fate, 1});
    if (sent.fate.step != NextStep::kHold) {
      sent.frame = frame;
      ++sent.ended;
    }
    collect();
  }
  void send(const std::vector<Bytes>& frames, PortId port = kLan) {
    for (const Bytes& frame : frames) send(frame, port);
  }
  void expire() {
    gate.pipeline->expire(gate.now);
    collect();
  }
  void end() {
    gate.pipeline->end_all(gate.now, FlowEnd::kShutdown);
    collect();
  }
  void collect() {
    std::array<Frame, 7> frames;
    std::array<Fate, 7> fates;
    while (const std::size_t count = gate.pipeline->released(frames, fates)) {
      for (std::size_t i = 0; i < count; ++i) {
        auto& sent = *static_cast<Sent*>(frames[i].handle);
        sent.frame = frames[i];
        sent.fate = fates[i];
        ++sent.ended;
        order.push_back(&sent);
      }
    }
  }
  // The reasons of all frames in the order of sending; equal ones in a row as `3 allowed`.
  [[nodiscard]] std::string reasons(std::size_t from = 0) const {
    std::string text;
    for (std::size_t i = from; i < all.size();) {
      std::size_t n = 1;
      const std::string reason = reason_of(all[i]);
      while (i + n < all.size() && reason_of(all[i + n]) == reason) ++n;
      text += (text.empty() ? "" : ", ") + (n > 1 ? std::to_string(n) + " " : "") + reason;
      i += n;
    }
    return text;
  }
  [[nodiscard]] static std::string reason_of(const Sent& sent) {
    if (sent.ended == 0) return "held";
    if (sent.ended > 1) return "told twice";
    if (sent.fate.step == NextStep::kHandOver) return "to " + std::to_string(sent.fate.owner);
    const ReasonInfo* info = find_reason(sent.fate.reason);
    return info != nullptr ? std::string{info->name} : "?";
  }

  World world;
  Gate gate;
  std::deque<Sent> all;
  std::vector<Sent*> order;  // of release
};

}  // namespace meiguan::fastpath::test
