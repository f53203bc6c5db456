#pragma once

// What meiguan-controld does: the policy in force, and the answers to the commands of its socket.

#include <boost/json/object.hpp>
#include <expected>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>

#include "controlplane/api/server.h"
#include "controlplane/daemon/answers.h"
#include "controlplane/daemon/block_service.h"
#include "controlplane/daemon/captures.h"
#include "controlplane/daemon/changes.h"
#include "controlplane/daemon/event_tap.h"
#include "controlplane/daemon/link.h"
#include "controlplane/daemon/tree_link.h"
#include "controlplane/export/exports.h"
#include "controlplane/export/metrics_text.h"
#include "controlplane/host/data_ports.h"
#include "controlplane/lifecycle/bundle.h"
#include "controlplane/report/collector.h"
#include "controlplane/report/recorder.h"
#include "controlplane/report/sink_list.h"

namespace meiguan::daemon {

struct Settings {
  Changes::Settings changes{.policy = {}, .gateway = {}, .state_dir = "/var/lib/meiguan"};
  std::filesystem::path run_dir{"/run/meiguan"};
  std::filesystem::path stats_dir;      // of the statistics store; empty: "stats" of the state's
  std::string stats_postgres;           // a connection string of libpq; empty: files in stats_dir
  std::chrono::seconds look_every{60};  // at the kernel's table, where that is what forwards
  bool in_kernel{false};                // the kernel's nftables in the place of a data plane
  store::Retention keep{store::kDefaultRetention};
  std::uint64_t flow_record_bytes{std::uint64_t{1} << 30};   // on disk at most; 0: none are kept
  std::uint64_t port_block_bytes{std::uint64_t{256} << 20};  // likewise of the port blocks' log
  exporting::ExportSettings exports;
  TreeLink* tree{nullptr};  // outlives the service; none: this node is in no tree
  // Writes down for good what nobody asked for; may be empty.
  std::function<void(const std::string& event, boost::json::object detail)> note;
  // Hears of denials and attacks, in the collector's thread; may be empty.
  std::function<void(const fastpath::Event&, report::WallTime, const policy::Catalog&)> on_event;
};

class Service {
 public:
  using Log = std::function<void(const Text&)>;

  Service(Settings settings, Log log);

  // See Changes::on_return(); to be set before start().
  void on_return(Changes::TellReturn tell) { changes_.on_return(std::move(tell)); }
  // See Captures::on_end(); likewise.
  void on_capture_end(std::function<void(boost::json::object)> tell) {
    captures_.on_end(std::move(tell));
  }
  // Puts the policy in force that was, or the first one; see Changes::start().
  [[nodiscard]] std::expected<Applied, Refusal> start();
  // Reads the files of the policy in force again, as nobody in particular.
  [[nodiscard]] std::expected<Applied, Refusal> reload();

  // The kernel's interfaces that the gateway in force works on.
  [[nodiscard]] std::vector<host::DataPort> data_ports() const;
  [[nodiscard]] report::Recorder& recorder() noexcept { return *recorder_; }

  // Answers one request of the local socket; safe from several threads.
  [[nodiscard]] boost::json::object answer(const boost::json::object& request,
                                           const api::Peer& peer);
  // As `status` has them, of limits with the packets since the last call; for one caller.
  [[nodiscard]] boost::json::array alarms_since_last();
  // See metrics_text(); safe from several threads.
  [[nodiscard]] std::string metrics(std::size_t most, exporting::MetricsFormat format);

 private:
  // Of what `now` keeps alive.
  [[nodiscard]] StatusInput status_input(const PolicyInForce& now);
  [[nodiscard]] std::unique_ptr<report::Recorder> make_recorder();
  [[nodiscard]] std::unique_ptr<report::FlowRing> open_flows(const char* name,
                                                             std::uint64_t most_bytes);
  [[nodiscard]] report::InTree in_tree();
  [[nodiscard]] std::unique_ptr<report::PortBlockLog> make_block_log();
  [[nodiscard]] std::unique_ptr<kernel::Backend> make_backend();
  [[nodiscard]] std::optional<boost::json::object> port_blocks(const lifecycle::Bundle& bundle,
                                                               const boost::json::object& request);
  void tell_event(const fastpath::Event& event, report::WallTime at) const;
  void take_names(const std::shared_ptr<const lifecycle::Bundle>& bundle);
  [[nodiscard]] std::shared_ptr<const lifecycle::Bundle> bundle() const;
  // Nothing where it is no question about the past.
  [[nodiscard]] std::optional<boost::json::object> past_answer(const lifecycle::Bundle& bundle,
                                                               const boost::json::object& request);

  Settings settings_;
  Log log_;
  mutable std::mutex mutex_;                         // of bundle_
  std::shared_ptr<const lifecycle::Bundle> bundle_;  // for the recorder, which outlives changes_
  std::unique_ptr<report::Recorder> recorder_;       // hears the collector, which goes first
  std::unique_ptr<report::PortBlockLog> block_log_;  // likewise; null where it cannot be written
  report::Sums alarms_seen_;                         // see alarms_since_last()
  exporting::Exports exports_;                       // likewise
  EventTap tap_;
  report::SinkList sinks_;
  report::Collector collector_;
  std::unique_ptr<kernel::Backend> backend_;  // null: there is a data plane
  Link link_;
  Captures captures_;
  BlockService blocks_;
  Changes changes_;
};

}  // namespace meiguan::daemon
