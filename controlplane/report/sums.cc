#include "controlplane/report/sums.h"

#include <algorithm>

namespace meiguan::report {

using fastpath::CounterBlock;
using fastpath::kReasonCodes;

Sums add_up(const Segment& segment, const Extent& extent) {
  return add_up(segment.blocks(), extent);
}

Sums add_up(std::span<const CounterBlock> blocks, const Extent& extent) {
  fastpath::CounterCapacity capacity{0, 0, 0, 0};
  if (!blocks.empty()) capacity = blocks.front().capacity();
  Sums sums;
  sums.reasons.resize(kReasonCodes);
  sums.ports.resize(std::min<std::size_t>(extent.ports, capacity.ports));
  sums.units.resize(std::min<std::size_t>(extent.units, capacity.units));
  sums.services.resize(std::min<std::size_t>(extent.services, capacity.services));
  sums.rules.resize(std::min<std::size_t>(extent.rules, capacity.rules));
  const auto add = [](std::uint64_t& to, const fastpath::Counter& from) { to += from.value(); };
  for (const CounterBlock& block : blocks) {
    for (std::size_t i = 0; i < kReasonCodes; ++i) {
      const auto& from = block.reason(static_cast<fastpath::Reason>(i)).traffic;
      add(sums.reasons[i][0], from.packets);
      add(sums.reasons[i][1], from.bytes);
    }
    for (std::size_t i = 0; i < sums.ports.size(); ++i) {
      const auto& from = block.port(PortId{static_cast<PortId::rep>(i)});
      auto& to = sums.ports[i];
      add(to[0], from.received.packets);
      add(to[1], from.received.bytes);
      add(to[2], from.sent.packets);
      add(to[3], from.sent.bytes);
      add(to[4], from.dropped);
      add(to[5], from.local);
    }
    for (std::size_t i = 0; i < sums.units.size(); ++i) {
      const auto& from = block.unit(UnitId{static_cast<UnitId::rep>(i)});
      auto& to = sums.units[i];
      add(to[0], from.sent.packets);
      add(to[1], from.sent.bytes);
      add(to[2], from.received.packets);
      add(to[3], from.received.bytes);
      add(to[4], from.flows);
      add(to[5], from.denied);
    }
    for (std::size_t i = 0; i < sums.services.size(); ++i) {
      const auto& from = block.service(ServiceId{static_cast<ServiceId::rep>(i)});
      auto& to = sums.services[i];
      add(to[0], from.requests.packets);
      add(to[1], from.requests.bytes);
      add(to[2], from.replies.packets);
      add(to[3], from.replies.bytes);
      add(to[4], from.flows);
      add(to[5], from.denied);
    }
    for (std::size_t i = 0; i < sums.rules.size(); ++i) {
      const auto& from = block.rule(RuleId{static_cast<RuleId::rep>(i)});
      auto& to = sums.rules[i];
      add(to[0], from.traffic.packets);
      add(to[1], from.traffic.bytes);
      add(to[2], from.hits);
      add(to[3], from.audited);
    }
    const auto& totals = block.totals();
    add(sums.packets, totals.packets);
    add(sums.flows_created, totals.flows_created);
    add(sums.flows_ended, totals.flows_ended);
    add(sums.events_lost, totals.events_lost);
  }
  return sums;
}

}  // namespace meiguan::report
