#pragma once

#include <functional>
#include <utility>

#include "controlplane/report/collector.h"

namespace meiguan::daemon {

// Hands denials and attacks on, of all that a collector tells.
class EventTap : public report::CollectorSink {
 public:
  // Called in the collector's thread.
  using Hear = std::function<void(const fastpath::Event& event, report::WallTime at)>;

  explicit EventTap(Hear hear) : hear_{std::move(hear)} {}

  void attached(const report::Sums&) override {}
  void detached() override {}
  void heard(const fastpath::Event& event, std::size_t, report::WallTime at) override {
    using fastpath::EventKind;
    if (event.kind == EventKind::kDenial || event.kind == EventKind::kAttack) hear_(event, at);
  }
  void counted(const report::Sums&, report::WallTime, std::chrono::milliseconds) override {}

 private:
  const Hear hear_;
};

}  // namespace meiguan::daemon
