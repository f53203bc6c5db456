#pragma once

// All that is exported, as one that hears the collector: what goes to whom.

#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "controlplane/export/ipfix_exporter.h"
#include "controlplane/export/settings.h"
#include "controlplane/report/collector.h"
#include "controlplane/report/flow_progress.h"

namespace meiguan::exporting {

class Exports : public report::CollectorSink {
 public:
  Exports(const ExportSettings& settings, const IpfixExporter::Log& log);

  void set_names(std::shared_ptr<const Names> names);

  void attached(const report::Sums& counters) override;
  void detached() override {}
  void heard(const fastpath::Event& event, std::size_t ring, report::WallTime at) override;
  void counted(const report::Sums&, report::WallTime, std::chrono::milliseconds) override {}

  [[nodiscard]] std::vector<ExporterStatus> status() const;

 private:
  void push(Record record);

  std::vector<std::unique_ptr<IpfixExporter>> ipfix_;
  std::mutex mutex_;  // of names_
  std::shared_ptr<const Names> names_;
  report::FlowProgress progress_;  // of the thread that is heard
};

}  // namespace meiguan::exporting
