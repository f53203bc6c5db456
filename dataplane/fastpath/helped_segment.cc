#include "dataplane/fastpath/helped_segment.h"

namespace meiguan::fastpath {
namespace {

constexpr std::uint16_t kWellKnown = 1024;  // ports below are services, and never negotiated
constexpr FlowTime kFtpWait = flow_seconds(60);

// Onwards on the circle of sequence numbers.
std::uint64_t distance(std::uint32_t from, std::uint32_t to) noexcept {
  return static_cast<std::uint32_t>(to - from);
}

bool is_pool(const image::Image& image, const net::Address& address) noexcept {
  const image::RouteRecord* const route = image.route_to(kSharedSpace, address);
  return route != nullptr && route->kind == image::RouteKind::kNat &&
         image.nat_prefixes()[route->nat].kind == image::NatKind::kPool;
}

}  // namespace

Reason Pipeline::Impl::hear(const BurstContext& context, const PacketInfo& info, FlowRecord& flow,
                            unsigned direction, const image::RouteRecord* route,
                            Segment& segment) noexcept {
  const auto i = static_cast<std::size_t>(&info - infos.data());
  const std::span<std::uint8_t> packet{burst[i].data + info.l3_offset, info.ip_bytes};
  if (!find_tcp_payload(packet, info.family, segment.payload)) return Reason::kHelperInvalid;
  if (segment.payload.empty()) return Reason::kAllowed;
  const Control& control = helpers.control(flows.translation(flow).helper);
  const SequenceShift& shift = control.shifts[direction];
  const FlowSide& sender = flow.sides[direction];
  const std::size_t bytes = segment.payload.size();

  // Text that was changed is changed again when it comes again; a part of it never goes on alone
  // before all of it has arrived.
  if (shift.changed && distance(info.tcp_sequence, shift.at) + shift.was <= bytes) {
    segment.edits = true;
    segment.at = distance(info.tcp_sequence, shift.at);
    segment.change = shift;
  } else if (shift.changed && !sender.acknowledged() &&
             (distance(info.tcp_sequence, shift.at) < bytes ||
              distance(shift.at, info.tcp_sequence) < shift.was)) {
    return Reason::kHelperInvalid;
  }

  const std::uint64_t known = distance(info.tcp_sequence, sender.end);
  if (control.helper != image::Helper::kOff) {
    // A gap is not read over: what is missing comes again, and this behind it.
    if (!tcp::not_before(sender.end, info.tcp_sequence)) return Reason::kHelperInvalid;
    if (known < bytes) {
      if (!transport_checksum_holds(packet, info)) return Reason::kHelperInvalid;
      segment.reads = true;
      segment.heard = hear_ftp(control, direction, info.family, segment.payload, known);
      if (const Reason reason = hear_new(context, flow, direction, segment);
          reason != Reason::kAllowed) {
        return reason;
      }
      if (segment.changes) {
        segment.at = segment.heard.at + segment.heard.line.first;
        segment.change.at = info.tcp_sequence + static_cast<std::uint32_t>(segment.at);
      }
    }
  }
  if (!segment.edits || route == nullptr) return Reason::kAllowed;
  if (!segment.changes && !transport_checksum_holds(packet, info)) return Reason::kHelperInvalid;
  // What has grown must still be sent whole.
  const std::size_t grown = std::size_t{info.ip_bytes} + segment.change.is - segment.change.was;
  return grown > context.image.ports()[route->port].mtu ? Reason::kTooBig : Reason::kAllowed;
}

// What was heard for the first time.
Reason Pipeline::Impl::hear_new(const BurstContext& context, FlowRecord& flow, unsigned direction,
                                Segment& segment) noexcept {
  const Heard& heard = segment.heard;
  if (heard.reason != Reason::kAllowed) return heard.reason;
  if (!heard.announces) return Reason::kAllowed;
  if (const Reason reason = expect(context, flow, direction, heard.line, segment);
      reason != Reason::kAllowed) {
    return reason;
  }
  const bool same_address = heard.line.form == ftp::Form::kBarsPortOnly ||
                            segment.told_address == heard.line.address;
  if (same_address && segment.told_port == heard.line.port) return Reason::kAllowed;

  // A line whose beginning has gone on cannot be told otherwise, nor can two before the first is
  // acknowledged: its sender would not know the numbers any more.
  const Control& control = helpers.control(flows.translation(flow).helper);
  const SequenceShift& before = control.shifts[direction];
  const bool pending = before.changed && !flow.sides[direction].acknowledged();
  if (heard.cut || pending || segment.edits) return Reason::kHelperInvalid;
  SequenceShift& change = segment.change;
  change.changed = true;
  change.before = before.changed ? before.after() : 0;
  change.was = static_cast<std::uint16_t>(heard.line.last - heard.line.first);
  change.is = static_cast<std::uint16_t>(
      ftp::write_end(heard.line, segment.told_address, segment.told_port, change.text));
  segment.edits = true;
  segment.changes = true;
  return Reason::kAllowed;
}

Reason Pipeline::Impl::aim(const BurstContext& context, const FlowRecord& flow, unsigned direction,
                           const net::Address* named, std::uint16_t port,
                           Expected& expected) noexcept {
  const Translation& translation = flows.translation(flow);
  const FlowKey& key = flow.key;
  const FlowKey& reply = translation.reply;
  if (port < kWellKnown) return Reason::kHelperRefused;
  expected.control = translation.helper;
  expected.port = port;
  expected.key.protocol = key.protocol;
  expected.key.destination_port = port;
  if (direction == 0) {
    if (named != nullptr && *named != key.source) return Reason::kHelperRefused;
    expected.from = 1;
    expected.key.source = reply.source;
    expected.key.destination = reply.destination;
    expected.key.space = reply.space;
    return map_end(context, flow, port, expected);
  }
  // A server may have been told what it is called outside.
  if (named != nullptr && *named != reply.source && *named != key.destination) {
    return Reason::kHelperRefused;
  }
  if (key.destination != reply.source && is_pool(context.image, key.destination)) {
    return Reason::kHelperRefused;  // its port there is another's
  }
  expected.from = 0;
  expected.key.source = key.source;
  expected.key.destination = key.destination;
  expected.key.space = key.space;
  return Reason::kAllowed;
}

Reason Pipeline::Impl::expect(const BurstContext& context, const FlowRecord& flow,
                              unsigned direction, const ftp::Line& line,
                              Segment& segment) noexcept {
  const bool names = line.form != ftp::Form::kBarsPortOnly;
  Expected expected;
  if (const Reason reason = aim(context, flow, direction, names ? &line.address : nullptr,
                                line.port, expected);
      reason != Reason::kAllowed) {
    return reason;
  }
  expected.until = context.flow_now + kFtpWait;
  segment.told_address = expected.key.destination;
  segment.told_port = expected.key.destination_port;

  // The one that was announced before is not wanted any more (RFC 959 section 3.2).
  Control& control = helpers.control(expected.control);
  for (std::uint32_t n = control.first; n != Expected::kNone;) {
    const std::uint32_t next = helpers.expected(n).next;
    if (helpers.expected(n).waits()) forget(n);
    n = next;
  }
  segment.expected = helpers.expect(expected);
  if (segment.expected == Expected::kNone) return Reason::kHelperFull;
  if (expected.mapping != Expected::kNone) nat.hold(expected.mapping);
  return Reason::kAllowed;
}

// The initiator's port as the responder sees it, where an egress stands between them.
Reason Pipeline::Impl::map_end(const BurstContext& context, const FlowRecord& flow,
                               std::uint16_t port, Expected& expected) noexcept {
  const Translation& translation = flows.translation(flow);
  if (translation.mapping == Translation::kNone) return Reason::kAllowed;
  const image::Image& image = context.image;
  NatPlan plan = Nat::plan_for(flow.key);
  plan.key.source_port = port;
  plan.reply = turned(plan.key);
  if (flow.key.destination != translation.reply.source) {
    const image::RouteRecord* const forth = image.route_to(SpaceId{flow.key.space},
                                                           flow.key.destination);
    if (forth == nullptr || forth->kind != image::RouteKind::kNat) return Reason::kHelperRefused;
    plan.to_public = true;
    plan.kind = image.nat_prefixes()[forth->nat].kind;
  }
  const ZoneId zone{image.ports()[flow.in(0).index()].zone};
  const Subject subject = find_subject(image, SpaceId{flow.key.space}, flow.key.source, zone);
  if (const Reason reason = nat.outward(image, subject.egress, flow.in(0), flow.in(1),
                                        context.flow_now, context.now, plan);
      reason != Reason::kAllowed) {
    return reason;
  }
  // Paired (RFC 4787 REQ-2): the other end takes connections from one address only.
  if (plan.mapping == Translation::kNone ||
      plan.reply.destination != translation.reply.destination) {
    return Reason::kNatPoolFull;
  }
  expected.mapping = plan.mapping;
  expected.key.destination_port = plan.reply.destination_port;
  return Reason::kAllowed;
}

}  // namespace meiguan::fastpath
