#include "dataplane/fastpath/address_kind.h"
#include "dataplane/fastpath/judged.h"
#include "dataplane/fastpath/prefetch.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

using image::RouteKind;
using image::RouteRecord;

constexpr std::size_t kTranslationLag = 8;

const RouteRecord* route_at(const image::Image& image, std::uint32_t number) noexcept {
  return number < image.routes().size() ? &image.routes()[number] : nullptr;
}

void report_no_route(Fate& fate) noexcept {
  fate.reason = Reason::kNoRoute;
  fate.step = NextStep::kReport;
}

}  // namespace

[[gnu::always_inline]] inline bool Pipeline::Impl::pass_at_once(
    const BurstContext& context, const PacketInfo& info, FlowRecord& flow, unsigned direction,
    const RouteRecord* route, Fate& fate) noexcept {
  const bool own_packet = info.kind == PacketKind::kPacket;  // and not an error about one
  const bool segment = own_packet && flow.key.protocol == net::protocol::kTcp;
  TcpJudgement judgement;
  if (segment) {
    judgement = judge_segment(flow, info, direction);
    if (judgement.verdict > TcpVerdict::kOver) [[unlikely]] {
      return !refuse_segment(context, flow, judgement.verdict, fate);
    }
  }
  fate.reply = direction == 1;
  fate.rule = flow.rule;
  fate.unit = flow.unit();
  fate.to_unit = flow.to_unit();
  fate.service = flow.service();
  if (route == nullptr) [[unlikely]] {
    report_no_route(fate);
    return true;
  }
  const net::Address& destination = flow.translated() ? send_as(info, flow, direction)
                                                      : info.destination();
  if (!may_leave(context, info, destination, *route, fate)) return true;
  if (context.polices) [[unlikely]] {
    if (!limits.police(context.image, owners_of(flow), info.ip_bytes + info.more_bytes,
                       rate_time(context.now))) {
      fate.reason = Reason::kBandwidthLimit;
      fate.step = NextStep::kDrop;
      return true;
    }
  }

  // From here on the packet leaves, and the flow moves on.
  flow.sides[direction].count(info.ip_bytes);
  // An error about a flow is no sign of life of its ends.
  if (own_packet && flow.last_seen != context.flow_now) flow.last_seen = context.flow_now;
  if (!segment) {
    if (flow.key.query != 0) [[unlikely]]
      watch_icmp(context, flow, fate.in);
    return true;
  }
  const TcpStanding before = flow.tcp;
  follow_segment(flow, info, direction, judgement);
  if (judgement.verdict == TcpVerdict::kOver) [[unlikely]] {
    flow.sides[direction].count(info.more_packets, info.more_bytes);
    const bool reset = (info.tcp_flags & net::TcpHeader::kRst) != 0;
    end_flow(flow, context.now, reset ? FlowEnd::kReset : FlowEnd::kClosed);
    return true;
  }
  if (flow.tcp != before) [[unlikely]] {
    if (before.is_half_open() != flow.tcp.is_half_open()) {
      limits.set_half_open(flow.key, owners_of(flow), flow.tcp.is_half_open());
    }
    look_sooner(flow, context.flow_now);
  }
  return true;
}

bool Pipeline::Impl::pass_unheard(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction, const RouteRecord* route,
                                  Fate& fate) noexcept {
  return pass_at_once(context, info, flow, direction, route, fate);
}

[[gnu::always_inline]] inline bool Pipeline::Impl::pass_by_flow(
    const BurstContext& context, const PacketInfo& info, FlowRecord& flow, unsigned direction,
    const RouteRecord* route, Fate& fate) noexcept {
  if (flow.translated() && flows.translation(flow).helper != Translation::kNone) [[unlikely]] {
    return pass_helped(context, info, flow, direction, route, fate);
  }
  return pass_at_once(context, info, flow, direction, route, fate);
}

void Pipeline::Impl::judge_packets(const BurstContext& context, std::span<Frame> frames,
                                   std::span<Fate> fates) noexcept {
  net::Address last_hop;
  burst = frames;
  const bool translates = flows.translations().live() != 0;
  if (translates) {
    for (std::size_t i = 0; i < std::min(fetched, kTranslationLag); ++i) {
      flows.prefetch_translation(likely_flows[i]);
    }
  }
  for (std::size_t i = 0; i < frames.size(); ++i) {
    if (fetched < frames.size()) fetch_flow(fetched++);
    if (translates && i + kTranslationLag < fetched) {
      flows.prefetch_translation(likely_flows[i + kTranslationLag]);
    }
    const PacketInfo& info = infos[i];
    Fate& fate = fates[i];
    if (!info.well_formed()) [[unlikely]]
      continue;
    bool done = false;
    changed = false;
    retells = false;
    if (info.kind == PacketKind::kPacket) [[likely]] {
      unsigned direction = 0;
      FlowRecord* const flow = flows.find(likely_flows[i], info.key, hashes[i], info.match_mask,
                                          direction);
      // A flow of this generation, met by its own port, was admitted with these addresses: they
      // may be, belong there, and are not the gateway's.
      if (flow != nullptr && flow->generation == context.generation &&
          flow->in(direction) == fate.in && !timeouts.is_idle(*flow, context.flow_now)) [[likely]] {
        const std::uint32_t number = flow->route[direction];
        const image::RouteRecord* const route = number != image::kNone
                                                    ? &context.image.routes()[number]
                                                    : nullptr;
        done = pass_by_flow(context, info, *flow, direction, route, fate);
      }
    }
    if (!done) judge_packet(context, i, frames[i], fate);
    if (changed && fate.step == NextStep::kSend) {
      if (retells) [[unlikely]]
        retell(frames[i], infos[i], retelling);
      write_translated(frames[i].data + info.l3_offset, info);
    }
    // What `account` and `rewrite_frames` are about to touch.
    if (fate.unit.is_some()) prefetch(&counters.unit(fate.unit));
    if (fate.to_unit.is_some()) prefetch(&counters.unit(fate.to_unit));
    if (fate.service.is_some()) prefetch(&counters.service(fate.service));
    if (fate.rule.is_some()) prefetch(&counters.rule(fate.rule));
    if (fate.step == NextStep::kSend && neighbours != nullptr && fate.next_hop != last_hop) {
      neighbours->prefetch(fate.out, fate.next_hop);
      last_hop = fate.next_hop;
    }
  }
}

bool Pipeline::Impl::pass_by_doubtful_flow(const BurstContext& context, const PacketInfo& info,
                                           const Opening& packet, FlowRecord& flow,
                                           unsigned direction, Fate& fate) noexcept {
  const image::Image& image = context.image;
  const bool own_packet = info.kind == PacketKind::kPacket;
  const bool from_initiator = own_packet && direction == 0;
  const bool stale = flow.generation != context.generation;
  const bool moved = from_initiator && packet.in != flow.in(0);

  if (stale || moved) {
    const bool opened = flow.translated() && HelperTable::is_opened(flows.translation(flow).helper);
    const bool stands = opened
                            ? judge_with_control(context, packet, flow, direction, fate)
                            : judge_again(context, packet, flow, direction, from_initiator, fate);
    if (!stands) return true;
  }
  // Another way is the network's business, but not one through another zone; an error that quotes
  // the flow is no exception, or it would carry what isolation stops.
  if (const PortId expected = flow.in(direction);
      packet.in != expected &&
      image.ports()[packet.in.index()].zone != image.ports()[expected.index()].zone) {
    fate.reason = Reason::kSpoofed;
    return true;
  }
  return pass_by_flow(context, info, flow, direction, route_at(image, flow.route[direction]), fate);
}

void Pipeline::Impl::open_flow(const BurstContext& context, const PacketInfo& info,
                               std::uint64_t hash, Opening opening, Routes routes,
                               const Limits::Claim& claim, Fate& fate) noexcept {
  NatPlan plan = Nat::plan_for(info.key);
  Reason behind = Reason::kAllowed;
  if (routes.forth != nullptr && routes.forth->kind == RouteKind::kNat) [[unlikely]] {
    behind = go_inward(context, nullptr, opening, routes, plan);
    if (has_blocks() && plan.changes() && is_blocked(plan.reply, 1)) {
      fate.reason = Reason::kBlocked;
      return;
    }
  }
  Judgement judgement = judge_access(context.image, context.moment, opening, routes);
  // Who may not send at all is told that first.
  if (behind != Reason::kAllowed && judgement.reason == Reason::kNoRoute) judgement.reason = behind;
  take_judgement(judgement, fate);
  const SpaceId space{info.key.space};
  for (const image::AuditRecord& audit : judgement.audits) {
    if (!context.moment.holds(audit.condition)) continue;
    counters.rule(RuleId{audit.rule}).audited.add(1);
    log.audit(info, fate, space, RuleId{audit.rule}, context.now);
  }
  if (judgement.rule.is_some()) counters.rule(judgement.rule).hits.add(1);
  if (judgement.reason != Reason::kAllowed) {
    if (judgement.reason == Reason::kNoRoute) fate.step = NextStep::kReport;
    return;
  }
  if (!may_leave(context, info, opening.destination, *routes.forth, fate)) return;

  const Owners owners{judgement.unit, judgement.service, judgement.rule, opening.in};
  if (const Reason limit = admit_flow(context, info, claim, owners); limit != Reason::kAllowed)
      [[unlikely]] {
    fate.reason = limit;
    fate.step = limit == Reason::kSynCookie ? NextStep::kAnswer : NextStep::kDrop;
    return;
  }

  if (flows.translations().live() != 0 && replies_are_known(plan.reply)) [[unlikely]] {
    fate.reason = Reason::kNatUntranslatable;
    fate.step = NextStep::kDrop;
    return;
  }
  FlowRecord* const flow = flows.insert(info.key, hash);
  if (flow == nullptr) [[unlikely]] {
    fate.reason = Reason::kFlowTableFull;
    fate.step = NextStep::kDrop;
    return;
  }
  flow->generation = context.generation;
  flow->last_seen = context.flow_now;
  flow->start = context.flow_now;
  flow->set_in(0, opening.in);
  flow->set_in(1, fate.out);
  flow->sides[0].count(info.ip_bytes);
  flow->rule = judgement.rule;
  flow->set_unit(judgement.unit);
  flow->set_to_unit(judgement.to_unit);
  flow->set_service(judgement.service);
  flow->timeouts = timeouts_of(context.image, judgement.service);
  flow->route = {route_number(context.image, *routes.forth),
                 route_inside(context.image, routes.back, info.key.space)};
  if (const Reason reason = translate_flow(context, *flow, judgement, plan);
      reason != Reason::kAllowed) [[unlikely]] {
    flows.erase(*flow);
    fate.reason = reason;
    fate.step = NextStep::kDrop;
    return;
  }
  if (const Reason reason = begin_control(context, info, *flow); reason != Reason::kAllowed)
      [[unlikely]] {
    if (flow->translated()) nat.leave(flows.translations(), flow->translation, context.flow_now);
    flows.erase(*flow);
    fate.reason = reason;
    fate.step = NextStep::kDrop;
    return;
  }
  if (flow->translated()) (void)send_as(info, *flow, 0);
  begin_flow(context, info, claim, owners, *flow);
}

void Pipeline::Impl::begin_flow(const BurstContext& context, const PacketInfo& info,
                                const Limits::Claim& claim, const Owners& owners,
                                FlowRecord& flow) noexcept {
  if (info.protocol == net::protocol::kTcp) open_connection(flow, info);
  flows.look_at(flow, next_look(flow, context.flow_now));
  limits.open(claim, owners, is_half_open(flow), rate_time(context.now));

  counters.totals().flows_created.add(1);
  if (owners.unit.is_some()) counters.unit(owners.unit).flows.add(1);
  if (owners.service.is_some()) counters.service(owners.service).flows.add(1);
  tell(EventKind::kFlowStart, flow, context.now);
}

void Pipeline::Impl::judge_packet(const BurstContext& context, std::size_t i, const Frame& frame,
                                  Fate& fate) noexcept {
  const PacketInfo& info = infos[i];
  if (info.kind == PacketKind::kArp) {
    fate.reason = Reason::kForGateway;
    fate.step = NextStep::kConsume;
    return;
  }
  net::EthernetHeader ethernet;
  std::memcpy(&ethernet, frame.data, sizeof ethernet);  // parse has read it: it is there
  const net::MacAddress own_mac = ports.mac(context.image, fate.in);
  const net::Address own_link_local = link_local_of(own_mac);

  Opening packet;
  packet.family = info.family;
  packet.protocol = {info.protocol, info.value};
  packet.source = info.source();
  packet.destination = info.destination();
  packet.in = fate.in;
  packet.mac = &ethernet.source;
  packet.own_link_local = own_mac == net::MacAddress{} ? nullptr : &own_link_local;
  packet.consumed = info.kind == PacketKind::kNeighbourDiscovery || is_dhcp_request(info);
  Routes routes;
  if (const Reason reason = judge_addresses(context.image, packet, routes);
      reason != Reason::kAllowed) {
    fate.reason = reason;
    return;
  }
  if (has_blocks() && refuse_blocked(context, info, hashes[i], fate)) return;
  // RFC 1812 section 5.3.4: what was sent to all must not be forwarded to one.
  const bool heard_group = routes.to_gateway &&
                           kind_of(info.family, packet.destination) == AddressKind::kMulticast;
  if (info.to_group && !packet.consumed && !heard_group) {
    fate.reason = Reason::kFrameGroup;
    return;
  }
  if (packet.consumed || routes.to_gateway) {
    fate.reason = Reason::kForGateway;
    fate.step = NextStep::kConsume;
    return;
  }
  if (info.kind == PacketKind::kFragment) {
    hold_fragment(context, i, frame, fate);
    return;
  }
  judge_by_state(context, info, hashes[i], packet, routes, fate);
}

void Pipeline::Impl::judge_by_state(const BurstContext& context, const PacketInfo& info,
                                    std::uint64_t hash, const Opening& packet, const Routes& routes,
                                    Fate& fate) noexcept {
  unsigned direction = 0;
  FlowRecord* flow = info.kind == PacketKind::kIcmpError
                         ? flows.find_quoted(info.key, hash, info.match_mask, direction)
                         : flows.find(info.key, hash, info.match_mask, direction);
  if (flow != nullptr && timeouts.is_idle(*flow, context.flow_now)) {
    end_flow(*flow, context.now, FlowEnd::kIdle);
    flow = nullptr;
  }
  if (flow != nullptr) {
    // An error travels against the packet that it quotes.
    const bool quotes = info.kind == PacketKind::kIcmpError;
    if (quotes && info.key.protocol == net::protocol::kTcp &&
        !quotes_flow(*flow, info, direction)) {
      fate.reason = Reason::kIcmpUnsolicited;
      return;
    }
    if (quotes) direction = 1 - direction;
    if (pass_by_doubtful_flow(context, info, packet, *flow, direction, fate)) return;
  }
  if (info.without_flow != Reason::kAllowed) {
    if (takes_back_cookie(context, info, fate)) return;
    fate.reason = info.without_flow;
    return;
  }
  if (helpers.waiting() != 0 && open_expected(context, info, hash, packet, routes, fate))
      [[unlikely]] {
    return;
  }
  const Limits::Claim claim = limits.claim(info.key);  // fetched while the rules are asked
  open_flow(context, info, hash, packet, routes, claim, fate);
  watch_first_packet(context, info, claim, fate);
}

}  // namespace meiguan::fastpath
