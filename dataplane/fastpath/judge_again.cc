// A flow that was admitted under another generation, or whose packet comes in elsewhere.

#include "dataplane/fastpath/judged.h"

namespace meiguan::fastpath {
namespace {

using image::RouteKind;

// The flow's first packet as it would be today.
Opening opening_of_flow(const FlowRecord& flow) noexcept {
  Opening opening;
  opening.family = flow.key.source.family();
  opening.protocol.number = flow.key.protocol;
  opening.protocol.value = flow.key.query != 0 ? flow.key.query : flow.key.destination_port;
  opening.source = flow.key.source;
  opening.destination = flow.key.destination;
  opening.in = flow.in(0);
  return opening;
}

// Whether it is the ways that are missing and not the permission. A route that is gone may be back
// in a moment, and a connection that was forgotten is not taken up again.
bool lacks_way(const Judgement& judgement, const Routes& routes) noexcept {
  if (judgement.reason == Reason::kNoRoute) return true;
  return judgement.reason == Reason::kSpoofed &&
         (routes.back == nullptr || routes.back->kind != RouteKind::kNat);
}

// Where a route to the initiator has come to lead by another port of the same zone, it is behind
// that one; its own packets say by themselves where they come from.
PortId port_of_initiator(const image::Image& image, const FlowRecord& flow) noexcept {
  const PortId known = flow.in(0);
  if (known.index() >= image.ports().size()) return known;
  const image::PortRecord& port = image.ports()[known.index()];
  const image::RouteRecord* const back = image.route_to(SpaceId{port.space}, flow.key.source);
  if (back == nullptr || (back->kind != RouteKind::kVia && back->kind != RouteKind::kOnLink)) {
    return known;
  }
  return image.ports()[back->port].zone == port.zone ? PortId{back->port} : known;
}

}  // namespace

bool Pipeline::Impl::judge_again(const BurstContext& context, const Opening& packet,
                                 FlowRecord& flow, unsigned direction, bool from_initiator,
                                 Fate& fate) noexcept {
  const image::Image& image = context.image;
  const bool stale = flow.generation != context.generation;
  Opening first = opening_of_flow(flow);
  if (from_initiator) {
    first.in = packet.in;
    first.mac = packet.mac;
  } else {
    first.in = port_of_initiator(image, flow);
  }
  Routes routes;
  Judgement judgement;
  if (first.in.index() < image.ports().size()) {
    judgement.reason = judge_addresses(image, first, routes);
    // What has become the gateway's own address is no flow's any more.
    if (routes.to_gateway) judgement.reason = Reason::kDefaultDeny;
    NatPlan plan = Nat::plan_for(flow.key);
    if (judgement.reason == Reason::kAllowed && routes.forth != nullptr &&
        routes.forth->kind == RouteKind::kNat) {
      const FlowKey* const kept = flow.translated() ? &flows.translation(flow).reply : nullptr;
      judgement.reason = go_inward(context, kept, first, routes, plan);
    }
    if (has_blocks() && is_blocked(plan, 1)) [[unlikely]]
      judgement.reason = Reason::kBlocked;
    if (judgement.reason == Reason::kAllowed) {
      judgement = judge_access(image, context.moment, first, routes);
    }
    if (judgement.reason == Reason::kAllowed &&
        !keeps_translation(context, flow, judgement, first.in, plan)) {
      judgement.reason = Reason::kNatUntranslatable;
    }
    // What the other end would see of it.
    if (judgement.reason == Reason::kAllowed && has_blocks() && plan.changes() &&
        is_blocked(plan.reply, 1)) [[unlikely]] {
      judgement = {};
      judgement.reason = Reason::kBlocked;
    }
  }
  if (judgement.reason != Reason::kAllowed) {
    take_judgement(judgement, fate);
    fate.reply = direction == 1;
    if (judgement.reason == Reason::kBlocked) {
      end_flow(flow, context.now, FlowEnd::kBlocked);
    } else if (lacks_way(judgement, routes)) {
      if (judgement.reason == Reason::kNoRoute) fate.step = NextStep::kReport;
    } else if (stale) {
      fate.reason = Reason::kRevoked;
      end_flow(flow, context.now, FlowEnd::kRevoked);
    }
    return false;
  }

  const Owners before = owners_of(flow);
  flow.rule = judgement.rule;
  flow.set_unit(judgement.unit);
  flow.set_to_unit(judgement.to_unit);
  flow.set_service(judgement.service);
  flow.timeouts = timeouts_of(image, judgement.service);
  flow.set_in(0, first.in);
  flow.set_in(1, PortId{routes.forth->port});
  flow.route = {route_number(image, *routes.forth),
                route_inside(image, routes.back, flow.key.space)};
  limits.move(before, owners_of(flow), is_half_open(flow));
  if (flow.translated()) renew_control(image, flow);
  // Where admission asks for a MAC, only a frame of the initiator can show it: until one has, every
  // packet is judged again, and its routes are not looked at by a packet of the new generation.
  if (from_initiator || !admission_asks_mac(image, first, routes)) {
    flow.generation = context.generation;
  }
  look_sooner(flow, context.flow_now);
  return true;
}

}  // namespace meiguan::fastpath
