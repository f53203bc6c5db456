// The block list: whoever is on it passes nothing, not to the gateway itself either. It is asked of
// what no flow speaks for, and of every flow once after it has changed (a new generation), so that
// packets of known flows do not pay for it.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {

bool Pipeline::Impl::is_blocked(SpaceId space, const net::Address& address,
                                std::uint64_t packets) noexcept {
  const std::uint32_t record = blocks->find(space, address);
  if (record == image::kNone) return false;
  if (record < block_hits.size()) block_hits[record].add(packets);
  return true;
}

bool Pipeline::Impl::is_blocked(const PacketInfo& info, std::uint64_t packets) noexcept {
  // Of an ICMP error its own ends: those of the packet that it quotes are its flow's.
  const SpaceId space{info.key.space};
  return is_blocked(space, info.source(), packets) ||
         is_blocked(space, info.destination(), packets);
}

bool Pipeline::Impl::is_blocked(const FlowKey& key, std::uint64_t packets) noexcept {
  const SpaceId space{key.space};
  return is_blocked(space, key.source, packets) || is_blocked(space, key.destination, packets);
}

bool Pipeline::Impl::is_blocked(const NatPlan& plan, std::uint64_t packets) noexcept {
  return is_blocked(plan.key, packets) || (plan.changes() && is_blocked(plan.reply, packets));
}

bool Pipeline::Impl::refuse_blocked(const BurstContext& context, const PacketInfo& info,
                                    std::uint64_t hash, Fate& fate) noexcept {
  if (!is_blocked(info, 1)) return false;
  fate.reason = Reason::kBlocked;
  fate.step = NextStep::kDrop;
  if (info.kind != PacketKind::kPacket) return true;
  unsigned direction = 0;
  if (FlowRecord* const flow = flows.find(info.key, hash, info.match_mask, direction)) {
    end_flow(*flow, context.now, FlowEnd::kBlocked);
  }
  return true;
}

void Pipeline::Impl::end_blocked_flows(std::uint32_t steps) noexcept {
  if (blocks == nullptr || !blocks->any()) {
    blocked_hand = FlowTable::kNone;
    return;
  }
  for (; steps != 0 && blocked_hand < flows.used(); --steps) {
    FlowRecord& flow = flows.record(blocked_hand++);
    if (!flow.live()) continue;
    if (is_blocked(flow.key, 0) ||
        (flow.translated() && is_blocked(flows.translation(flow).reply, 0))) {
      end_flow(flow, now, FlowEnd::kBlocked);
    }
  }
  if (blocked_hand >= flows.used()) blocked_hand = FlowTable::kNone;
}

}  // namespace meiguan::fastpath
