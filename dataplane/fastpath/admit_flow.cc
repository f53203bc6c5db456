// Whether a flow that the rules allow may open, by the limits in force; and what a source does to
// show that it is real, where a destination has too many connections half open.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {

Reason Pipeline::Impl::admit_flow(const BurstContext& context, const PacketInfo& info,
                                  const Limits::Claim& claim, const Owners& owners) noexcept {
  const RateTime at = rate_time(context.now);
  const bool tcp = info.protocol == net::protocol::kTcp;
  const Reason reason = limits.admit(context.image, claim, owners, tcp, flows.live(), at);
  if (reason == Reason::kSynCookie) {
    if (!cookies.is_verified(info.key, context.now)) {
      // A SYN in fragments is no client's: there is no frame that could become the answer.
      if (info.more_packets != 0) return Reason::kHalfOpen;
      return cookies.may_answer(context.now) ? Reason::kSynCookie : Reason::kHalfOpen;
    }
    if (!limits.has_room_for_verified(claim)) return Reason::kHalfOpen;
  } else if (reason != Reason::kAllowed) {
    return reason;
  }
  // Last: it is taken where it is asked.
  return !context.polices ||
                 limits.police(context.image, owners, info.ip_bytes + info.more_bytes, at)
             ? Reason::kAllowed
             : Reason::kBandwidthLimit;
}

bool Pipeline::Impl::takes_back_cookie(const BurstContext& context, const PacketInfo& info,
                                       Fate& fate) noexcept {
  if (info.without_flow != Reason::kTcpNoState || (info.tcp_flags & net::TcpHeader::kRst) == 0 ||
      !cookies.in_use(context.now) || !cookies.verify(info, context.now)) {
    return false;
  }
  fate.reason = Reason::kSynCookie;  // it is for the gateway, and there is nothing more to do
  fate.step = NextStep::kDrop;
  return true;
}

}  // namespace meiguan::fastpath
