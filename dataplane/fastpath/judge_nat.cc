// Where the judgement of a packet meets the translation of its flow: see nat.h.

#include "dataplane/fastpath/translate.h"
#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {
namespace {

using image::NatKind;
using image::RouteKind;
using image::RouteRecord;

}  // namespace

Reason Pipeline::Impl::go_inward(const BurstContext& context, const FlowKey* kept, Opening& opening,
                                 Routes& routes, NatPlan& plan) noexcept {
  const image::Image& image = context.image;
  const RouteRecord& to_public = *routes.forth;
  routes.forth = nullptr;
  if (const Reason reason = nat.inward(image, to_public, kept, plan); reason != Reason::kAllowed) {
    return reason;
  }
  const image::PortRecord& in = image.ports()[opening.in.index()];
  const bool from_internet = image.zones()[in.zone].kind == image::ZoneKind::kInternet;
  const bool by_mapping = from_internet && plan.kind == NatKind::kPool;
  if (from_internet && plan.kind == NatKind::kNpt) return Reason::kNatUnsolicited;
  if (by_mapping) {
    plan.mapping = nat.admits(image, image.nat_prefixes()[to_public.nat], plan.key,
                              flows.translations());
    if (plan.mapping == Mapping::kNone) return Reason::kNatUnsolicited;
  }
  opening.destination = plan.reply.source;
  // Who has a [[publish]] is reached from the internet by that alone, not by a mapping.
  opening.translated = !by_mapping;
  switch (plan.key.protocol) {
    case net::protocol::kTcp:
    case net::protocol::kUdp:
    case net::protocol::kSctp: opening.protocol.value = plan.reply.source_port; break;
    default: break;
  }
  const RouteRecord* const forth = image.route_to(SpaceId{plan.reply.space}, plan.reply.source);
  // What stands behind a public address is never the gateway, nor another public address.
  if (forth != nullptr && (forth->kind == RouteKind::kVia || forth->kind == RouteKind::kOnLink)) {
    routes.forth = forth;
  }
  return Reason::kAllowed;
}

bool Pipeline::Impl::keeps_translation(const BurstContext& context, const FlowRecord& flow,
                                       const Judgement& judgement, PortId in,
                                       NatPlan& plan) noexcept {
  const Translation* const own = flow.translated() ? &flows.translation(flow) : nullptr;
  return nat.still_outward(context.image, judgement.egress, in, judgement.out, own, plan) &&
         equal(plan.reply, own != nullptr ? own->reply : turned(flow.key));
}

bool Pipeline::Impl::replies_are_known(const FlowKey& reply) noexcept {
  unsigned direction = 0;
  return flows.find(reply, flows.hash(reply), match::kEither, direction) != nullptr;
}

Reason Pipeline::Impl::translate_flow(const BurstContext& context, FlowRecord& flow,
                                      const Judgement& judgement, NatPlan& plan) noexcept {
  if (const Reason reason = nat.outward(context.image, judgement.egress, flow.in(0), flow.in(1),
                                        context.flow_now, context.now, plan);
      reason != Reason::kAllowed) {
    return reason;
  }
  if (!plan.changes()) return Reason::kAllowed;
  // Who asks for a public address that stands for himself would get his packet back as his own.
  if (plan.reply.source == plan.reply.destination) return Reason::kLand;
  if (has_blocks() && is_blocked(plan.reply, 1)) [[unlikely]]
    return Reason::kBlocked;
  if (replies_are_known(plan.reply)) return Reason::kNatUntranslatable;
  if (flows.translate(flow, plan.reply) == nullptr) return Reason::kNatTableFull;
  nat.join(flows.translations(), flow.translation, plan.mapping);
  return Reason::kAllowed;
}

net::Be16 Pipeline::Impl::identification_of(const std::uint8_t* packet) noexcept {
  net::Ipv4Header ip;
  std::memcpy(&ip, packet, sizeof ip);
  return identifications.next(ip.source, ip.destination, ip.protocol);
}

void Pipeline::Impl::write_translated(std::uint8_t* packet, const PacketInfo& info) noexcept {
  // Not atomic: somebody on the way may cut it (RFC 6864 section 4).
  const bool identifies = info.family == net::Family::kIpv4 && !info.dont_fragment;
  if (!identifies) {
    translate(packet, info, sent_as);
  } else if (info.kind == PacketKind::kIcmpError) [[unlikely]] {
    translate(packet, info, sent_as);
    identify(packet, identification_of(packet));
  } else {
    net::Ipv4Bytes source;
    net::Ipv4Bytes destination;
    std::memcpy(source.data(), sent_as.source.bytes().data() + 12, sizeof source);
    std::memcpy(destination.data(), sent_as.destination.bytes().data() + 12, sizeof destination);
    translate(packet, info, sent_as, identifications.next(source, destination, info.protocol));
  }
}

const net::Address& Pipeline::Impl::send_as(const PacketInfo& info, const FlowRecord& flow,
                                            unsigned direction) noexcept {
  const FlowKey& reply = flows.translation(flow).reply;
  changed = true;
  if (info.kind == PacketKind::kIcmpError) {
    // It quotes a packet of the other direction, which its sender knows as it came in.
    sent_as = direction == 1 ? flow.key : reply;
    return sent_as.source;
  }
  turn(direction == 0 ? reply : flow.key, sent_as);
  return sent_as.destination;
}

}  // namespace meiguan::fastpath
