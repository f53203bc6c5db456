// Messages of SIP, a datagram each, and the media that they agree on (RFC 3261, RFC 3264).
//
//   hear_call      reads it; where its sender wants media there waits an Expected, from now on; its
//                  text is changed where the receiver knows an end of the flow otherwise
//   follow_call    it has gone on: a call that is answered keeps what both sides want by then, one
//                  that fails or ends keeps nothing

#include <algorithm>

#include "dataplane/fastpath/sip_edit.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

constexpr std::uint16_t kTransactionGone = 481;
constexpr std::uint16_t kTimeout = 408;

// As the other side speaks of it.
sip::Translated turned_round(const sip::Translated& end) noexcept {
  return {end.to_address, end.to_port, end.address, end.port};
}

}  // namespace

// What one message does, if it passes.
struct Pipeline::Impl::Call {
  static constexpr std::size_t kMostPorts = sip::kMostMedia * 2;

  bool says{false};  // it is a message
  std::string_view text;
  sip::Message message;
  sip::Edits edits;
  std::size_t wanted_count{0};
  std::size_t added_count{0};
  std::array<std::uint32_t, kMostPorts> wanted;  // all that it describes
  std::array<std::uint64_t, kMostPorts> lines;   // by which of its lines
  std::array<std::uint32_t, kMostPorts> added;   // and what nobody waited for before
};

Reason Pipeline::Impl::begin_call(const BurstContext& context, const PacketInfo& info,
                                  FlowRecord& flow) noexcept {
  Call call;
  const std::uint32_t control = flows.translation(flow).helper;
  const image::RouteRecord* const route = &context.image.routes()[flow.route[0]];
  if (const Reason reason = hear_call(context, info, flow, 0, route, call);
      reason != Reason::kAllowed) {
    forget_new(call);
    return reason;
  }
  follow_call(call, 0, control);
  return Reason::kAllowed;
}

bool Pipeline::Impl::pass_call(const BurstContext& context, const PacketInfo& info,
                               FlowRecord& flow, unsigned direction,
                               const image::RouteRecord* route, Fate& fate) noexcept {
  const std::uint32_t control = flows.translation(flow).helper;
  if (helpers.control(control).helper == image::Helper::kOff) {
    return pass_unheard(context, info, flow, direction, route, fate);
  }
  Call call;
  if (const Reason reason = hear_call(context, info, flow, direction, route, call);
      reason != Reason::kAllowed) {
    forget_new(call);
    refuse_helped(flow, direction, reason, fate);
    return true;
  }
  const bool passed = pass_unheard(context, info, flow, direction, route, fate);
  if (passed && fate.step == NextStep::kSend) {
    follow_call(call, direction, control);
  } else {
    forget_new(call);
  }
  return passed;
}

Reason Pipeline::Impl::hear_call(const BurstContext& context, const PacketInfo& info,
                                 const FlowRecord& flow, unsigned direction,
                                 const image::RouteRecord* route, Call& call) noexcept {
  const auto i = static_cast<std::size_t>(&info - infos.data());
  const std::span<std::uint8_t> packet{burst[i].data + info.l3_offset, info.ip_bytes};
  std::span<std::uint8_t> payload;
  if (!find_udp_payload(packet, info.family, payload)) return Reason::kHelperInvalid;
  const std::string_view text{reinterpret_cast<const char*>(payload.data()), payload.size()};
  call.text = text;
  switch (sip::read(text, info.family, call.message)) {
    case sip::Says::kNothing: return Reason::kAllowed;
    case sip::Says::kInvalid: return Reason::kHelperInvalid;
    case sip::Says::kMessage: break;
  }
  if (!transport_checksum_holds(packet, info)) return Reason::kHelperInvalid;
  call.says = true;
  if (call.message.describes) {
    if (const Reason reason = expect_media(context, flow, direction, call);
        reason != Reason::kAllowed) {
      return reason;
    }
  }
  const FlowKey& key = flow.key;
  const FlowKey& reply = flows.translation(flow).reply;
  const sip::Translated initiator{key.source, key.source_port, reply.destination,
                                  reply.destination_port};
  const sip::Translated responder{reply.source, reply.source_port, key.destination,
                                  key.destination_port};
  const sip::Translated& sender = direction == 0 ? initiator : responder;
  const sip::Translated& receiver = direction == 0 ? responder : initiator;
  if (!call.edits.translate(call.message, sender, true) ||
      !call.edits.translate(call.message, turned_round(receiver), false)) {
    return Reason::kHelperInvalid;
  }
  if (!call.edits.any()) return Reason::kAllowed;
  const std::size_t bytes = call.edits.write(text, call.message, told);
  if (bytes == 0) return Reason::kHelperInvalid;
  // What has grown must still be sent whole, and have room where the frame lies.
  if (bytes > text.size() + Frame::kTailroom) return Reason::kTooBig;
  const std::size_t grown = std::size_t{info.ip_bytes} - text.size() + bytes;
  if (route != nullptr && grown > context.image.ports()[route->port].mtu) return Reason::kTooBig;
  retelling = {};
  retelling.message = {told.data(), bytes};
  retells = true;
  return Reason::kAllowed;
}

// RFC 3264 section 5.1: who offers is ready to receive at once.
Reason Pipeline::Impl::expect_media(const BurstContext& context, const FlowRecord& flow,
                                    unsigned direction, Call& call) noexcept {
  const sip::Message& message = call.message;
  for (const sip::Media& media : std::span{message.media}.first(message.media_count)) {
    if (media.where == sip::Where::kNowhere) continue;
    std::ranges::fill(std::span{call.lines}.subspan(call.wanted_count), media.line);
    if (media.where != sip::Where::kHere || media.rtcp_where == sip::Where::kForeign ||
        (media.rtcp_where == sip::Where::kHere && media.rtcp_address != media.address)) {
      return Reason::kHelperRefused;
    }
    std::uint16_t port = 0;
    if (const Reason reason = expect_port(context, flow, direction, media.address, media.port, call,
                                          port);
        reason != Reason::kAllowed) {
      return reason;
    }
    bool fits = port == media.port || call.edits.put_number(media.port_at, port);
    if (media.rtcp != 0) {
      std::uint16_t rtcp = 0;
      if (const Reason reason = expect_port(context, flow, direction, media.address, media.rtcp,
                                            call, rtcp);
          reason != Reason::kAllowed) {
        return reason;
      }
      if (!media.rtcp_at.empty()) {
        fits = fits && (rtcp == media.rtcp || call.edits.put_number(media.rtcp_at, rtcp));
      } else if (rtcp != port + 1) {
        fits = fits && call.edits.add_rtcp(call.text, media, rtcp);
      }
    }
    if (!fits) return Reason::kHelperInvalid;
  }
  return Reason::kAllowed;
}

Reason Pipeline::Impl::expect_port(const BurstContext& context, const FlowRecord& flow,
                                   unsigned direction, const net::Address& address,
                                   std::uint16_t port, Call& call,
                                   std::uint16_t& told_port) noexcept {
  // Behind the port of the flow itself messages would go by unread.
  const FlowKey& reply = flows.translation(flow).reply;
  if (port == (direction == 0 ? flow.key.source_port : reply.source_port)) {
    return Reason::kHelperRefused;
  }
  Expected expected;
  if (const Reason reason = aim(context, flow, direction, &address, port, expected);
      reason != Reason::kAllowed) {
    return reason;
  }
  told_port = expected.key.destination_port;
  expected.call = call.message.call;
  expected.until = context.flow_now + kMediaWait;
  expected.wanted = true;
  const auto is_this = [&](const Expected& other) {
    return other.call == expected.call && equal(other.key, expected.key);
  };
  // Messages come again, and say again what is agreed.
  std::uint32_t number = helpers.control(expected.control).first;
  while (number != Expected::kNone && !is_this(helpers.expected(number))) {
    number = helpers.expected(number).next;
  }
  if (number == Expected::kNone) {
    number = helpers.expect(expected);
    if (number == Expected::kNone) return Reason::kHelperFull;
    if (expected.mapping != Expected::kNone) nat.hold(expected.mapping);
    call.added[call.added_count++] = number;
  }
  call.wanted[call.wanted_count++] = number;
  return Reason::kAllowed;
}

void Pipeline::Impl::forget_new(const Call& call) noexcept {
  for (std::size_t i = 0; i < call.added_count; ++i) forget(call.added[i]);
}

void Pipeline::Impl::close_expected(std::uint32_t number) noexcept {
  const Expected& expected = helpers.expected(number);
  if (expected.waits()) {
    forget(number);
  } else {
    end_flow(flows.record(expected.flow), now, FlowEnd::kClosed);
  }
}

void Pipeline::Impl::follow_call(const Call& call, unsigned direction,
                                 std::uint32_t control) noexcept {
  if (!call.says) return;
  const sip::Message& message = call.message;
  const auto wanted = std::span{call.wanted}.first(call.wanted_count);
  const bool invites = message.method == sip::Method::kInvite;
  const bool changes_call = invites || message.method == sip::Method::kUpdate;
  const bool answered = changes_call && message.status >= 200 && message.status < 300;
  const bool failed = changes_call && message.status >= 300;
  const bool gone = message.status == kTransactionGone || message.status == kTimeout;
  // RFC 3261 section 15.1.1: over as soon as it is said.
  const bool says_bye = message.method == sip::Method::kBye && message.status == 0;
  const std::uint32_t first = helpers.control(control).first;
  // RFC 3264 sections 6 and 8: what one side does not want, the other has not to be ready for; the
  // lines keep their order.
  std::uint64_t lines = 0;
  for (const sip::Media& media : std::span{message.media}.first(message.media_count)) {
    lines |= media.line;
  }
  bool stands = false;  // the call has been answered before
  for (std::uint32_t n = first; n != Expected::kNone; n = helpers.expected(n).next) {
    stands = stands || (helpers.expected(n).call == message.call && helpers.expected(n).agreed);
  }
  std::uint32_t next = first;
  while (next != Expected::kNone) {
    const std::uint32_t number = next;
    Expected& expected = helpers.expected(number);
    next = expected.next;
    if (expected.call != message.call) continue;
    if (message.describes && expected.from == 1 - direction) {
      expected.lines = 0;
      for (std::size_t i = 0; i < wanted.size(); ++i) {
        if (wanted[i] == number) expected.lines |= call.lines[i];
      }
      expected.wanted = expected.lines != 0;
      if (expected.wanted) {
        expected.sequence = message.sequence;
        expected.until = flow_time(now) + kMediaWait;
      }
    } else if (message.describes && answered) {
      expected.wanted = (expected.lines & lines) != 0;
    }
    // Section 14.1: where a change of a call fails, the call stays as it was, unless it is gone. An
    // UPDATE before the answer (RFC 3311 section 5.1) decides nothing of the call; nor does a
    // refusal that comes again when another request (section 22.2: with its credentials) is out.
    const bool refused = !expected.agreed && expected.sequence == message.sequence;
    const bool undone = failed && (gone || (refused && (invites || stands)));
    if (says_bye || undone || (answered && !expected.wanted)) {
      close_expected(number);
    } else if (answered) {
      expected.agreed = invites || stands;
    } else if (failed) {
      expected.wanted = true;
    }
  }
}

}  // namespace meiguan::fastpath
