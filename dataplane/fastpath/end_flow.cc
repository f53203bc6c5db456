// How a flow ends, and when it is looked at next.

#include "dataplane/fastpath/worker_state.h"

namespace meiguan::fastpath {

void Pipeline::Impl::look_sooner(const FlowRecord& flow, FlowTime from) noexcept {
  const FlowTime latest = from + timeouts.of(flow) + 1;
  if (static_cast<std::int32_t>(flows.looked_at(flow) - latest) > 0) flows.look_at(flow, latest);
}

bool Pipeline::Impl::refuse_segment(const BurstContext& context, FlowRecord& flow,
                                    TcpVerdict verdict, Fate& fate) noexcept {
  if (verdict == TcpVerdict::kReopens) {
    end_flow(flow, context.now, FlowEnd::kClosed);
    return true;
  }
  fate.reason = verdict == TcpVerdict::kOutside ? Reason::kTcpWindow : Reason::kTcpState;
  if (verdict == TcpVerdict::kForgets) end_flow(flow, context.now, FlowEnd::kClosed);
  return false;
}

void Pipeline::Impl::end_flow(FlowRecord& flow, Tick at, FlowEnd end) noexcept {
  if (flow.translated() && flows.translation(flow).helper != Translation::kNone) [[unlikely]] {
    end_helped(flow, at, end);
  }
  tell(EventKind::kFlowEnd, flow, at, end);
  limits.end(flow.key, owners_of(flow), is_half_open(flow));
  watch_end(flow, at, end);
  counters.totals().flows_ended.add(1);
  if (flow.translated()) nat.leave(flows.translations(), flow.translation, flow_time(at));
  flows.erase(flow);
}

FlowTime Pipeline::Impl::next_look(const FlowRecord& flow, FlowTime from) const noexcept {
  const FlowTime idle_at = flow.last_seen + timeouts.of(flow) + 1;
  if (report_span == 0) return idle_at;
  // Reports fall on whole spans since the flow's start. A remainder, but not in the path of
  // packets.
  const FlowTime report_at = from + report_span - (from - flow.start) % report_span;
  return static_cast<std::int32_t>(report_at - idle_at) < 0 ? report_at : idle_at;
}

}  // namespace meiguan::fastpath
