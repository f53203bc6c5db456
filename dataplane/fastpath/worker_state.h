#pragma once

// All that a pipeline holds: what lasts from burst to burst, and the arrays of the burst in hand.
// pipeline.cc has the stages that every frame goes through, judge_packet.cc the one that judges and
// what becomes of one packet.

#include <array>
#include <cstdint>
#include <cstring>
#include <span>

#include "dataplane/fastpath/attack_detector.h"
#include "dataplane/fastpath/event_log.h"
#include "dataplane/fastpath/flow_limits.h"
#include "dataplane/fastpath/flow_table.h"
#include "dataplane/fastpath/flow_timeouts.h"
#include "dataplane/fastpath/fragments.h"
#include "dataplane/fastpath/hear_ftp.h"
#include "dataplane/fastpath/helper_table.h"
#include "dataplane/fastpath/identifications.h"
#include "dataplane/fastpath/judge.h"
#include "dataplane/fastpath/nat.h"
#include "dataplane/fastpath/packet_info.h"
#include "dataplane/fastpath/pipeline.h"
#include "dataplane/fastpath/port_table.h"
#include "dataplane/fastpath/retell.h"
#include "dataplane/fastpath/sip.h"
#include "dataplane/fastpath/syn_cookie.h"
#include "dataplane/fastpath/tcp_state.h"
#include "dataplane/net/link.h"

namespace meiguan::fastpath {

// The worker that owns a flow, modulo their number. No secret: all workers must agree, and who owns
// a flow is no secret either.
[[nodiscard]] inline std::uint32_t owner_of(FlowKey key) noexcept {
  static constexpr HashSeed kSeed = HashSeed::from(0);
  key.space = 0;
  return static_cast<std::uint32_t>(flow_hash(key, kSeed) >> 32);
}

// The worker that owns a flow under an image that may translate it; `key` is that of a packet as it
// comes in by `in`. The number itself, not a hash.
[[nodiscard]] std::uint32_t owner_of(const image::Image& image, const FlowKey& key, PortId in,
                                     std::uint32_t workers) noexcept;

// The key of a packet of the same flow that comes in where this one does: of an ICMP error that is
// an answer to what it quotes.
[[nodiscard]] inline FlowKey arriving(const PacketInfo& info) noexcept {
  return info.kind == PacketKind::kIcmpError ? turned(info.key) : info.key;
}

// What a burst is judged by; one for all of its frames.
struct BurstContext {
  const image::Image& image;
  const image::Moment& moment;
  std::uint32_t generation;
  Tick now;
  FlowTime flow_now;
  bool polices;  // something in force limits bytes
};

[[nodiscard]] inline Owners owners_of(const FlowRecord& flow) noexcept {
  return {flow.unit(), flow.service(), flow.rule, flow.in(0)};
}

[[nodiscard]] inline bool is_half_open(const FlowRecord& flow) noexcept {
  return flow.key.protocol == net::protocol::kTcp && flow.tcp.is_half_open();
}

struct Pipeline::Impl {
  Impl(const PipelineOptions& options, const CounterBlock& counters, EventRing* events,
       const NeighbourTable* neighbour_table);

  // The stages, in order; each does one thing to all frames of the burst.
  void parse_frames(const BurstContext& context, std::span<const Frame> frames,
                    std::span<Fate> fates) noexcept;
  void judge_packets(const BurstContext& context, std::span<Frame> frames,
                     std::span<Fate> fates) noexcept;
  void rewrite_frames(const BurstContext& context, std::span<Frame> frames,
                      std::span<Fate> fates) noexcept;
  void account(const BurstContext& context, std::span<const Fate> fates) noexcept;
  void expire(Tick tick) noexcept;

  void fetch_flow(std::size_t i) noexcept {
    const PacketInfo& info = infos[i];
    likely_flows[i] = info.well_formed() ? flows.prefetch_record(hashes[i]) : nullptr;
    // It may open a flow: what its ends have open already is asked for as well.
    if (likely_flows[i] == nullptr && info.well_formed() && info.kind == PacketKind::kPacket)
        [[unlikely]] {
      (void)limits.claim(info.key);
    }
  }
  void fetch_flows_up_to(std::size_t end) noexcept {
    while (fetched < end) fetch_flow(fetched++);
  }
  // One packet, from the source kinds on: everything but a hit that needs no second look.
  void judge_packet(const BurstContext& context, std::size_t i, const Frame& frame,
                    Fate& fate) noexcept;
  // By its flow, else as the first packet of a new one; its addresses are judged.
  void judge_by_state(const BurstContext& context, const PacketInfo& info, std::uint64_t hash,
                      const Opening& packet, const Routes& routes, Fate& fate) noexcept;

  // judge_fragment.cc: a fragment whose addresses are judged, and a datagram that is whole.
  void hold_fragment(const BurstContext& context, std::size_t i, const Frame& frame,
                     Fate& fate) noexcept;
  void judge_datagram(const BurstContext& context, FragmentStore::Datagram& datagram) noexcept;
  // Judges it as one packet; `info` becomes that packet.
  void judge_as_one(const BurstContext& context, const FragmentStore::Datagram& datagram,
                    PacketInfo& info, Fate& fate) noexcept;
  [[nodiscard]] Reason judge_parts(const BurstContext& context,
                                   const FragmentStore::Datagram& datagram, Opening packet,
                                   Routes& routes) noexcept;
  void count_rest(const PacketInfo& info) noexcept;
  // Writes what translation makes of a packet; of a datagram in fragments, the identification that
  // they all have.
  void write_translated(std::uint8_t* packet, const PacketInfo& info) noexcept;
  [[nodiscard]] net::Be16 identification_of(const std::uint8_t* packet) noexcept;
  // A new image is in force: port numbers may mean others.
  void renew_fragments(const BurstContext& context) noexcept;
  void account_released(HeldFragment& part) noexcept;
  // A packet of a flow whose record is up to date. False where the flow ended with it before it
  // began: the packet is to be judged as a new one.
  [[nodiscard]] bool pass_by_flow(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction,
                                  const image::RouteRecord* route, Fate& fate) noexcept;
  // The same where no helper has to do with the flow. `pass_at_once` is its body, for the loop over
  // a burst: no call stands there between a packet and its flow.
  [[nodiscard]] bool pass_unheard(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction,
                                  const image::RouteRecord* route, Fate& fate) noexcept;
  [[nodiscard]] bool pass_at_once(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction,
                                  const image::RouteRecord* route, Fate& fate) noexcept;
  // What becomes of a segment that does not belong to the connection. True where it is to be judged
  // as a new one: the flow is over.
  [[nodiscard]] bool refuse_segment(const BurstContext& context, FlowRecord& flow,
                                    TcpVerdict verdict, Fate& fate) noexcept;
  // A hit that is no longer, or not yet, certain: another generation, another port, an ICMP error.
  [[nodiscard]] bool pass_by_doubtful_flow(const BurstContext& context, const PacketInfo& info,
                                           const Opening& packet, FlowRecord& flow,
                                           unsigned direction, Fate& fate) noexcept;
  // Judges the flow as if it were new, from its initiator's view, and brings its record up to date.
  // False where it would be dropped: `fate` says so, and the flow is revoked.
  [[nodiscard]] bool judge_again(const BurstContext& context, const Opening& packet,
                                 FlowRecord& flow, unsigned direction, bool from_initiator,
                                 Fate& fate) noexcept;
  void open_flow(const BurstContext& context, const PacketInfo& info, std::uint64_t hash,
                 Opening opening, Routes routes, const Limits::Claim& claim, Fate& fate) noexcept;
  // admit_flow.cc: kAllowed, or the limit that stands against the flow; a reset that answers one of
  // our cookies.
  [[nodiscard]] Reason admit_flow(const BurstContext& context, const PacketInfo& info,
                                  const Limits::Claim& claim, const Owners& owners) noexcept;
  [[nodiscard]] bool takes_back_cookie(const BurstContext& context, const PacketInfo& info,
                                       Fate& fate) noexcept;
  // The last steps of a flow that has its record and its translation.
  void begin_flow(const BurstContext& context, const PacketInfo& info, const Limits::Claim& claim,
                  const Owners& owners, FlowRecord& flow) noexcept;

  // helped_flow.cc: flows that a helper reads, and those that it opens.
  // A new flow to a service with a helper: kAllowed, or why it must not open.
  [[nodiscard]] Reason begin_control(const BurstContext& context, const PacketInfo& info,
                                     FlowRecord& flow) noexcept;
  [[nodiscard]] bool pass_helped(const BurstContext& context, const PacketInfo& info,
                                 FlowRecord& flow, unsigned direction,
                                 const image::RouteRecord* route, Fate& fate) noexcept;
  [[nodiscard]] bool pass_control(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction,
                                  const image::RouteRecord* route, Fate& fate) noexcept;
  static void refuse_helped(const FlowRecord& flow, unsigned direction, Reason reason,
                            Fate& fate) noexcept;
  // Whether an ICMP error quotes what that side of the flow may have sent.
  [[nodiscard]] bool quotes_flow(const FlowRecord& flow, const PacketInfo& info,
                                 unsigned direction) noexcept;
  // The control flow is no service's any more that a helper reads, or of another.
  void renew_control(const image::Image& image, FlowRecord& flow) noexcept;
  void end_helped(FlowRecord& flow, Tick at, FlowEnd end) noexcept;
  void forget(std::uint32_t expected) noexcept;

  // helped_segment.cc: what one segment of a control connection does.
  struct Segment;
  [[nodiscard]] Reason hear(const BurstContext& context, const PacketInfo& info, FlowRecord& flow,
                            unsigned direction, const image::RouteRecord* route,
                            Segment& segment) noexcept;
  [[nodiscard]] Reason hear_new(const BurstContext& context, FlowRecord& flow, unsigned direction,
                                Segment& segment) noexcept;
  // Where an announced flow will come in, and how its other end has to be told of it.
  [[nodiscard]] Reason expect(const BurstContext& context, const FlowRecord& flow,
                              unsigned direction, const ftp::Line& line, Segment& segment) noexcept;
  // The same without the telling: `expected` becomes a flow to that port of the side `direction`.
  // Only between the two ends of the control flow: an end that announces another than itself asks
  // for an attack on that one (RFC 2577 section 3). `named` is null where no address is.
  [[nodiscard]] Reason aim(const BurstContext& context, const FlowRecord& flow, unsigned direction,
                           const net::Address* named, std::uint16_t port,
                           Expected& expected) noexcept;
  [[nodiscard]] Reason map_end(const BurstContext& context, const FlowRecord& flow,
                               std::uint16_t port, Expected& expected) noexcept;

  // helped_call.cc: what one message of SIP does. The first of a flow is heard as it opens.
  struct Call;
  [[nodiscard]] Reason begin_call(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow) noexcept;
  [[nodiscard]] bool pass_call(const BurstContext& context, const PacketInfo& info,
                               FlowRecord& flow, unsigned direction,
                               const image::RouteRecord* route, Fate& fate) noexcept;
  [[nodiscard]] Reason hear_call(const BurstContext& context, const PacketInfo& info,
                                 const FlowRecord& flow, unsigned direction,
                                 const image::RouteRecord* route, Call& call) noexcept;
  [[nodiscard]] Reason expect_media(const BurstContext& context, const FlowRecord& flow,
                                    unsigned direction, Call& call) noexcept;
  [[nodiscard]] Reason expect_port(const BurstContext& context, const FlowRecord& flow,
                                   unsigned direction, const net::Address& address,
                                   std::uint16_t port, Call& call, std::uint16_t& told) noexcept;
  void forget_new(const Call& call) noexcept;
  // The message goes on.
  void follow_call(const Call& call, unsigned direction, std::uint32_t control) noexcept;
  void close_expected(std::uint32_t number) noexcept;

  // open_expected.cc: a first packet that a control flow has announced. False where none has.
  [[nodiscard]] bool open_expected(const BurstContext& context, const PacketInfo& info,
                                   std::uint64_t hash, const Opening& packet, const Routes& routes,
                                   Fate& fate) noexcept;
  [[nodiscard]] Reason translate_expected(const BurstContext& context, const FlowRecord& parent,
                                          const Expected& expected, const Routes& routes,
                                          FlowRecord& flow) noexcept;
  // As judge_again, for a flow that was opened so: it stands and falls with its control flow.
  [[nodiscard]] bool judge_with_control(const BurstContext& context, const Opening& packet,
                                        FlowRecord& flow, unsigned direction, Fate& fate) noexcept;
  void follow_control(const FlowRecord& control, unsigned from, FlowRecord& flow) noexcept;

  // watch.cc: whether a first packet, a packet of an ICMP flow, a flow's end belong to an attack.
  void watch_first_packet(const BurstContext& context, const PacketInfo& info,
                          const Limits::Claim& claim, const Fate& fate) noexcept;
  void watch_icmp(const BurstContext& context, const FlowRecord& flow, PortId in) noexcept;
  void watch_end(const FlowRecord& flow, Tick at, FlowEnd end) noexcept;
  void tell_of_flow(const Sighting& sighting, const FlowRecord& flow, PortId in, Tick at) noexcept;
  void end_flow(FlowRecord& flow, Tick now, FlowEnd end) noexcept;
  // judge_blocked.cc: whether an address, one of a key, or what a plan makes of them is on the
  // block list; `packets` is what that counts to the list's record.
  [[nodiscard]] bool has_blocks() const noexcept { return blocks != nullptr && blocks->any(); }
  [[nodiscard]] bool is_blocked(SpaceId space, const net::Address& address,
                                std::uint64_t packets) noexcept;
  [[nodiscard]] bool is_blocked(const PacketInfo& info, std::uint64_t packets) noexcept;
  [[nodiscard]] bool is_blocked(const FlowKey& key, std::uint64_t packets) noexcept;
  [[nodiscard]] bool is_blocked(const NatPlan& plan, std::uint64_t packets) noexcept;
  // A packet as it came in: where it is blocked, it is dropped, and its flow has ended.
  [[nodiscard]] bool refuse_blocked(const BurstContext& context, const PacketInfo& info,
                                    std::uint64_t hash, Fate& fate) noexcept;
  // Goes on through the flow table, by `steps` records, to end flows that have come to be blocked.
  void end_blocked_flows(std::uint32_t steps) noexcept;
  void tell(EventKind kind, const FlowRecord& flow, Tick at,
            FlowEnd end = FlowEnd::kNone) noexcept {
    log.flow(kind, flow, flow.translated() ? &flows.translation(flow) : nullptr, at, end);
  }

  // judge_nat.cc. Turns an opening to a public address to what stands behind it: `opening`,
  // `routes` and `plan` become those of the inside. `kept` is the reply key of the flow, if there
  // is one.
  [[nodiscard]] Reason go_inward(const BurstContext& context, const FlowKey* kept, Opening& opening,
                                 Routes& routes, NatPlan& plan) noexcept;
  // Whether the flow, which would be allowed, keeps both its keys under the image in force.
  [[nodiscard]] bool keeps_translation(const BurstContext& context, const FlowRecord& flow,
                                       const Judgement& judgement, PortId in,
                                       NatPlan& plan) noexcept;
  // Whether packets with this key would be another flow's already.
  [[nodiscard]] bool replies_are_known(const FlowKey& reply) noexcept;
  // Finds and takes what the flow's packets have to become; where there is no such thing, why.
  [[nodiscard]] Reason translate_flow(const BurstContext& context, FlowRecord& flow,
                                      const Judgement& judgement, NatPlan& plan) noexcept;
  // What a packet of a translated flow becomes, and where it goes then.
  [[nodiscard]] const net::Address& send_as(const PacketInfo& info, const FlowRecord& flow,
                                            unsigned direction) noexcept;

  // Where frames leave by: kept from one to the next, which often has the same.
  struct NextLink {
    PortId out;
    net::Address hop;
    bool resolved{false};
    bool up{false};
    net::Link link;
  };
  void find_link(const BurstContext& context, const Fate& fate, NextLink& next) const noexcept {
    next.out = fate.out;
    next.hop = fate.next_hop;
    next.up = ports.is_up(fate.out);
    const auto mac = neighbours == nullptr
                         ? std::nullopt
                         : neighbours->mac(neighbours->find(fate.out, fate.next_hop));
    next.resolved = mac.has_value() || options.assume_resolved;
    next.link.destination = mac.value_or(net::MacAddress{});
    next.link.source = ports.mac(context.image, fate.out);
    next.link.vlan = context.image.ports()[fate.out.index()].vlan;
  }

  // The last stage of judgement: TTL and MTU, then the next hop.
  [[nodiscard]] static bool may_leave(const BurstContext& context, const PacketInfo& info,
                                      const net::Address& destination,
                                      const image::RouteRecord& route, Fate& fate) noexcept {
    fate.out = PortId{route.port};
    if (info.ttl <= 1) [[unlikely]] {
      fate.reason = Reason::kTtlExpired;
      fate.step = NextStep::kReport;
      return false;
    }
    // The gateway never fragments: IPv4 without DF is told the MTU like all others.
    if (info.ip_bytes > context.image.ports()[route.port].mtu) [[unlikely]] {
      fate.reason = Reason::kTooBig;
      fate.step = NextStep::kReport;
      return false;
    }
    fate.next_hop = route.kind == image::RouteKind::kVia ? route.via : destination;
    fate.reason = Reason::kAllowed;
    fate.step = NextStep::kSend;
    return true;
  }

  // Where a flow's time-out has become shorter.
  void look_sooner(const FlowRecord& flow, FlowTime from) noexcept;
  [[nodiscard]] FlowTime next_look(const FlowRecord& flow, FlowTime now) const noexcept;
  [[nodiscard]] SpaceId space_of(const image::Image& image, PortId port) const noexcept {
    return port.is_some() && port.index() < image.ports().size()
               ? SpaceId{image.ports()[port.index()].space}
               : SpaceId{};
  }

  PipelineOptions options;
  CounterBlock counters;
  const NeighbourTable* neighbours;
  EventLog log;
  FlowTable flows;
  FragmentStore fragments;
  std::uint32_t fragment_generation{0};
  std::uint64_t fragment_ports{0};  // what the port numbers of held fragments mean
  FlowTimeouts timeouts;
  std::uint32_t timeouts_generation{0};  // 0: those of no image
  Limits limits;
  AttackDetector attacks;
  SynCookies cookies;
  PortTable ports;
  Nat nat;
  Identifications identifications;
  const image::Blocks* blocks{nullptr};
  std::span<Counter> block_hits;
  std::uint32_t block_revision{0};
  std::uint32_t blocked_hand{FlowTable::kNone};  // the next record of end_blocked_flows
  // Of the packet in hand, where it belongs to a translated flow: the key that it leaves with.
  bool changed{false};
  FlowKey sent_as;
  // And its numbers and text, where it belongs to a flow that a helper reads.
  bool retells{false};
  Retelling retelling;
  std::array<char, sip::kMostMessage + Frame::kTailroom> told;  // a message, as it is told
  HelperTable helpers;
  std::span<Frame> burst;
  Tick now{0};                    // the highest so far
  Tick rotated{0};                // up to when `rotation_due` has grown
  std::uint64_t rotation_due{0};  // steps of the flow table's rotation, times 1024
  std::uint64_t sequence{0};
  FlowTime report_span;  // between periodic events; 0: none
  bool trace{false};

  std::array<PacketInfo, kMaxBurst> infos;
  std::array<std::uint64_t, kMaxBurst> hashes{};
  std::array<FlowRecord*, kMaxBurst> likely_flows{};
  std::size_t fetched{0};                              // of them, from the first on
  std::array<std::uint32_t, kMaxBurst> frame_bytes{};  // as received
};

}  // namespace meiguan::fastpath
