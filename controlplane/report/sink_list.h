#pragma once

#include <utility>
#include <vector>

#include "controlplane/report/collector.h"

namespace meiguan::report {

// Several that hear what one collector reads, in this order. They must outlive it.
class SinkList : public CollectorSink {
 public:
  explicit SinkList(std::vector<CollectorSink*> sinks) : sinks_{std::move(sinks)} {}

  void attached(const Sums& counters) override {
    for (auto* const sink : sinks_) sink->attached(counters);
  }
  void detached() override {
    for (auto* const sink : sinks_) sink->detached();
  }
  void heard(const fastpath::Event& event, std::size_t ring, WallTime at) override {
    for (auto* const sink : sinks_) sink->heard(event, ring, at);
  }
  void counted(const Sums& counters, WallTime at, std::chrono::milliseconds elapsed) override {
    for (auto* const sink : sinks_) sink->counted(counters, at, elapsed);
  }

 private:
  std::vector<CollectorSink*> sinks_;
};

}  // namespace meiguan::report
