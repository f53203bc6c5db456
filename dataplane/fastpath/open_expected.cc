// The first packet of a flow that a control flow has announced: it is let through as part of that,
// with its rule, unit and service, by the ways that the control flow's own packets go.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

std::uint16_t zone_of(const image::Image& image, PortId port) noexcept {
  return image.ports()[port.index()].zone;
}

}  // namespace

bool Pipeline::Impl::open_expected(const BurstContext& context, const PacketInfo& info,
                                   std::uint64_t hash, const Opening& packet, const Routes& routes,
                                   Fate& fate) noexcept {
  const image::Image& image = context.image;
  std::uint32_t number = helpers.find(info.key, context.flow_now);
  if (number == HelperTable::kNone) return false;
  FlowRecord& control = flows.record(helpers.control(helpers.expected(number).control).flow);
  if (timeouts.is_idle(control, context.flow_now)) {
    end_flow(control, context.now, FlowEnd::kIdle);
    return false;
  }
  if (control.generation != context.generation) {
    // It may be over by that, or its service be read no more.
    Fate of_control;
    if (!judge_again(context, packet, control, 0, false, of_control)) return false;
    number = helpers.find(info.key, context.flow_now);
    if (number == HelperTable::kNone) return false;
  }
  const Expected expected = helpers.expected(number);
  const unsigned from = expected.from;
  if (zone_of(image, packet.in) != zone_of(image, control.in(from))) return false;

  fate.rule = control.rule;
  fate.unit = control.unit();
  fate.to_unit = control.to_unit();
  fate.service = control.service();
  fate.step = NextStep::kDrop;
  if (control.route[from] >= image.routes().size()) {
    fate.reason = Reason::kNoRoute;
    fate.step = NextStep::kReport;
    return true;
  }
  const FlowKey& reply = flows.translation(control).reply;
  const net::Address& destination = from == 0 ? reply.source : control.key.source;
  if (!may_leave(context, info, destination, image.routes()[control.route[from]], fate)) {
    return true;
  }
  fate.step = NextStep::kDrop;
  Owners owners = owners_of(control);
  owners.in = packet.in;
  const Limits::Claim claim = limits.claim(info.key);
  if (fate.reason = admit_flow(context, info, claim, owners); fate.reason != Reason::kAllowed) {
    if (fate.reason == Reason::kSynCookie) fate.step = NextStep::kAnswer;
    return true;
  }
  FlowRecord* const flow = flows.insert(info.key, hash);
  if (flow == nullptr) {
    fate.reason = Reason::kFlowTableFull;
    return true;
  }
  follow_control(control, from, *flow);
  flow->set_in(0, packet.in);
  flow->last_seen = context.flow_now;
  flow->start = context.flow_now;
  fate.reason = translate_expected(context, control, expected, routes, *flow);
  if (fate.reason != Reason::kAllowed) {
    flows.erase(*flow);
    return true;
  }
  flows.translation(*flow).helper = number | HelperTable::kOpened;
  helpers.open(number, flows.number_of(*flow));
  flow->sides[0].count(info.ip_bytes);
  (void)send_as(info, *flow, 0);
  begin_flow(context, info, claim, owners, *flow);
  fate.step = NextStep::kSend;
  return true;
}

// Its ends are those of the control flow, as each of them knows the other; the port that was
// announced is its owner's own again.
Reason Pipeline::Impl::translate_expected(const BurstContext& context, const FlowRecord& parent,
                                          const Expected& expected, const Routes& routes,
                                          FlowRecord& flow) noexcept {
  const image::Image& image = context.image;
  const Translation& of_control = flows.translation(parent);
  NatPlan plan = Nat::plan_for(flow.key);
  plan.mapping = expected.mapping;
  plan.reply.source_port = expected.port;
  if (expected.from == 1) {
    plan.reply.source = parent.key.source;
    plan.reply.destination = parent.key.destination;
    plan.reply.space = parent.key.space;
  } else {
    plan.reply.source = of_control.reply.source;
    plan.reply.space = of_control.reply.space;
    if (of_control.reply.destination != parent.key.source) {
      if (routes.forth != nullptr && routes.forth->kind == image::RouteKind::kNat) {
        plan.to_public = true;
        plan.kind = image.nat_prefixes()[routes.forth->nat].kind;
      }
      const ZoneId zone{image.ports()[flow.in(0).index()].zone};
      const Subject subject = find_subject(image, SpaceId{flow.key.space}, flow.key.source, zone);
      if (const Reason reason = nat.outward(image, subject.egress, flow.in(0), flow.in(1),
                                            context.flow_now, context.now, plan);
          reason != Reason::kAllowed) {
        return reason;
      }
      if (plan.reply.destination != of_control.reply.destination) return Reason::kNatPoolFull;
    }
  }
  if (plan.changes() && replies_are_known(plan.reply)) return Reason::kNatUntranslatable;
  if (flows.translate(flow, plan.reply) == nullptr) return Reason::kNatTableFull;
  nat.join(flows.translations(), flow.translation, plan.mapping);
  return Reason::kAllowed;
}

void Pipeline::Impl::follow_control(const FlowRecord& control, unsigned from,
                                    FlowRecord& flow) noexcept {
  flow.generation = control.generation;
  flow.rule = control.rule;
  flow.unit_number = control.unit_number;
  flow.to_unit_number = control.to_unit_number;
  flow.service_number = control.service_number;
  flow.timeouts = control.timeouts;
  flow.route = {control.route[from], control.route[1 - from]};
  flow.in_number = {control.in_number[from], control.in_number[1 - from]};
}

bool Pipeline::Impl::judge_with_control(const BurstContext& context, const Opening& packet,
                                        FlowRecord& flow, unsigned direction, Fate& fate) noexcept {
  const std::uint32_t helper = flows.translation(flow).helper;
  const Expected expected = helpers.expected(helper & ~HelperTable::kOpened);
  FlowRecord& control = flows.record(helpers.control(expected.control).flow);
  fate.reply = direction == 1;
  if (control.generation != context.generation) {
    // Where it is denied, both end with it.
    const bool stands = judge_again(context, packet, control, 0, false, fate);
    const bool opened = flow.live() && flow.translated() &&
                        flows.translation(flow).helper == helper;
    if (!stands && opened) return false;  // it waits for a route
    if (!stands || !opened) {
      fate.reason = Reason::kRevoked;
      fate.step = NextStep::kDrop;
      return false;
    }
  }
  const Owners before = owners_of(flow);
  follow_control(control, expected.from, flow);
  limits.move(before, owners_of(flow), is_half_open(flow));
  look_sooner(flow, context.flow_now);
  return true;
}

}  // namespace meiguan::fastpath
