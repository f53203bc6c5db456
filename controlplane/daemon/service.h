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
#include "controlplane/daemon/block_service.h"
#include "controlplane/daemon/link.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/collector.h"
#include "controlplane/report/recorder.h"

namespace meiguan::daemon {

struct Settings {
  std::filesystem::path policy;
  std::filesystem::path gateway;
  std::filesystem::path run_dir{"/run/meiguan"};
  std::filesystem::path state_dir{"/var/lib/meiguan"};
  std::filesystem::path stats_dir;  // of the statistics store; empty: "stats" of the state's
  std::string stats_postgres;       // a connection string of libpq; empty: files in stats_dir
  store::Retention keep{store::kDefaultRetention};
  std::uint64_t flow_record_bytes{std::uint64_t{1} << 30};  // on disk at most; 0: none are kept
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
  [[nodiscard]] std::unique_ptr<report::Recorder> make_recorder();
  // Nothing where it is no question about the past.
  [[nodiscard]] std::optional<boost::json::object> past_answer(const InForce& now,
                                                               const boost::json::object& request);

  Settings settings_;
  Log log_;
  mutable std::mutex mutex_;  // of in_force_
  InForce in_force_;
  std::unique_ptr<report::Recorder> recorder_;  // hears the collector, which goes first
  report::Collector collector_;
  Link link_;
  BlockService blocks_;
  std::mutex loading_;           // one reload at a time
  policy::PolicyLoader loader_;  // of whoever holds loading_
  policy::Compiler compiler_;    // likewise
};

}  // namespace meiguan::daemon
