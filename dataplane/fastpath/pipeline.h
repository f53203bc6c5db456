#pragma once

// What a worker does with a burst of frames, from the first byte of the Ethernet header to the
// frame that may be sent: parse -> known flow -> sender -> admission -> route -> decision -> flow
// -> TTL, MTU -> rewrite -> account. No I/O, no clock, no lock, no allocation after construction.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "dataplane/base/strong_id.h"
#include "dataplane/fastpath/counters.h"
#include "dataplane/fastpath/event.h"
#include "dataplane/fastpath/neighbour_table.h"
#include "dataplane/fastpath/reason.h"
#include "dataplane/image/block_list.h"
#include "dataplane/image/reader.h"
#include "dataplane/net/address.h"

namespace meiguan::fastpath {

inline constexpr std::size_t kMaxBurst = 64;

// Milliseconds of a clock that the caller owns: a monotonic one, or a capture's own time. It may
// stand still; where it goes back, it is held at its highest value so far.
using Tick = std::uint64_t;

// A frame in the caller's memory. `data` has kHeadroom writable bytes in front of it, and kTailroom
// behind it as far as an IP packet of the largest port's MTU reaches.
struct Frame {
  static constexpr std::size_t kHeadroom = 8;
  static constexpr std::size_t kTailroom = 256;
  std::uint8_t* data{};
  std::uint32_t length{0};  // bytes, without FCS
  PortId port;              // the main port that it came in by
  void* handle{nullptr};    // the caller's own: held frames come back with it
};

enum class NextStep : std::uint8_t {
  kSend,     // the frame is rewritten: send it by the main port of `out`
  kAnswer,   // the frame has become the answer: send it by the main port of `in`
  kConsume,  // for the gateway itself: ARP, ND, ICMP to its addresses
  kReport,   // dropped; the sender may be told by ICMP (TTL, MTU, no route), at a limited rate
  kDrop,
  // The ways in which a packet has not ended yet, and is not counted:
  kResolve,   // allowed, but the next hop's MAC is unknown: hold it, resolve `next_hop` on `out`;
              // the frame is rewritten but for its destination MAC, which is zero
  kHold,      // a fragment: the pipeline keeps the frame's memory and hands it back by `released`
  kHandOver,  // a fragment of a whole datagram whose flow worker `owner` owns: give it the frame
};

// Whether a packet has ended by now: the one who has it last counts it.
[[nodiscard]] constexpr bool has_ended(NextStep step) noexcept { return step < NextStep::kResolve; }

// How a frame ended, and what the caller has to do with it.
struct Fate {
  Reason reason{Reason::kNoImage};
  NextStep step{NextStep::kDrop};
  std::uint8_t protocol{0};
  bool reply{false};  // from the responder of its flow
  PortId in;          // the port or sub-port that it came in by
  PortId out;         // the port or sub-port that it leaves or would leave by
  RuleId rule;
  UnitId unit;
  UnitId to_unit;
  ServiceId service;
  std::uint16_t l3_offset{0};  // of the IP header in the frame as received; 0 when not IP
  std::uint16_t ip_bytes{0};   // length of the IP packet, the count of unit, service and rule
  std::uint16_t owner{0};      // with kHandOver: a worker
  net::Address next_hop;       // with kSend and kResolve
};

// The store of fragments, of one worker. A share is what one source may have in it: an address, and
// the network (IPv4 /27, IPv6 /64) of all that are near it. As part of PipelineOptions the most
// there can be, and what memory is taken for: an image in force asks for less
// (fragment_options, limit_values.h).
struct FragmentOptions {
  std::uint32_t fragments{4096};
  std::uint32_t datagrams{1024};    // refused ones (tombstones) included
  std::uint32_t per_datagram{128};  // 65,535 bytes over a link of 576 need 119
  std::uint32_t source_fragments{256};
  std::uint32_t source_datagrams{64};
  std::uint32_t network_fragments{1024};
  std::uint32_t network_datagrams{256};
  Tick ipv4_ms{30'000};  // RFC 791 section 3.2, as Linux does
  Tick ipv6_ms{60'000};  // RFC 8200 section 4.5

  // Room for so many, and nothing that bounds an image's shares and time-outs within it.
  [[nodiscard]] static constexpr FragmentOptions room(std::uint32_t fragments,
                                                      std::uint32_t datagrams) noexcept {
    return {.fragments = fragments,
            .datagrams = datagrams,
            .source_fragments = fragments,
            .source_datagrams = datagrams,
            .network_fragments = fragments,
            .network_datagrams = datagrams,
            .ipv4_ms = ~Tick{0},
            .ipv6_ms = ~Tick{0}};
  }
};

struct PipelineOptions {
  std::uint32_t flow_capacity{1U << 20};
  // Held packets are counted by the main thread when their fate is known; where nobody holds
  // packets (replay), an unresolved next hop counts as forwarded.
  bool assume_resolved{false};
  // Makes the flow table's hash unpredictable; 0: taken from the system's random numbers.
  std::uint64_t hash_seed{0};
  // A kFlowPeriodic event for every live flow after each span of this length; 0: none.
  std::uint32_t periodic_report_ms{60'000};
  // More denials than this in a second are told of by number only.
  std::uint32_t denial_events_per_second{1000};
  FragmentOptions fragments{FragmentOptions::room(4096, 1024)};
  // Limits hold for a gateway with so many pipelines: each takes an equal share.
  std::uint32_t workers{1};
  // Which of them this is: it judges the datagrams in fragments that owner_hash gives it, and of
  // each pool address it has the ports that are its own.
  std::uint32_t worker{0};
  // Flows that may be translated at the same time, and as many mappings; 0: half of all flows.
  std::uint32_t translations{0};
  // Flows that a helper reads at the same time; each may open more. 0: one of 256 flows.
  std::uint32_t helpers{0};
  // Blocks of pool ports that may be out at the same time; 0: one for 64 flows.
  std::uint32_t port_blocks{0};
};

class Pipeline {
 public:
  // Takes all memory here. `counters` and `events` outlive the pipeline; `events` may be empty.
  Pipeline(const PipelineOptions& options, CounterBlock counters, EventRing* events,
           const NeighbourTable* neighbours);
  ~Pipeline();
  Pipeline(const Pipeline&) = delete;
  Pipeline& operator=(const Pipeline&) = delete;

  // Judges frames in order (a frame sees the flows that frames before it opened) and rewrites in
  // place those that may be sent. `moment` is one of this image; `generation`, from 1, grows with
  // every image put in force and with every moment of other conditions. fates.size() >=
  // frames.size() <= kMaxBurst. Counts everything that has ended (see has_ended) and not `sent` of
  // ports (see count_sent).
  void process(const image::Image& image, const image::Moment& moment, std::uint32_t generation,
               Tick now, std::span<Frame> frames, std::span<Fate> fates) noexcept;

  // Ends idle flows, a bounded share of the table for each call, and likewise flows that the block
  // list in force has come to block; and fragments whose datagram did not become whole in time.
  // Call it once a burst or so.
  void expire(Tick now) noexcept;

  // Hands back held frames whose fate is known by now, the fragments of one datagram together and
  // in order; how many, 0: there are no more. They are rewritten and counted like any other, and
  // their fates hold for the image of the call before: to be called after every process(), expire()
  // and end_all(), until there are none.
  [[nodiscard]] std::size_t released(std::span<Frame> frames, std::span<Fate> fates) noexcept;

  // Whether process() may hold this frame; false of whatever is no fragment, so that its memory can
  // be used again after the burst.
  [[nodiscard]] static bool may_hold(std::span<const std::uint8_t> frame) noexcept;

  // Ends every flow with an event, and every fragment that is held: at shutdown and at the end of a
  // replay.
  void end_all(Tick now, FlowEnd end) noexcept;

  // The MAC of a port's device, where the image gives the port none of its own; a sub-port without
  // one has its parent's. Frames leave with it as source, and the port's link-local address is made
  // of it (RFC 4291 appendix A). Before the first burst, or between bursts.
  void set_port_mac(PortId port, const net::MacAddress& mac) noexcept;

  // Whether a port's device has a link; all have one at first. What would leave by a port that has
  // none is dropped as kPortDown. Between bursts.
  void set_port_up(PortId port, bool up) noexcept;

  // The block list that holds from here on; null: none. `hits` has a counter for each of its
  // records, or none at all. A list that blocks what the one before did not has another `revision`,
  // and the next process() another generation. All is borrowed until the next call. Between bursts.
  void set_blocks(const image::Blocks* blocks, std::span<Counter> hits,
                  std::uint32_t revision) noexcept;

  // While on, every packet leaves a kPacket event.
  void set_trace(bool on) noexcept;

  // A hash of the flow that a frame belongs to, equal in both directions and for ICMP errors that
  // quote it, to choose the owning worker; 0 for what is not IP or not well-formed.
  [[nodiscard]] static std::uint32_t owner_hash(std::span<const std::uint8_t> frame) noexcept;

  // The worker, of `workers`, that owns the flow of a frame that came in by the main port `in`:
  // both directions of a flow have the same, whatever the image's translations make of it; a
  // fragment's is the one that gathers its datagram.
  [[nodiscard]] static std::uint32_t owner(const image::Image& image,
                                           std::span<const std::uint8_t> frame, PortId in,
                                           std::uint32_t workers) noexcept;

  [[nodiscard]] std::uint32_t live_flows() const noexcept;

  // Copies out live flows from position `cursor` on for `meiguan flows`; returns the next cursor,
  // 0 at the end. Called by the owning worker between bursts.
  [[nodiscard]] std::uint32_t list_flows(std::uint32_t cursor, std::span<Event> out,
                                         std::size_t& count) const noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// The counting of one ended packet, for a worker and for the main thread's held packets alike.
void count_packet(const CounterBlock& counters, const Fate& fate,
                  std::uint32_t frame_bytes) noexcept;

// What left by a port.
inline void count_sent(const CounterBlock& counters, PortId port, std::uint64_t packets,
                       std::uint64_t bytes) noexcept {
  counters.port(port).sent.add(packets, bytes);
}

}  // namespace meiguan::fastpath
