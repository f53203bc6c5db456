#pragma once

// Audit records, denials and attacks to the syslog servers of the appliance file.

#include <filesystem>
#include <memory>
#include <utility>
#include <vector>

#include "controlplane/daemon/gate.h"
#include "controlplane/policy/catalog.h"
#include "controlplane/report/collector.h"
#include "controlplane/syslog/forwarder.h"

namespace meiguan::daemon {

class SyslogOut {
 public:
  // Positions lie in `state_dir`/syslog. `gate`, which outlives it, records what becomes of the
  // connections. Errors: certificates of a server cannot be used.
  [[nodiscard]] static Result<std::unique_ptr<SyslogOut>> make(
      const std::vector<syslog::Settings>& servers, const std::filesystem::path& state_dir,
      Gate& gate);

  // A denial or an attack; never waits.
  void heard(const fastpath::Event& event, report::WallTime at, const policy::Catalog& catalog);
  [[nodiscard]] std::vector<Gate::Alarm> alarms() const;

 private:
  SyslogOut() = default;
  std::vector<std::unique_ptr<syslog::Forwarder>> forwarders_;
};

}  // namespace meiguan::daemon
