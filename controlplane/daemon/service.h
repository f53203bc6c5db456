#pragma once

// What meiguan-controld does: the policy in force, and the answers to the commands of its socket.

#include <boost/json/object.hpp>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "controlplane/api/server.h"
#include "controlplane/daemon/link.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/collector.h"

namespace meiguan::daemon {

struct Settings {
  std::filesystem::path policy;
  std::filesystem::path gateway;
  std::filesystem::path run_dir{"/run/meiguan"};
  std::filesystem::path state_dir{"/var/lib/meiguan"};
};

class Service {
 public:
  using Log = std::function<void(const Text&)>;

  Service(Settings settings, Log log);

  // Loads the policy of the settings; called at start and for `reload`. Diagnostics: nothing was
  // loaded, what was in force stays.
  [[nodiscard]] std::expected<bool, policy::Diagnostics> reload();

  // Answers one request of the local socket; safe from several threads.
  [[nodiscard]] boost::json::object answer(const boost::json::object& request,
                                           const api::Peer& peer);

 private:
  struct InForce {
    std::filesystem::path policy;
    std::filesystem::path gateway;
    std::shared_ptr<const lifecycle::Bundle> bundle;
    std::chrono::system_clock::time_point since;
  };

  [[nodiscard]] std::expected<bool, policy::Diagnostics> load(const std::filesystem::path& policy,
                                                              const std::filesystem::path& gateway);
  [[nodiscard]] std::optional<policy::Catalog> previous_catalog() const;
  [[nodiscard]] InForce in_force() const;
  [[nodiscard]] boost::json::object apply(const boost::json::object& request);

  Settings settings_;
  Log log_;
  report::Collector collector_;
  Link link_;
  std::mutex loading_;           // one reload at a time
  policy::PolicyLoader loader_;  // of whoever holds loading_
  policy::Compiler compiler_;    // likewise
  mutable std::mutex mutex_;
  InForce in_force_;
};

}  // namespace meiguan::daemon
