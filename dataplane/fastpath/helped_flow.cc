// Flows to a service with a helper, and those that they open: how they begin, pass and end.
//
//   begin_control       a Control for the flow; the flow has a Translation from now on
//   pass_control        numbers as the flow's two ends know them, then: hear, pass, remember
//     hear                helped_segment.cc: what the segment announces becomes an Expected, and
//                         its text is changed where the other end knows the announced one otherwise
//   pass_call             helped_call.cc: the same of a message of SIP, which is a datagram
//   open_expected       open_expected.cc: its first packet
//   end_helped          what a control flow has opened ends with it

#include "dataplane/fastpath/helped_segment.h"

namespace meiguan::fastpath {
namespace {

image::Helper helper_of(const image::Image& image, const FlowRecord& flow) noexcept {
  if (flow.service().is_none()) return image::Helper::kOff;
  const image::Helper helper = image.services()[flow.service().index()].helper;
  const bool reads = (helper == image::Helper::kFtp && flow.key.protocol == net::protocol::kTcp) ||
                     (helper == image::Helper::kSip && flow.key.protocol == net::protocol::kUdp);
  return reads ? helper : image::Helper::kOff;
}

}  // namespace

Reason Pipeline::Impl::begin_control(const BurstContext& context, const PacketInfo& info,
                                     FlowRecord& flow) noexcept {
  const image::Helper helper = helper_of(context.image, flow);
  if (helper == image::Helper::kOff) return Reason::kAllowed;
  // Nobody says anything before he is connected: data in a SYN would not be heard.
  if (info.tcp_end - info.tcp_sequence > 1 || info.more_packets != 0) {
    return Reason::kHelperInvalid;
  }
  // As `Limits` counts: those without a unit are one party for each port.
  const std::size_t party = flow.unit().is_some() ? flow.unit().index()
                                                  : counters.capacity().units + flow.in(0).index();
  const std::uint32_t number = helpers.take_control(static_cast<std::uint32_t>(party));
  if (number == HelperTable::kNone) return Reason::kHelperFull;
  if (!flow.translated() && flows.translate(flow, turned(flow.key)) == nullptr) {
    helpers.give_back_control(number);
    return Reason::kHelperFull;
  }
  Control& control = helpers.control(number);
  control.flow = flows.number_of(flow);
  control.helper = helper;
  flows.translation(flow).helper = number;
  if (helper != image::Helper::kSip) return Reason::kAllowed;
  const Reason reason = begin_call(context, info, flow);
  if (reason != Reason::kAllowed) {
    flows.translation(flow).helper = Translation::kNone;
    helpers.give_back_control(number);
  }
  return reason;
}

bool Pipeline::Impl::quotes_flow(const FlowRecord& flow, const PacketInfo& info,
                                 unsigned direction) noexcept {
  if (!flow.translated()) return quotes_connection(flow, info, direction);
  const std::uint32_t helper = flows.translation(flow).helper;
  if (helper == Translation::kNone || HelperTable::is_opened(helper)) {
    return quotes_connection(flow, info, direction);
  }
  PacketInfo own = info;
  own.tcp_sequence = helpers.control(helper).shifts[direction].back(info.tcp_sequence);
  return quotes_connection(flow, own, direction);
}

bool Pipeline::Impl::pass_helped(const BurstContext& context, const PacketInfo& info,
                                 FlowRecord& flow, unsigned direction,
                                 const image::RouteRecord* route, Fate& fate) noexcept {
  const std::uint32_t helper = flows.translation(flow).helper;
  if (!HelperTable::is_opened(helper)) {
    return pass_control(context, info, flow, direction, route, fate);
  }
  // The control flow is silent while data flow; it lives as long as these do.
  const Expected& expected = helpers.expected(helper & ~HelperTable::kOpened);
  FlowRecord& control = flows.record(helpers.control(expected.control).flow);
  if (control.last_seen != context.flow_now) control.last_seen = context.flow_now;
  return pass_unheard(context, info, flow, direction, route, fate);
}

void Pipeline::Impl::refuse_helped(const FlowRecord& flow, unsigned direction, Reason reason,
                                   Fate& fate) noexcept {
  fate.reason = reason;
  fate.step = NextStep::kDrop;
  fate.reply = direction == 1;
  fate.rule = flow.rule;
  fate.unit = flow.unit();
  fate.to_unit = flow.to_unit();
  fate.service = flow.service();
}

bool Pipeline::Impl::pass_control(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow, unsigned direction,
                                  const image::RouteRecord* route, Fate& fate) noexcept {
  const std::uint32_t number = flows.translation(flow).helper;
  Control& control = helpers.control(number);
  const auto refuse = [&](Reason reason) {
    refuse_helped(flow, direction, reason, fate);
    return true;
  };
  // Nothing of it can be read in parts, and nothing is lost: nobody fragments TCP.
  if (info.more_packets != 0) return refuse(Reason::kHelperInvalid);
  if (info.kind == PacketKind::kIcmpError) {
    retelling = {&control.shifts[1 - direction], &control.shifts[direction], false, 0};
    retells = info.key.protocol == net::protocol::kTcp;
    return pass_unheard(context, info, flow, direction, route, fate);
  }
  if (info.key.protocol == net::protocol::kUdp) {
    return pass_call(context, info, flow, direction, route, fate);
  }
  // The record has each side's numbers as that side counts; an acknowledgment comes in the other's.
  PacketInfo own = info;
  own.tcp_acknowledgment = control.shifts[1 - direction].back(info.tcp_acknowledgment);
  own.tcp_sack_end = control.shifts[1 - direction].back(info.tcp_sack_end);
  if (judge_segment(flow, own, direction).verdict > TcpVerdict::kOver) {
    return pass_unheard(context, own, flow, direction, route, fate);
  }
  Segment segment;
  if (const Reason reason = hear(context, info, flow, direction, route, segment);
      reason != Reason::kAllowed) {
    if (segment.expected != Expected::kNone) forget(segment.expected);
    return refuse(reason);
  }
  if (segment.changes) std::swap(control.shifts[direction], segment.change);
  retelling = {&control.shifts[direction], &control.shifts[1 - direction], segment.edits,
               segment.at};
  retells = true;
  const bool passed = pass_unheard(context, own, flow, direction, route, fate);
  const bool over = !flow.translated() || flows.translation(flow).helper != number;
  if (over) return passed;
  if (!passed || fate.step != NextStep::kSend) {
    if (segment.changes) std::swap(control.shifts[direction], segment.change);
    if (segment.expected != Expected::kNone) forget(segment.expected);
    return passed;
  }
  if (segment.reads) {
    control.sides[direction] = segment.heard.side;
    control.asked = segment.heard.asked;
  }
  return passed;
}

void Pipeline::Impl::renew_control(const image::Image& image, FlowRecord& flow) noexcept {
  const std::uint32_t helper = flows.translation(flow).helper;
  if (helper == Translation::kNone || HelperTable::is_opened(helper)) return;
  Control& control = helpers.control(helper);
  if (control.helper == image::Helper::kOff || control.helper == helper_of(image, flow)) return;
  // Its numbers stay shifted, but nothing more is opened, and what was is not let through.
  control.helper = image::Helper::kOff;
  while (control.first != Expected::kNone) {
    const Expected& expected = helpers.expected(control.first);
    if (expected.waits()) {
      forget(control.first);
    } else {
      end_flow(flows.record(expected.flow), now, FlowEnd::kRevoked);
    }
  }
}

void Pipeline::Impl::forget(std::uint32_t number) noexcept {
  const std::uint32_t mapping = helpers.expected(number).mapping;
  helpers.forget(number);
  if (mapping != Expected::kNone) nat.release(mapping, flow_time(now));
}

void Pipeline::Impl::end_helped(FlowRecord& flow, Tick at, FlowEnd end) noexcept {
  const std::uint32_t helper = flows.translation(flow).helper;
  flows.translation(flow).helper = Translation::kNone;
  if (HelperTable::is_opened(helper)) {
    const std::uint32_t number = helper & ~HelperTable::kOpened;
    const bool of_call = helpers.control(helpers.expected(number).control).helper ==
                         image::Helper::kSip;
    // Who is on hold may be silent for long, and still be in the call.
    if (of_call && end == FlowEnd::kIdle) {
      helpers.wait_again(number, flow_time(at) + kMediaWait);
    } else {
      forget(number);
    }
    return;
  }
  Control& control = helpers.control(helper);
  while (control.first != Expected::kNone) {
    const Expected& expected = helpers.expected(control.first);
    if (expected.waits()) {
      forget(control.first);
    } else {
      end_flow(flows.record(expected.flow), at, end);
    }
  }
  helpers.give_back_control(helper);
}

}  // namespace meiguan::fastpath
