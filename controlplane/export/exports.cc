#include "controlplane/export/exports.h"

#include <algorithm>
#include <utility>

namespace meiguan::exporting {
namespace {

constexpr std::size_t kFlowsFollowed = std::size_t{1} << 20;

}  // namespace

Exports::Exports(const ExportSettings& settings, const IpfixExporter::Log& log)
    : progress_{kFlowsFollowed} {
  for (const auto& one : settings.ipfix) {
    ipfix_.push_back(std::make_unique<IpfixExporter>(one, log));
  }
}

void Exports::set_names(std::shared_ptr<const Names> names) {
  for (const auto& exporter : ipfix_) exporter->set_names(names);
  const std::lock_guard lock{mutex_};
  names_ = std::move(names);
}

void Exports::attached(const report::Sums& counters) {
  // As the roll-up does, so that both say the same.
  progress_.attach(counters.packets != 0 || counters.flows_created != 0);
}

void Exports::heard(const fastpath::Event& event, std::size_t ring, report::WallTime at) {
  using fastpath::EventKind;
  if (ipfix_.empty()) return;
  progress_.see(event, ring);
  Record record;
  record.event = event;
  record.at_ms =
      std::chrono::duration_cast<std::chrono::milliseconds>(at.time_since_epoch()).count();
  record.start_ms = record.at_ms;
  if (event.kind == EventKind::kFlowPeriodic || event.kind == EventKind::kFlowEnd) {
    const auto delta = progress_.take(event, ring);
    record.more = delta.more;
    record.start_ms -= static_cast<std::int64_t>(delta.over_ms);
    const bool nothing = delta.more == report::FlowTotals{};
    if (nothing && event.kind == EventKind::kFlowPeriodic) return;
  } else if (event.kind == EventKind::kDenial) {
    // It stands for others too, of which nothing is known but why they were dropped.
    const auto packets = std::max<std::uint64_t>(event.packets, 1);
    record.more = {1, event.bytes / packets, 0, 0};
    if (packets > 1) {
      Record others = record;
      others.event = {};
      others.event.kind = event.kind;
      others.event.reason = event.reason;
      others.event.source = others.event.destination = net::Address::v4(0);
      others.more = {packets - 1, event.bytes - event.bytes / packets, 0, 0};
      push(std::move(others));
    }
  }
  push(std::move(record));
}

void Exports::push(Record record) {
  {
    const std::lock_guard lock{mutex_};
    record.names = names_;
  }
  for (const auto& exporter : ipfix_) exporter->push(record);
}

std::vector<ExporterStatus> Exports::status() const {
  std::vector<ExporterStatus> all;
  for (const auto& exporter : ipfix_) all.push_back(exporter->status());
  return all;
}

}  // namespace meiguan::exporting
