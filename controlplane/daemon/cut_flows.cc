#include "controlplane/daemon/cut_flows.h"

#include "controlplane/analysis/names.h"
#include "dataplane/net/wire.h"

namespace meiguan::daemon {
namespace {

bool is_icmp(std::uint8_t protocol) noexcept {
  return protocol == net::protocol::kIcmp || protocol == net::protocol::kIcmp6;
}

fastpath::Opening opening_of(const fastpath::Event& flow, PortId in) noexcept {
  const bool translated = flow.translated_destination != net::Address{};
  fastpath::Opening opening;
  opening.source = flow.source;
  opening.destination = translated ? flow.translated_destination : flow.destination;
  opening.translated = translated && flow.translated_destination != flow.destination;
  opening.family = opening.destination.family();
  const std::uint16_t port = translated ? flow.translated_destination_port : flow.destination_port;
  opening.protocol = {flow.protocol, is_icmp(flow.protocol)
                                         ? static_cast<std::uint16_t>(flow.destination_port >> 8)
                                         : port};
  opening.in = in;
  return opening;
}

}  // namespace

FlowJudge::FlowJudge(const lifecycle::Bundle& in_force, const lifecycle::Bundle& next,
                     std::int64_t now)
    : image_{next.image}, moment_{next.image, now} {
  const analysis::Names names{next.compiled.catalog};
  for (const auto& port : in_force.compiled.catalog.ports) {
    port_of_.push_back(names.find_port(port.name).value_or(PortId{}));
  }
}

std::optional<CutFlow> FlowJudge::judge(const fastpath::Event& flow) const {
  CutFlow cut{flow, fastpath::Reason::kNoRoute, {}};
  const std::size_t port = flow.in_port.index();
  if (port >= port_of_.size() || port_of_[port].is_none()) return cut;
  const auto opening = opening_of(flow, port_of_[port]);
  fastpath::Routes routes;
  cut.reason = fastpath::judge_addresses(image_, opening, routes);
  if (cut.reason != fastpath::Reason::kAllowed) return cut;
  const auto judgement = fastpath::judge_access(image_, moment_, opening, routes);
  if (judgement.reason == fastpath::Reason::kAllowed) return std::nullopt;
  cut.reason = judgement.reason;
  cut.rule = judgement.rule;
  return cut;
}

}  // namespace meiguan::daemon
